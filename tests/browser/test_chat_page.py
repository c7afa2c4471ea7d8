"""The chat page, seen by a person: a real Chromium against the real program with its demo backend."""

import json
import re
import secrets
import signal

import pytest
from conftest import Page, until
from selenium.webdriver.common.keys import Keys
from websockets.sync.client import connect

HOSTILE = (
    "<script>window.pwned='script'</script>\n\n"
    "<img src=x onerror=\"window.pwned='onerror'\">\n\n"
    "[click me](javascript:window.pwned='link') <svg onload=\"window.pwned='svg'\"></svg>\n\n"
    "![beacon](https://tracker.example/p.png) <iframe src=\"https://tracker.example/\"></iframe>"
)


def ask(page, text):
    page.type(text, Keys.ENTER)


def test_an_answer_is_seen_growing_and_ends_as_markdown(browser, broker):
    page = browser.chat(broker)
    page.screenshot(f"empty-{broker.mode}")
    assert page.find("#empty").is_displayed()
    ask(page, "What is an actor?")
    lengths = set()

    def ended():
        answers = page.answers()
        if answers:
            lengths.add(len(answers[0]["text"]))
        return answers and answers[0]["state"] == "done"

    until(ended, "the answer to end", 40)
    assert len(lengths) >= 5, f"it came in {len(lengths)} steps: {sorted(lengths)}"
    kinds = page.script(
        "const body = document.querySelector('#log .answer .body');"
        "return ['h1,h2,h3,h4', 'li', 'pre code'].map((kind) => body.querySelectorAll(kind).length)"
    )
    assert all(kinds), f"headings, list items, code blocks: {kinds}"
    assert "What is an actor?" in page.answers()[0]["text"]
    assert page.messages() == ["What is an actor?"]
    assert not page.find("#stop").is_displayed()
    assert page.find("#log .code .copy").is_displayed()
    page.screenshot(f"answered-{broker.mode}")


def test_enter_sends_and_shift_enter_begins_a_new_line(browser, broker):
    page = browser.chat(broker)
    page.type("first", Keys.SHIFT + Keys.ENTER, Keys.NULL, "second")
    assert page.messages() == []
    assert page.find("#composer").get_property("value") == "first\nsecond"
    page.type(Keys.ENTER)
    until(lambda: page.messages() == ["first\nsecond"], "the message to be in the log")
    assert page.find("#composer").get_property("value") == ""
    assert page.script("return document.activeElement.id") == "composer"


def test_hostile_text_stays_inert(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    # From elsewhere, so that it comes over the wire as any member could send it; the demo's answer quotes it as Markdown.
    with connect(f"{broker.url.replace('http', 'ws')}/ws/chat/{session}", subprotocols=["sophie.v1"]) as other:
        other.send(json.dumps({"type": "message.send", "id": "h1", "text": HOSTILE, "assistant": True}))
        page.answer("done", 40)
    assert "<script>" in page.messages()[0], "a message is shown as it was written"
    found = page.script(
        "const log = document.querySelector('#log');"
        "return {dangerous: log.querySelectorAll('script, img, iframe, object, embed, svg:not(.icon)').length,"
        " handlers: [...log.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((n) => n.startsWith('on')),"
        " links: [...log.querySelectorAll('a[href]')].map((a) => [a.protocol, a.target, a.rel])}"
    )
    assert found["dangerous"] == 0
    assert found["handlers"] == []
    for protocol, target, rel in found["links"]:
        assert protocol in ("http:", "https:", "mailto:", "tel:")
        assert (target, rel) == ("_blank", "noopener noreferrer")
    assert page.script("return window.pwned ?? null") is None
    page.screenshot(f"hostile-{broker.mode}")


def test_a_second_tab_sees_everything_live_and_joins_an_answer_midway(browser, broker):
    session = secrets.token_hex(8)
    first = browser.chat(broker, session)
    ask(first, "Shared question")
    before = first.underway(60)
    second = browser.chat(broker, session)
    caught = second.underway(len(before["text"]) // 2)
    assert "Shared question" in second.messages()
    done = second.answer("done", 40)
    assert len(done["text"]) > len(caught["text"])
    assert first.answer("done")["text"] == done["text"]
    second.type("And from here", Keys.ENTER)
    until(lambda: "And from here" in first.messages(), "the first tab to see what the second one said")
    assert first.answer("done", 40, 1)["text"] == second.answer("done", 40, 1)["text"]


@pytest.mark.parametrize("by", ["button", "key"])
def test_stop_ends_the_answer_and_keeps_what_was_written(browser, broker, by):
    page = browser.chat(broker)
    ask(page, f"Stop me by {by}")
    page.underway(30)
    if by == "button":
        page.find("#stop").click()
    else:
        page.type(Keys.ESCAPE)
    cancelled = page.answer("cancelled")
    assert len(cancelled["text"]) >= 30
    assert not page.find("#stop").is_displayed()
    assert "Stopped" in page.find("#log .answer .foot").text
    # Another answer to the same question can be asked for.
    page.find("#log .answer [data-act=retry]").click()
    assert len(page.answer("done", 40, 1)["text"]) > len(cancelled["text"])


def test_a_broker_that_dies_and_comes_back_is_found_again(browser, broker):
    page = browser.chat(broker)
    ask(page, "Before the crash")
    page.answer("done", 40)
    broker.kill()
    until(lambda: page.phase() != "online", "the page to notice")
    page.type("While it was away", Keys.ENTER)
    until(lambda: "While it was away" in page.find("#log .pending").text, "the message to wait")
    page.screenshot(f"reconnecting-{broker.mode}")
    broker.start()
    page.online(30)
    until(lambda: "While it was away" in page.messages(), "the waiting message to be sent")
    until(lambda: len(page.answers()) == 2 and page.answers()[1]["state"] == "done", "its answer", 40)
    assert page.messages() == ["Before the crash", "While it was away"], "in order, each once"
    divided = page.script("return document.querySelectorAll('#log .divider').length")
    # In memory the conversation died with the program, and the page says so; in Redis it did not.
    assert divided == (1 if broker.mode == "memory" else 0)
    again = Page(page.driver, page.handle)
    again.script("location.reload()")
    again.online()
    kept = ["While it was away"] if broker.mode == "memory" else ["Before the crash", "While it was away"]
    until(lambda: again.messages() == kept, "what the broker still has")


def test_a_group_is_joined_shared_and_left(browser, broker):
    first, second = browser.chat(broker), browser.chat(broker)
    for page in (first, second):
        page.find("#join-name").send_keys("team-7", Keys.ENTER)
        until(lambda: page.find("#title").text == "team-7", "the group to be shown")
    page.find("#assistant").click()
    second.type("Hello team", Keys.ENTER)
    until(lambda: "Hello team" in first.messages(), "the message to reach the other member")
    author = first.find("#log .message[data-role=user] .author").text
    assert author.startswith("Guest"), author
    assert first.script("return document.querySelectorAll('#members li').length") == 2
    assert first.answers() == [], "the assistant was not asked"
    first.type("typing")
    until(lambda: "typing" in second.find("#typing").text, "the other member to see that somebody types")
    second.find("#groups [data-group=team-7][data-act=leave]").click()
    until(lambda: second.find("#title").text == "This chat", "to be back home")
    until(lambda: first.script("return document.querySelectorAll('#members li').length") == 1, "the member to be gone")


def test_older_messages_are_fetched_when_scrolled_to_the_top(browser, broker):
    session = secrets.token_hex(8)
    with connect(f"{broker.url.replace('http', 'ws')}/ws/chat/{session}", subprotocols=["sophie.v1"]) as other:
        for number in range(120):
            command = {"type": "message.send", "id": f"m{number}", "text": f"line {number}\nand its second line", "assistant": False}
            other.send(json.dumps(command))
        acks = 0
        while acks < 120:
            acks += json.loads(other.recv(timeout=10))["type"] == "ack"
    page = browser.chat(broker, session)
    until(lambda: len(page.messages()) >= 50, "the newest messages")
    assert "line 119" in page.messages()[-1]
    assert len(page.messages()) < 120

    def all_loaded():
        page.script("document.querySelector('#scroller').scrollTop = 0; document.querySelector('#scroller').dispatchEvent(new Event('scroll'))")
        return len(page.messages()) == 120

    until(all_loaded, "everything to be loaded")
    numbers = [int(re.match(r"line (\d+)", text)[1]) for text in page.messages()]
    assert numbers == list(range(120))
    assert page.find("#jump").is_displayed(), "who reads at the top is not carried off to the end"
    page.find("#jump").click()
    until(lambda: not page.find("#jump").is_displayed(), "to be at the end")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(browser, broker, scheme):
    driver = browser.driver
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    page = browser.chat(broker)
    page.screenshot(f"phone-empty-{scheme}-{broker.mode}")
    ask(page, "x" * 200 + " and a question")
    page.underway()
    page.screenshot(f"phone-running-{scheme}-{broker.mode}")
    page.answer("done", 40)
    wide = page.script(
        "const wide = [];"
        "for (const e of [document.documentElement, document.querySelector('#scroller'), document.querySelector('#log')])"
        "  if (e.scrollWidth > e.clientWidth) wide.push([e.id || e.localName, e.scrollWidth, e.clientWidth]);"
        "return wide"
    )
    assert wide == []
    background = page.script("return getComputedStyle(document.body).backgroundColor")
    bright = sum(int(part) for part in re.findall(r"\d+", background)[:3]) > 380
    assert bright == (scheme == "light"), background
    page.screenshot(f"phone-answered-{scheme}-{broker.mode}")
    page.find("#panel-toggle").click()
    until(lambda: page.find("#panel").is_displayed() and page.script("return document.activeElement.id") == "panel-close", "the drawer")
    page.script("return Promise.all(document.getAnimations().map((a) => a.finished)).then(() => 0)")
    page.screenshot(f"phone-groups-{scheme}-{broker.mode}")
    page.find("#panel-close").send_keys(Keys.ESCAPE)
    until(lambda: page.script("return document.activeElement.id") == "panel-toggle", "the focus to return")


def test_the_switch_between_light_and_dark_is_remembered(browser, broker):
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
    page = browser.chat(broker)
    page.find("#theme").click()
    assert page.script("return getComputedStyle(document.documentElement).colorScheme") == "dark"
    ask(page, "How does it look in the dark?")
    page.answer("done", 40)
    page.screenshot(f"dark-{broker.mode}")
    page.script("location.reload()")
    page.online()
    assert page.script("return getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_new_chat_has_an_address_of_its_own(browser, broker):
    page = browser.chat(broker)
    old = page.script("return location.hash")
    ask(page, "Old chat")
    until(lambda: page.messages() == ["Old chat"], "the message")
    page.find("#new-chat").click()
    until(lambda: page.script("return location.hash") != old and page.phase() == "online", "the new chat")
    until(lambda: page.messages() == [], "it to be empty")
    page.script("history.back()")
    until(lambda: page.script("return location.hash") == old and page.phase() == "online" and page.messages() == ["Old chat"], "the old chat")


def test_a_refused_message_can_be_sent_again(browser, broker):
    broker.kill()
    broker.start(SOPHIE__LIMITS__ENABLED="true", SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE="30", SOPHIE__LIMITS__USER_BURST="1")
    page = browser.chat(broker)
    page.type("One", Keys.ENTER, "Two", Keys.ENTER)
    until(lambda: page.script("return document.querySelector('#log .pending')?.dataset.state") == "failed", "the refusal")
    assert page.find("#log .pending .problem").text
    page.screenshot(f"refused-{broker.mode}")
    retry = page.find("#log .pending [data-act=retry]")
    until(lambda: retry.is_enabled(), "the time to come back", 20)
    retry.click()
    until(lambda: page.messages() == ["One", "Two"], "the message to be taken", 20)


def test_the_page_is_served_with_a_strict_policy(browser, broker):
    page = browser.chat(broker)
    headers = page.script(
        "return fetch(location.href, {cache: 'no-store'}).then((answer) => Object.fromEntries(answer.headers))"
    )
    policy = headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert page.script("try { document.body.innerHTML = '<b>x</b>'; return 'allowed' } catch { return 'refused' }") == "refused"
    # That refusal was ours: the console may tell of it.
    browser.collect()
    browser.console.clear()


def test_a_connection_that_died_silently_is_noticed(browser, broker):
    page = browser.chat(broker)
    broker.process.send_signal(signal.SIGSTOP)
    try:
        # The same as looking at the page again: it asks whether the server is still there, and gives it ten seconds.
        page.script("dispatchEvent(new Event('online'))")
        until(lambda: page.phase() != "online", "the page to notice", 20)
    finally:
        broker.process.send_signal(signal.SIGCONT)
    page.online(40)
    ask(page, "Still here?")
    page.underway()


def test_deltas_are_put_together_by_characters_not_by_utf_16_units(browser, broker):
    page = browser.chat(broker)
    texts = page.script(
        "return import('/page/app/answer.js').then(({ Answer }) => {"
        "  const answer = new Answer({ answer: 'a', group: 'g', message: 'm' });"
        "  const seen = [];"
        "  for (const [offset, text] of [[0, '🦀 a'], [3, 'b'], [2, 'ab🦀c'], [0, '🦀'], [9, 'hole'], [6, '!']]) {"
        "    answer.delta(offset, text);"
        "    seen.push(answer.text);"
        "  }"
        "  answer.resume('🦀🦀');"
        "  answer.delta(1, '🦀x');"
        "  return [...seen, answer.text];"
        "})"
    )
    assert texts == ["🦀 a", "🦀 ab", "🦀 ab🦀c", "🦀 ab🦀c", "🦀 ab🦀c", "🦀 ab🦀c!", "🦀🦀x"]
