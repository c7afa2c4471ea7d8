// A chat of CopilotKit whose agent is Sophie, with no runtime of CopilotKit's between them. The address names agent and thread.
import { HttpAgent } from "@ag-ui/client";
import { CopilotChat, CopilotKitProvider } from "@copilotkit/react-core/v2";
import "@copilotkit/react-core/v2/styles.css";
import { createRoot } from "react-dom/client";

const at = new URLSearchParams(location.search);
const agent = new HttpAgent({ url: at.get("agent"), threadId: at.get("thread") });
createRoot(document.getElementById("root")).render(
  <CopilotKitProvider selfManagedAgents={{ default: agent }}>
    <CopilotChat threadId={at.get("thread")} />
  </CopilotKitProvider>,
);
