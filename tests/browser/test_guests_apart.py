"""A guest's groups and a guest's own chat: two sessions, so that the members of a group never learn what opens the chat."""

import contextlib
import secrets

import pytest
from selenium.webdriver.common.keys import Keys
from waiting import until

# Holds back the commands that join a group until `letIn()` is called.
HELD = """
const send = WebSocket.prototype.send;
const held = [];
let open = false;
WebSocket.prototype.send = function (data) {
  if (!open && typeof data === 'string' && data.includes('"group.join"')) held.push(() => send.call(this, data));
  else send.call(this, data);
};
window.letIn = () => {
  open = true;
  for (const go of held.splice(0)) go();
  return true;
};
window.isHeld = () => held.length > 0;
"""


@contextlib.contextmanager
def at_the_door(page, group):
    """The same tab at a group's link, which waits to join until `letIn()` is called."""
    held = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HELD})
    page.script("location.hash = arguments[0]", f"#group={group}")
    until(lambda: page.script("return window.isHeld?.()"), "the page to be at the door")
    yield
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", held)


def rows(page):
    return page.script("return [...document.querySelectorAll('#groups .name')].map((row) => row.textContent)")


def waits(page):
    """What is still to be sent, once it is drawn."""
    return page.script("return document.querySelector('#log .pending')?.textContent ?? ''")


def known(page, name="Ana"):
    """The browser has a session for groups already."""
    session = f"as-{name}--{secrets.token_hex(8)}"
    page.script("localStorage.setItem('sophie.me', JSON.stringify({session: arguments[0], name: arguments[1]}))", session, name)
    return session


def test_nobody_in_a_group_learns_the_session_of_a_members_own_chat(browser, broker):
    group, session = f"team-{secrets.token_hex(3)}", secrets.token_hex(8)
    ana = browser.chat(broker, session)
    ana.type("Only for me", Keys.ENTER)
    ana.answer("done", 40)
    ana.join(group, "Ana")
    ana.forget()
    bob = browser.chat(broker)
    bob.join(group, "Bob")
    until(lambda: bob.members() == ["Ana", "Bob (you)"], "both of them")
    bob.find("#assistant").click()
    bob.type("Hello", Keys.ENTER)
    until(lambda: ana.messages() == ["Hello"], "what Bob says")
    ana.find("#assistant").click()
    ana.type("Hello Bob", Keys.ENTER)
    until(lambda: bob.messages() == ["Hello", "Hello Bob"], "what Ana says")
    browser.collect()
    assert [event for _, event in browser.heard if event.get("group") == group], "the group was heard"
    assert not [event for _, event in browser.heard if event.get("group") == group and session in str(event)]


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_the_way_leads_from_the_own_chat_into_groups_and_back(browser, broker):
    group, session = f"team-{secrets.token_hex(3)}", secrets.token_hex(8)
    page = browser.chat(broker, session)
    page.type("Mine", Keys.ENTER)
    page.answer("done", 40)
    page.join(group, "Ana")
    assert rows(page) == ["My own chat", group]
    page.screenshot("group-of-a-guest")
    page.find("#groups [data-act=select]").click()
    until(lambda: page.script("return location.hash") == f"#session={session}" and page.phase() == "online", "the own chat")
    until(lambda: page.messages() == ["Mine"], "what was said there")
    # With the members the list of groups is drawn for the last time.
    until(lambda: page.members(), "who is there")
    assert rows(page) == ["This chat", group]
    assert not page.script("return Boolean(document.querySelector('#groups [data-act=leave]'))"), "it is left where it is shown"
    page.find(f"#groups [data-group={group}]").click()
    title = "return document.querySelector('#title')?.textContent"
    # Its title stands there before it is joined, and it can be left after that.
    until(lambda: page.phase() == "online" and page.script(title) == group and page.members(), "the group, without a question")
    page.find(f"#groups [data-group={group}][data-act=leave]").click()
    until(lambda: page.script("return location.hash") == f"#session={session}" and page.phase() == "online", "the own chat")
    until(lambda: rows(page) == ["This chat"], "the group to be gone from the list")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_the_session_for_groups_has_no_chat_of_its_own(browser, broker):
    page = browser.chat(broker)
    session = known(page)
    page = browser.open(f"{broker.url}/#session={session}")
    until(lambda: page.script("return location.hash").startswith("#session=") and page.phase() == "online", "a chat")
    assert session not in page.script("return location.hash"), "others know that name"


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_what_is_said_before_the_group_is_joined_is_said_there_once_it_is(browser, broker):
    group, page = f"team-{secrets.token_hex(3)}", browser.chat(broker)
    session = known(page)
    with at_the_door(page, group):
        assert page.title() == group
        page.find("#assistant").click()
        page.type("First words", Keys.ENTER)
        until(lambda: "First words" in waits(page), "the words to wait")
        assert browser.commands("message.send") == []
        page.script("return window.letIn()")
        until(lambda: page.messages() == ["First words"], "the words to be said")
    assert [command["group"] for command in browser.commands("message.send")] == [group]
    assert broker.admin("GET", f"/groups/{group}/messages")["events"][0]["message"]["author"] == f"guest:{session}"


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_what_was_typed_for_a_group_that_is_refused_stands_where_it_was_typed(browser, broker):
    other, page = f"chat_{secrets.token_hex(8)}", browser.chat(broker)
    known(page)
    with at_the_door(page, other):
        page.type("Is anybody here?", Keys.ENTER)
        page.script("return window.letIn()")
        until(lambda: f"{other} could not be joined" in page.find("#log").text, "that it could not be joined")
    assert page.find("#composer").get_attribute("value") == "Is anybody here?"
    assert rows(page) == ["My own chat", other]
    page.find("#groups [data-act=select]").click()
    until(lambda: other not in page.script("return location.hash") and page.phase() == "online", "a chat of one's own")
    assert rows(page) == ["This chat"], "what could not be joined is not listed"
