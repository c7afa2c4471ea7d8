import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./Chat.jsx";
import "./style.css";

/** The chat that the address names; a new one gets a name that nobody guesses. */
function nameOfChat() {
  if (!location.hash) location.replace(`#${crypto.randomUUID()}`);
  return location.hash.slice(1);
}

function App() {
  const [id, setId] = useState(nameOfChat);
  const [messages, setMessages] = useState();

  useEffect(() => {
    const changed = () => setId(nameOfChat());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);

  useEffect(() => {
    let isGone = false;
    setMessages(undefined);
    fetch(`/api/chat/${id}/messages`)
      .then((response) => (response.ok ? response.json() : []))
      .then((said) => isGone || setMessages(said));
    return () => (isGone = true);
  }, [id]);

  return messages && <Chat key={id} id={id} messages={messages} />;
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
