"""What operators and other programs do, as the page shows it."""

import re
import secrets

import pytest
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until

HOSTILE = (
    "<script>window.pwned='script'</script>\n\n"
    "<img src=x onerror=\"window.pwned='onerror'\">\n\n"
    "[click me](javascript:window.pwned='link') <svg onload=\"window.pwned='svg'\"></svg>\n\n"
    "![beacon](https://tracker.example/p.png) <iframe src=\"https://tracker.example/\"></iframe>\n\n"
    "[fine](https://docs.example/)"
)


@pytest.mark.parametrize("language", ["pt", "en"])
def test_why_a_connection_ended_is_told_in_the_language_of_the_page(browser, tmp_path, language):
    with running("memory", tmp_path, SOPHIE__PAGE__LANGUAGE=language, SOPHIE__SERVER__MAX_CONNECTIONS="1") as broker:
        session = secrets.token_hex(8)
        page = browser.chat(broker, session)
        second = browser.open(f"{broker.url}/#session={secrets.token_hex(8)}")
        full = {"pt": "O servidor não está aceitando ninguém agora. Suas mensagens", "en": "This service has as many connections as it takes. Your messages"}[language]
        until(lambda: second.find("#banner-text").text.startswith(full), f"that there is no place: {full}", 20)
        second.script("location.replace('about:blank')")
        broker.admin("DELETE", f"/sessions/{session}")
        closed = {"pt": "Um operador fechou esta conversa.", "en": "Closed by an operator."}[language]
        until(lambda: page.find("#banner-text").text == closed, f"who closed it: {closed}")
        page.screenshot(f"closed-{language}")


def test_a_session_that_an_operator_closed_says_so_and_stays_closed(browser, broker):
    session = secrets.token_hex(8)
    first, second = browser.chat(broker, session), browser.chat(broker, session)
    first.type("Said before", Keys.ENTER)
    first.answer("done", 40)
    assert broker.admin("DELETE", f"/sessions/{session}")["closed"] == 2
    for page in (first, second):
        until(lambda: page.phase() == "stopped", "the page to stop")
        assert "operator" in page.find("#banner-text").text
    first.screenshot(f"closed-by-operator-{broker.mode}")
    # What may come back by itself would have come by now: its first try is within half a second.
    browser.collect()
    dialled = len(browser.dialled)
    first.script("dispatchEvent(new Event('online'))")
    first.script("return new Promise((resolve) => setTimeout(resolve, 1500))")
    browser.collect()
    assert len(browser.dialled) == dialled, "it does not connect by itself"
    first.find("#reconnect").click()
    first.online()
    until(lambda: first.messages() == ["Said before"], "the conversation to be there still")
    assert not first.find("#banner").is_displayed()


def test_an_operator_speaks_to_a_conversation(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    broker.admin("POST", f"/groups/chat_{session}/messages", {"text": "We restart at **noon**."})
    row = until(lambda: page.script("return document.querySelector('#log [data-role=operator]')"), "the operator's message")
    assert "Operator" in row.text
    assert page.script("return arguments[0].querySelector('strong')?.textContent", row) == "noon"
    page.screenshot(f"operator-{broker.mode}")


def test_hostile_markdown_stays_inert(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    broker.admin("POST", f"/groups/chat_{session}/messages", {"text": HOSTILE})
    until(lambda: page.messages(), "the message")
    found = page.script(
        "const log = document.querySelector('#log');"
        "return {dangerous: log.querySelectorAll('script, img, iframe, object, embed, svg:not(.icon)').length,"
        " handlers: [...log.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((n) => n.startsWith('on')),"
        " links: [...log.querySelectorAll('a[href]')].map((a) => [a.href, a.target, a.rel])}"
    )
    assert found["dangerous"] == 0
    assert found["handlers"] == []
    safe = ["_blank", "noopener noreferrer"]
    assert found["links"] == [["https://tracker.example/p.png", *safe], ["https://docs.example/", *safe]], "pictures are links, scripts none"
    assert "<script>" in page.messages()[0], "HTML is shown as what was written"
    assert page.script("return window.pwned ?? null") is None
    page.screenshot(f"hostile-markdown-{broker.mode}")


def test_an_applications_event_is_shown_as_a_note(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    broker.admin("POST", f"/groups/chat_{session}/messages", {"event": {"type": "order.shipped", "text": "<b>42</b>"}})
    note = until(lambda: page.script("return document.querySelector('#log .note')"), "the note")
    page.find("#log .note summary").click()
    assert re.search(r'"type": "order.shipped"', note.text)
    assert "<b>42</b>" in note.text
    assert not page.find("#empty").is_displayed()
    page.screenshot(f"event-{broker.mode}")


def test_a_group_that_an_operator_ended_is_left(browser, broker):
    group = f"team-{secrets.token_hex(3)}"
    page = browser.chat(broker)
    page.join(group)
    broker.admin("DELETE", f"/groups/{group}")
    # By a script alone: the page loads anew, and an element that was found before would be none of it any more.
    title = "return document.querySelector('#title')?.textContent"
    until(lambda: page.phase() == "online" and page.script(title) == "This chat", "to be back home")
    until(lambda: f"You are no longer in the group {group}." in page.find("#log").text, "that it is told")
    assert group not in page.find("#groups").text
    page.script("location.reload()")
    page.online()
    until(lambda: page.title() == "This chat", "the same chat")
    assert "no longer" not in page.find("#log").text, "it is told once"
