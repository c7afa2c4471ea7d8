"""What a model thinks, as the page shows it: folded away, above the answer, and still there after a reload."""

import json
import re
import threading
import time

import pytest
from ai_backend import chunk
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until


@pytest.fixture(scope="module")
def broker(backend, tmp_path_factory):
    settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "k", "SOPHIE__AI__MODEL": "test-model"}
    with running("memory", tmp_path_factory.mktemp("reasoning"), **settings) as broker:
        yield broker


def thoughts(page):
    return page.script(
        "const it = document.querySelector('#log .answer .thoughts');"
        "return it && !it.hidden ? {open: it.open, title: it.querySelector('summary').textContent, text: it.querySelector('.prose').textContent.trim(),"
        " bold: it.querySelectorAll('strong').length, live: it.getAttribute('aria-live')} : null"
    )


def test_thoughts_are_folded_say_how_long_they_took_and_outlast_a_reload(browser, broker, backend):
    first, second, third = threading.Event(), threading.Event(), threading.Event()

    def thinking(handler, body):
        handler.begin_stream()
        for wait, delta in (
            (None, {"role": "assistant", "reasoning_content": "I **must** "}),
            (first, {"reasoning_content": "look <b>twice</b>."}),
            (second, {"content": "It is so."}),
        ):
            if wait:
                wait.wait(20)
            handler.event(json.dumps(chunk(delta)))
        third.wait(20)
        handler.event(json.dumps(chunk({}, "stop")))
        handler.event("[DONE]")
        handler.end_stream()

    backend.push(thinking)
    page = browser.chat(broker)
    began = time.monotonic()
    page.type("Is it so?", Keys.ENTER)
    until(lambda: thoughts(page), "the model to think")
    assert thoughts(page) == {"open": False, "title": "Thinking…", "text": "", "bold": 0, "live": "off"}, "folded, and nothing is drawn"
    page.find(".thoughts summary").click()
    until(lambda: thoughts(page)["text"] == "I must", "what it has thought so far")
    threading.Timer(1.6, first.set).start()
    until(lambda: thoughts(page)["text"] == "I must look <b>twice</b>.", "the rest of it, and HTML is text")
    assert thoughts(page)["bold"] == 1
    second.set()
    until(lambda: thoughts(page)["title"].startswith("Thought for "), "the time that it took")
    page.screenshot("reasoning")
    third.set()
    page.answer("done")
    most = time.monotonic() - began
    told = thoughts(page)["title"]
    # From the first thought to the last: at least as long as the timer, and no longer than all of that took here.
    seconds = re.fullmatch(r"Thought for (\d+) s", told)
    assert seconds and 2 <= int(seconds[1]) <= most + 1, f"{told}, of {most} s"
    body = page.script("return document.querySelector('#log .answer .body').textContent.trim()")
    assert body == "It is so.", "it is no part of the answer"
    said = page.script("return document.querySelector('#announcer').textContent")
    assert "twice" not in said, "it is not read out"
    page.script("location.reload()")
    page.online()
    until(lambda: thoughts(page), "the thoughts to be there again")
    assert (thoughts(page)["title"], thoughts(page)["open"]) == (told, False)


def test_an_answer_without_thoughts_shows_none(browser, broker):
    page = browser.chat(broker)
    page.type("Hello", Keys.ENTER)
    page.answer("done")
    assert thoughts(page) is None
