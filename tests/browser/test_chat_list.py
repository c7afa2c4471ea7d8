"""The chats that a browser has held: found again, searched, removed."""

import secrets

import pytest
from selenium.webdriver.common.keys import Keys
from waiting import until

pytestmark = pytest.mark.parametrize("broker", ["memory"], indirect=True)


def titles(page):
    return page.script("return [...document.querySelectorAll('#chats .name')].map((name) => name.textContent)")


def say(page, text):
    page.type(text, Keys.ENTER)
    until(lambda: text in page.messages(), "the message")


def test_a_new_chat_keeps_the_old_one_in_the_list(browser, broker):
    page = browser.chat(broker)
    assert not page.find("#chats-area").is_displayed(), "nothing was held yet"
    say(page, "Tell me about crabs")
    old = page.script("return location.hash")
    until(lambda: titles(page) == ["Tell me about crabs"], "the chat in the list")
    page.find("#new-chat").click()
    until(lambda: page.script("return location.hash") != old and page.phase() == "online", "the new chat")
    until(lambda: titles(page) == ["Tell me about crabs"], "the old one in the list")
    page.type("And now lobsters,", Keys.SHIFT + Keys.ENTER, Keys.NULL, "please", Keys.ENTER)
    until(lambda: titles(page) == ["And now lobsters, please", "Tell me about crabs"], "the newest first")
    assert page.script("return document.querySelector('#chats [aria-current=page]').textContent") == "And now lobsters, please"
    page.screenshot("chats")
    page.find("#chats li:nth-child(2) a").send_keys(Keys.ENTER)
    until(lambda: page.script("return location.hash") == old and page.phase() == "online", "the old chat")
    until(lambda: page.messages() == ["Tell me about crabs"], "what was said in it")


def test_the_list_is_searched_and_a_chat_is_removed_after_a_question(browser, broker):
    page = browser.chat(broker)
    kept = [{"session": f"s{number}", "title": f"Chat number {number}", "at": number} for number in range(90)]
    page.script("localStorage.setItem('sophie.chats', JSON.stringify(arguments[0])); location.reload()", [*kept, {"session": "../x", "title": "bad"}, 7, None])
    page.online()
    until(lambda: len(titles(page)) == 90, "the list")
    page.find("#chat-search").send_keys("number 8")
    until(lambda: titles(page) == [f"Chat number {number}" for number in range(90) if "8" in str(number)], "what has these words")
    page.find("#chat-search").send_keys("x")
    until(lambda: page.find("#chats-none").text == "No chat has these words.", "that there is none")
    page.find("#chat-search").send_keys(Keys.ESCAPE)
    until(lambda: len(titles(page)) == 90, "the whole list")
    page.find("#chats [data-session=s1][data-act=remove]").click()
    until(lambda: page.find("dialog").is_displayed(), "the question")
    assert "Chat number 1" in page.find("dialog").text
    page.screenshot("remove-chat")
    page.find("dialog").send_keys(Keys.ESCAPE)
    until(lambda: page.script("return document.activeElement.dataset.act") == "remove", "the focus to return")
    assert len(titles(page)) == 90, "nothing was removed"
    page.find("#chats [data-session=s1][data-act=remove]").click()
    page.find("dialog [data-value=yes]").click()
    until(lambda: len(titles(page)) == 89, "it to be gone")
    assert "Chat number 1" not in titles(page)
    assert page.script("return Boolean(document.activeElement.closest('#chats'))"), "the focus stays in the list"
    page.script("localStorage.setItem('sophie.chats', JSON.stringify(arguments[0]))", [kept[number % 90] | {"session": f"t{number}"} for number in range(150)])
    say(page, "One more")
    until(lambda: titles(page)[0] == "One more" and len(titles(page)) == 100, "the list to be bounded")


def test_a_chat_that_is_opened_by_its_link_is_named_after_its_first_words(browser, broker):
    session = secrets.token_hex(8)
    broker.say(session, "The very first words", "Later ones")
    page = browser.chat(broker, session)
    until(lambda: len(page.messages()) == 2, "what was said")
    assert titles(page) == [], "only who says something has it in the list"
    say(page, "Mine")
    until(lambda: titles(page) == ["Mine"], "the chat in the list")
    page.script("location.reload()")
    page.online()
    until(lambda: titles(page) == ["The very first words"], "its first words")
