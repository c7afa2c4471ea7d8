"""Where a script plays: it asks for what is to be done from outside, and a browser gets its pages here."""

import http.server
import json
import threading


class Stage:
    """A server of its own. `acts` maps a word to what is done: of `"cut"` and of `{"say": […], …}` alike the first word counts."""

    def __init__(self, files):
        self.files = files
        self.acts = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"stage": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def act(self, what):
        if isinstance(what, str):
            return self.acts[what]()
        word, value = next(iter(what.items()))
        return self.acts[word](value, **{name: more for name, more in what.items() if name != word})

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    stage = None

    def do_POST(self):
        what = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            self.respond(200, "application/json", json.dumps(self.stage.act(what)).encode())
        except BaseException as fault:  # A failed wait of pytest's is no Exception; whoever asked is told of it.
            self.respond(500, "application/json", json.dumps(repr(fault)).encode())

    def do_GET(self):
        found = self.stage.files.get(self.path.split("?")[0])
        if found is None:
            self.respond(404, "text/plain", b"")
        else:
            kind, content = found
            self.respond(200, kind, content() if callable(content) else content)

    def respond(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
