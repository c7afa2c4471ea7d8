"""A page of CopilotKit in Chromium, on an origin of its own, whose agent is Sophie."""

import contextlib
import functools
import pathlib
import secrets
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ai_backend import Backend, chunk, stream
from broker import Broker
from chromium import Browser
from waiting import until

PAGE = pathlib.Path(__file__).parent / "copilotkit"
TEXT = "Eine märchenhaft schöne Antwort mit vielen Wörtern, bis zum Ende."
# How many runs the page has read to their end.
RUNS_READ = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/ag-ui')).length"
LOADERS = [f"--loader:.{kind}=dataurl" for kind in ("ttf", "woff", "woff2")]


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page, built and served."""
    out = tmp_path_factory.mktemp("page")
    options = ["--bundle", "--format=esm", "--splitting", "--jsx=automatic", '--define:process.env.NODE_ENV="production"', "--log-level=error", f"--outdir={out}"]
    subprocess.run(["node_modules/.bin/esbuild", "page.jsx", *options, *LOADERS], cwd=PAGE, check=True)
    shutil.copy(PAGE / "index.html", out)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=out))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"), None)
    yield browser
    browser.driver.quit()


def test_a_page_shows_the_answers_of_a_thread_and_complains_of_nothing(site, chromium, tmp_path):
    with contextlib.closing(Backend()) as backend:
        settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "sk-of-the-backend"}
        broker = Broker(tmp_path, settings=settings | {"SOPHIE__SERVER__ALLOWED_ORIGINS": site})
        with contextlib.closing(broker):
            broker.start()
            page = chromium.open(f"{site}/index.html?agent={broker.url}/ag-ui&thread={secrets.token_hex(8)}")
            for number, question in enumerate(("Tell me.", "And now?"), 1):
                words = [chunk({"content": TEXT[at : at + 4]}) for at in range(0, len(TEXT), 4)]
                backend.push(stream(*words, chunk({"content": f" {question}"}), chunk({}, "stop"), pause=0.02))
                until(lambda: page.script("return document.querySelector('textarea') !== null"), "the chat", 60)
                page.find("textarea").send_keys(question + "\n")
                until(lambda told=f"{TEXT} {question}": told in page.script("return document.body.innerText"), "the answer", 30)
                # The words come before the end of the run; the broker that goes away before it cuts the run short.
                until(lambda number=number: page.script(RUNS_READ) == number, "the run to be read to its end", 30)
    assert [message["role"] for message in backend.calls[1]["messages"]] == ["system", "user", "assistant", "user"]
    chromium.collect()
    assert chromium.console and not [line for line in chromium.console if line["level"] == "SEVERE"], chromium.console
    assert chromium.strangers() == [], "nobody else is asked for anything"
