"""A scripted AI server: each call gets the next script, or a short good answer; what was asked is written down.

A script is a function that is given the handler and the request's body, and writes the response.
"""

import base64
import json
import queue
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def chunk(delta, finish=None, index=0, **more):
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "test-model", "choices": [choice]} | more


def stream(*chunks, done=True, pause=0):
    """These chunks, one by one."""

    def play(handler, body):
        handler.begin_stream()
        for each in chunks:
            time.sleep(pause)
            handler.event(json.dumps(each))
        if done:
            counted = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "test-model", "choices": [], "usage": USAGE}
            handler.event(json.dumps(counted))
            handler.event("[DONE]")
        handler.end_stream()

    return play


def respond(status, body, **headers):
    """One JSON body."""
    return lambda handler, _: handler.respond(status, body, headers)


def whole(message, finish="stop", **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": None} | message, "logprobs": None, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "test-model", "choices": [choice], "usage": USAGE}
    return respond(200, body | more)


def refusal(status, kind, code, message="refused by the test", **headers):
    return respond(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, **headers)


def answer(text):
    """As the caller wants it: a stream, a chunk a word, or a whole body."""

    def play(handler, body):
        if not body.get("stream"):
            return whole({"content": text})(handler, body)
        words = text.split(" ")
        pieces = [word if n == 0 else f" {word}" for n, word in enumerate(words)]
        chunks = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in pieces), chunk({}, "stop")]
        return stream(*chunks)(handler, body)

    return play


def embeddings(*vectors):
    """These vectors, as the caller wants them: lists of numbers, or base64 of 32 bits each."""

    def play(handler, body):
        def written(vector):
            return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if body.get("encoding_format") == "base64" else vector

        data = [{"object": "embedding", "index": n, "embedding": written(vector)} for n, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        handler.respond(200, {"object": "list", "data": data, "model": "test-embedding", "usage": usage}, {})

    return play


class Backend:
    """Listens on a port of its own until it is closed."""

    def __init__(self):
        self.scripts = queue.SimpleQueue()
        self.calls = []
        self.paths = []
        self.models = ["test-model"]
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"backend": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def push(self, *scripts):
        for script in scripts:
            self.scripts.put(script)

    def next(self):
        try:
            return self.scripts.get_nowait()
        except queue.Empty:
            return answer("Hello from the test.")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    backend = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.backend.calls.append(body)
        self.backend.paths.append(self.path)
        self.backend.next()(self, body)

    def do_GET(self):
        data = [{"id": model, "object": "model", "created": 7, "owned_by": "test"} for model in self.backend.models]
        self.respond(200, {"object": "list", "data": data}, {})

    def respond(self, status, body, headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data))}.items() | {
            name.replace("_", "-"): value for name, value in headers.items()
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def event(self, data):
        piece = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass
