import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and Sophie are one origin to the browser, as they are behind the reverse proxy of a site.
const sophie = process.env.SOPHIE_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/api/chat": { target: sophie, ws: true } } },
});
