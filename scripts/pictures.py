#!/usr/bin/env python3
"""Takes the pictures of README anew: the real page in a real Chromium, in the middle of an answer that a scripted AI server writes.

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
from waiting import until

# A picture in README is read on a laptop: small enough to be there at once.
LARGEST = 200_000
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


def main():
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        backend = stack.enter_context(contextlib.closing(Backend()))
        taken = threading.Event()
        backend.push(answer(ANSWER), held(HALF, 60, taken))
        settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "of-the-pictures"}
        broker = stack.enter_context(running("memory", directory, **settings))
        browser = Browser(directory / "chromium", ROOT / "docs/images")
        stack.callback(browser.driver.quit)
        browser.begin()
        page = browser.chat(broker, SESSION)
        page.type(QUESTION, Keys.ENTER)
        page.answer("done")
        page.type(NEXT, Keys.ENTER)
        until(lambda: len(page.answers()) > 1 and page.answers()[1]["text"].strip().endswith("and"), "half of the second answer")
        page.screenshot("page")
        taken.set()
    picture = ROOT / "docs/images/page.png"
    size = picture.stat().st_size
    assert size < LARGEST, f"{picture} has {size} bytes"
    print(f"{picture.relative_to(ROOT)}: {size} bytes")


if __name__ == "__main__":
    main()
