"""What pages of other origins, and of names that were rebound to this machine, can do in a real browser."""

import contextlib
import http.server
import threading

import pytest
from broker import running

ASK = """
const [url, key, done] = arguments;
const headers = {"content-type": "application/json", "x-stainless-os": "Linux", "x-stainless-retry-count": "0"};
if (key) headers.authorization = `Bearer ${key}`;
const body = JSON.stringify({model: "m", messages: [{role: "user", content: "Hi"}]});
fetch(url, {method: "POST", headers, body})
  .then(async (answer) => done({status: answer.status, id: answer.headers.get("x-request-id"),
    cache: answer.headers.get("x-sophie-cache"), body: await answer.json()}))
  .catch((error) => done({error: String(error)}));
"""
DIAL = """
const [url, done] = arguments;
const socket = new WebSocket(url);
socket.onmessage = (event) => { socket.close(); done(event.data); };
socket.onerror = () => done(null);
"""


class Blank(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page of its own</title>")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def blank_pages():
    """A server of empty pages; its port. A name of `.rebound.example` leads to it, too."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def pages():
    with blank_pages() as port:
        yield port


def test_a_page_whose_name_was_rebound_reads_and_asks_nothing(browser, tmp_path):
    with running("memory", tmp_path) as broker:
        host = f"evil.rebound.example:{broker.port}"
        # Of one origin with the service, as it is once its name leads here.
        page = browser.open(f"http://{host}/")
        assert "server.hosts" in page.script("return document.body.innerText")
        answer = page.asynchronous(ASK, "/v1/chat/completions", "")
        assert (answer["status"], answer["body"]["error"]["code"]) == (403, "not_allowed"), answer
        assert page.asynchronous(DIAL, f"ws://{host}/ws/chat/s1") is None
        own = browser.open(f"{broker.url}/")
        assert own.asynchronous(ASK, "/v1/chat/completions", "")["status"] == 200
        assert "session.ready" in own.asynchronous(DIAL, f"ws://127.0.0.1:{broker.port}/ws/chat/s1")
        # By the name that every machine has for itself, too.
        assert "session.ready" in browser.open(f"http://localhost:{broker.port}/").asynchronous(DIAL, f"ws://localhost:{broker.port}/ws/chat/s1")


def test_pages_of_allowed_origins_use_the_api_and_read_its_errors(browser, tmp_path, pages):
    allowed = f"http://app.rebound.example:{pages}"
    settings = {"SOPHIE__SERVER__ALLOWED_ORIGINS": allowed, "SOPHIE__AUTH__API_KEYS": "site:k"}
    with running("memory", tmp_path, **settings) as broker:
        url = f"{broker.url}/v1/chat/completions"
        page = browser.open(f"{allowed}/")
        answer = page.asynchronous(ASK, url, "k")
        assert answer["status"] == 200 and answer["id"] and answer["cache"], answer
        assert answer["body"]["choices"][0]["message"]["content"]
        refused = page.asynchronous(ASK, url, "wrong")
        assert (refused["status"], refused["body"]["error"]["code"]) == (401, "invalid_api_key"), refused
        assert refused["id"]
        other = browser.open(f"http://other.rebound.example:{pages}/")
        assert "error" in other.asynchronous(ASK, url, "k")
