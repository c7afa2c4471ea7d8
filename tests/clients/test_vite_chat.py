"""examples/vite-chat in Chromium: `useChat` as it is published, on a page of its own, over two nodes."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import urllib.request

import pytest
from ai_backend import chunk, stream
from broker import ROOT, held_port
from chromium import Browser
from pair import answering
from published import NODE
from waiting import until

EXAMPLE = ROOT / "examples/vite-chat"
SITE = "sk-of-the-site"
TEXT = "Eine märchenhaft schöne Antwort \U0001f600 mit vielen Wörtern, eines nach dem anderen, bis zum Ende. " * 4
WORDS = [chunk({"content": TEXT[at : at + 4]}) for at in range(0, len(TEXT), 4)]


class Site:
    """The page, as `npm run dev` serves it, in front of one node."""

    def __init__(self, node):
        self.held = held_port()
        port = self.held.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [NODE, "node_modules/vite/bin/vite.js", "--host", "127.0.0.1", "--port", str(port), "--strictPort"]
        environment = os.environ | {"SOPHIE_URL": node.url}
        self.process = subprocess.Popen(command, cwd=EXAMPLE, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        until(self.answers, "vite to serve the page", 60)

    def answers(self):
        assert self.process.poll() is None, "vite ended"
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.held.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        nodes = stack.enter_context(answering(tmp_path_factory, SOPHIE__AUTH__API_KEYS=f"django:{SITE}"))
        # One after the other: both prepare the same packages.
        nodes.sites = [stack.enter_context(contextlib.closing(Site(node))) for node in nodes]
        yield nodes


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"), None)
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(chromium):
    yield chromium
    chromium.collect()
    assert chromium.faults() == []
    chromium.begin()


class Chat:
    """The page in one tab."""

    def __init__(self, browser, site, chat):
        self.page = browser.open(f"{site.url}/#{chat}")
        until(lambda: self.page.script("return document.querySelector('main') !== null"), "the page to be drawn", 60)

    def texts(self, role):
        return self.page.script("return [...document.querySelectorAll(`li.${arguments[0]}:not(.waiting)`)].map((it) => it.textContent)", role)

    def answer(self):
        return (self.texts("assistant") or [""])[-1]

    def status(self):
        return self.page.script("return document.querySelector('main').dataset.status")

    def ask(self, text):
        self.page.find("input").send_keys(text + "\n")

    def grows(self, beyond):
        return until(lambda: len(self.answer()) > beyond and self.answer(), f"more than {beyond} characters", 30)

    def leave(self):
        self.page.driver.switch_to.window(self.page.handle)
        self.page.driver.get("about:blank")


def answer_of(node, chat):
    """The id of the answer that is being written."""
    with urllib.request.urlopen(f"{node.url}/api/chat/{chat}/stream", timeout=10) as stream:
        return stream.headers["x-sophie-answer"]


def test_an_answer_is_watched_resumed_and_read_to_its_end_when_all_pages_are_closed(nodes, browser):
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.12))
    calls = len(nodes.backend.calls)
    chat = secrets.token_hex(8)
    watches = Chat(browser, nodes.sites[1], chat)
    asks = Chat(browser, nodes.sites[0], chat)
    asks.ask("Tell me something long.")
    asks.grows(10)
    watches.grows(10)
    assert watches.status() == "streaming"
    watches.page.driver.refresh()
    until(lambda: watches.page.script("return document.querySelector('main') !== null"), "the page to be drawn again", 30)
    watches.grows(30)
    assert watches.texts("user") == ["Tell me something long."]
    assert len(watches.texts("assistant")) == 1, "it goes on where it was"
    answer = answer_of(nodes[1], chat)
    asks.leave()
    watches.leave()
    read = subprocess.run(["curl", "-sN", f"{nodes[1].url}/ds/answers/{answer}?live=sse&offset=-1"], capture_output=True, text=True, timeout=60)
    assert '"streamClosed":true' in read.stdout
    whole = subprocess.run(["curl", "-sf", f"{nodes[0].url}/ds/answers/{answer}"], capture_output=True, timeout=30)
    assert whole.stdout.decode() == TEXT
    assert len(nodes.backend.calls) == calls + 1
    again = Chat(browser, nodes.sites[1], chat)
    # It resumes as every page does, and the answer that has just ended is told to it anew.
    shown = (["Tell me something long."], [TEXT])
    until(lambda: (again.texts("user"), again.texts("assistant")) == shown, "question and answer, each once")


def test_a_stop_on_either_page_ends_the_answer_for_both(nodes, browser):
    for stopper in (0, 1):
        nodes.backend.push(stream(*[chunk({"content": "more "})] * 400, pause=0.05))
        chat = secrets.token_hex(8)
        pages = [Chat(browser, site, chat) for site in nodes.sites]
        pages[0].ask(f"Go on and on, {stopper}.")
        for page in pages:
            page.grows(10)
        pages[stopper].page.find("form button").click()
        for page in pages:
            until(lambda page=page: page.status() == "ready", "the answer to be over", 10)
        assert pages[0].answer().startswith("more more")
        assert pages[0].page.script("return document.querySelector('[role=alert]')") is None


def test_django_stops_an_answer_by_http(nodes, browser):
    nodes.backend.push(stream(*[chunk({"content": "more "})] * 400, pause=0.05))
    chat = secrets.token_hex(8)
    page = Chat(browser, nodes.sites[0], chat)
    page.ask("Go on and on for ever.")
    page.grows(10)
    headers = {"authorization": f"Bearer {SITE}", "content-type": "application/json"}
    request = urllib.request.Request(f"{nodes[1].url}/api/chat/{chat}/stop", b"{}", headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as stopped:
        assert json.load(stopped) == {"success": True}
    until(lambda: page.status() == "ready", "the answer to be over", 10)
    assert page.answer().startswith("more more")
