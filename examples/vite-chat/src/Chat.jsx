import { useChat } from "@ai-sdk/react";
import { WebSocketChatTransport } from "ai";
import { useEffect, useRef, useState } from "react";

// `wait`: a resume is held until the next answer begins, so this page sees what others ask too.
const transport = new WebSocketChatTransport({ url: "/api/chat", params: { wait: "1" } });

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export function Chat({ id, messages: said }) {
  const { messages, sendMessage, regenerate, stop, resumeStream, status, error } = useChat({ id, messages: said, transport });
  const [text, setText] = useState("");
  const end = useRef(null);
  const isBusy = status === "submitted" || status === "streaming";

  // Whatever is answered in this chat is shown here, whoever asked.
  useEffect(() => {
    let isGone = false;
    const watch = async () => {
      while (!isGone) {
        await resumeStream();
        // A server that is away is asked again in a moment. And who resumes within 250 ms of a stop takes the stop back.
        await pause(0.5);
      }
    };
    watch();
    return () => (isGone = true);
  }, [resumeStream]);

  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [messages, status]);

  const send = (event) => {
    event.preventDefault();
    if (!text.trim() || isBusy) return;
    sendMessage({ text });
    setText("");
  };

  return (
    <main data-status={status}>
      <header>
        <h1>Chat</h1>
        <a href={`#${crypto.randomUUID()}`}>New chat</a>
      </header>
      <ol aria-live="polite">
        {messages.map((message) => (
          <li key={message.id} className={message.role}>
            {message.parts.map((part, n) => (part.type === "text" ? <p key={n}>{part.text}</p> : null))}
          </li>
        ))}
        {status === "submitted" && <li className="assistant waiting">…</li>}
      </ol>
      {error && (
        <p role="alert">
          {error.message} <button onClick={() => regenerate()}>Try again</button>
        </p>
      )}
      <form onSubmit={send} ref={end}>
        <input value={text} onChange={(event) => setText(event.target.value)} placeholder="Ask something" aria-label="Message" autoFocus />
        {isBusy ? (
          <button type="button" onClick={() => stop()}>
            Stop
          </button>
        ) : (
          <button>Send</button>
        )}
      </form>
    </main>
  );
}
