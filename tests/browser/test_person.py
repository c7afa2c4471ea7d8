"""People beside the assistant: one takes over and hands back, one is asked for, and what is thought of the answers."""

import secrets

import pytest
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until


@pytest.fixture(scope="module", params=["memory", "redis"])
def broker(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp(request.param), SOPHIE__SESSION__PERSON="true") as broker:
        yield broker


def strip(page):
    return page.script("const strip = document.querySelector('#standing'); return strip.hidden ? '' : strip.textContent")


def notes(page):
    return page.script("return [...document.querySelectorAll('#log .note')].map((note) => note.textContent)")


def test_a_person_who_takes_over_is_seen_and_so_is_handing_back(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    broker.admin("DELETE", f"/groups/chat_{session}/assistant")
    until(lambda: strip(page) == "A person is answering now.", "that a person took over")
    assert notes(page) == ["A person is answering now."]
    page.type("Is somebody there?", Keys.ENTER)
    until(lambda: page.messages() == ["Is somebody there?"], "the message")
    broker.admin("POST", f"/groups/chat_{session}/messages", {"text": "Yes, I am."})
    until(lambda: page.messages()[-1].strip() == "Yes, I am.", "the person's answer")
    page.screenshot(f"person-{broker.mode}")
    # Who comes later is told as well.
    later = browser.chat(broker, session)
    until(lambda: strip(later) == "A person is answering now.", "that a person is answering")
    broker.admin("PUT", f"/groups/chat_{session}/assistant")
    for each in (page, later):
        until(lambda: strip(each) == "" and "Sophie is answering again." in notes(each), "that the assistant is back")
    page.type("And now?", Keys.ENTER)
    page.answer("done", 40)


def test_a_person_is_asked_for_once_and_the_queue_has_it(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    page.find("#ask-person").click()
    until(lambda: page.find("dialog").is_displayed(), "the question")
    page.find("#person-text").send_keys("My order")
    page.screenshot(f"ask-person-{broker.mode}")
    page.find("dialog [data-value=yes]").click()
    until(lambda: "A person was asked for" in strip(page), "that one was asked for")
    assert not page.find("#ask-person").is_displayed(), "once is enough"
    waiting = [one for one in broker.admin("GET", "/waiting")["waiting"] if one["group"] == f"chat_{session}"]
    assert [one["text"] for one in waiting] == ["My order"]
    page.script("location.reload()")
    page.online()
    until(lambda: "A person was asked for" in strip(page), "that it still waits")
    broker.admin("DELETE", f"/waiting/chat_{session}")
    until(lambda: strip(page) == "" and page.find("#ask-person").is_displayed(), "that it waits no more")
    assert "The request for a person was closed." in notes(page)


def test_answers_get_thumbs_and_the_chat_a_rating_with_words(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    page.type("What is an actor?", Keys.ENTER)
    page.answer("done", 40)
    pressed = lambda: page.script("return [...document.querySelectorAll('#log .thumb')].map((thumb) => thumb.getAttribute('aria-pressed'))")
    page.find("#log .thumb[data-act=good]").click()
    until(lambda: pressed() == ["true", "false"], "the thumb up")
    page.find("#log .thumb[data-act=bad]").click()
    until(lambda: pressed() == ["false", "true"], "the thumb down")
    page.find("#rate").click()
    until(lambda: page.find("dialog").is_displayed(), "the question")
    page.find("dialog [data-value=yes]").click()
    assert page.find("dialog .problem").text == "Choose a number from 1 to 5."
    page.find("dialog [value='4']").click()
    page.find("#rating-text").send_keys("Quick, <b>kind</b>")
    page.screenshot(f"rate-{broker.mode}")
    page.find("dialog [data-value=yes]").click()
    until(lambda: page.find("#tools-state").text == "Thank you for the rating.", "the thanks")
    told = broker.admin("GET", f"/feedback?session={session}")["feedback"]
    assert sorted((one.get("rating"), one.get("text")) for one in told) == [(-1, None), (4, "Quick, <b>kind</b>")], told
    page.script("location.reload()")
    page.online()
    until(lambda: pressed() == ["false", "true"], "the thumb, still down")


def test_without_the_setting_nobody_can_be_asked_for(browser, tmp_path):
    with running("memory", tmp_path) as broker:
        page = browser.chat(broker)
        assert not page.find("#ask-person").is_displayed()
