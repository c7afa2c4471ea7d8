#!/usr/bin/env python3
"""Takes the pictures of README and of docs/support-case.md anew: the real pages in a real Chromium, with answers that a scripted AI server writes.

`make pictures` runs it. SOPHIE_BIN names the program.
"""

import contextlib
import json
import pathlib
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/parts"))

from ai_backend import Backend, answer, chunk
from broker import running
from chromium import Browser
from selenium.webdriver.common.keys import Keys
from support_case import FIRST, SECOND, TAKEN, Case
from waiting import until

PICTURES = ROOT / "docs/images"
# They are read on a laptop: small enough to be there at once.
LARGEST = 150_000
SESSION = "about-websockets"
QUESTION = "What does nginx need in front of a WebSocket?"
ANSWER = """Three lines, and a time-out that is longer than the pause between two pings:

```nginx
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection "upgrade";
```
"""
NEXT = "And if the connection breaks in the middle of an answer?"
HALF = "Nothing is lost. The client comes back with the number of the last event that it saw, and the server sends what it missed. An answer that is being written goes on meanwhile, and"


def held(text, pause, until_told):
    """A stream that says this word by word, and then waits before it ends."""

    def play(handler, body):
        handler.begin_stream()
        handler.event(json.dumps(chunk({"role": "assistant", "content": ""})))
        for n, word in enumerate(text.split(" ")):
            handler.event(json.dumps(chunk({"content": word if n == 0 else f" {word}"})))
        until_told.wait(pause)
        handler.event(json.dumps(chunk({}, "stop")))
        handler.event("[DONE]")
        handler.end_stream()

    return play


def readme(directory, browser):
    """The page in the middle of an answer."""
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(contextlib.closing(Backend()))
        taken = threading.Event()
        backend.push(answer(ANSWER), held(HALF, 60, taken))
        settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "of-the-pictures"}
        broker = stack.enter_context(running("memory", directory, **settings))
        browser.begin()
        page = browser.chat(broker, SESSION)
        page.type(QUESTION, Keys.ENTER)
        page.answer("done")
        page.type(NEXT, Keys.ENTER)
        until(lambda: len(page.answers()) > 1 and page.answers()[1]["text"].strip().endswith("and"), "half of the second answer")
        page.screenshot("page")
        taken.set()
        page.answer("done", number=1)


def support_case(directory, browser):
    """What tests/browser/test_support_case.py plays, with a picture of each turn."""
    with contextlib.ExitStack() as stack:
        browser.begin()
        case = Case(stack, directory, browser, PICTURES)
        case.greet()
        case.ask(case.alice, *FIRST)
        case.site.screenshot("case-widget")
        case.ask(case.bob, *SECOND)
        case.thumb(case.bob, "bad", 1)
        case.ask_for_a_person()
        case.bob.screenshot("case-waits")
        until(case.queue, "the queue to have it")
        until(lambda: case.console.driver.title.startswith("(1)"), "the menu to count it")
        case.console.screenshot("case-queue")
        case.take_over()
        case.speak(TAKEN)
        case.bob.screenshot("case-person")
        case.hand_back()
        case.open_rating()
        case.bob.screenshot("case-rating")


def main():
    before = set(PICTURES.glob("*.png"))
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = Browser(directory / "chromium", PICTURES)
        stack.callback(browser.driver.quit)
        for take in (readme, support_case):
            (directory / take.__name__).mkdir()
            take(directory / take.__name__, browser)
    for picture in sorted(before | set(PICTURES.glob("*.png"))):
        size = picture.stat().st_size
        assert size < LARGEST, f"{picture} has {size} bytes"
        print(f"{picture.relative_to(ROOT)}: {size} bytes")


if __name__ == "__main__":
    main()
