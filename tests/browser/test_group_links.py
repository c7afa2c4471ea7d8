"""Groups by their links: each browser comes in as itself, under a name that it chose."""

import secrets

import pytest
from selenium.webdriver.common.keys import Keys
from waiting import until


def by_link(browser, at, group, name=None):
    """A page that was opened by a group's link in a browser of its own: nothing is kept of what came before."""
    page = browser.open(f"{at.url}/#group={group}")
    until(lambda: page.script("return Boolean(document.querySelector('#guest-name'))"), "the question for a name")
    if name:
        page.find("#guest-name").send_keys(name, Keys.ENTER)
    else:
        page.find("dialog [data-value=skip]").click()
    page.online()
    until(lambda: page.title() == group, "the group to be shown")
    return page


def test_two_who_come_by_a_link_see_each_other_as_two_with_their_names(browser, broker):
    group = f"team-{secrets.token_hex(3)}"
    ana = by_link(browser, broker, group, "Ana Souza")
    ana.forget()
    jose = by_link(browser, broker, group, "José 李 🦀")
    until(lambda: ana.members() == ["Ana Souza (you)", "José 李 🦀"], f"both names: {ana.members()}")
    until(lambda: sorted(jose.members()) == ["Ana Souza", "José 李 🦀 (you)"], "both names on the other page")
    jose.find("#assistant").click()
    jose.type("Bom dia", Keys.ENTER)
    until(lambda: ana.messages() == ["Bom dia"], "the message to come")
    row = ana.find("#log .message")
    assert (row.get_attribute("data-own"), row.find_element("css selector", ".author").text) == ("false", "José 李 🦀")
    until(lambda: jose.messages() == ["Bom dia"], "the message to be in the log of who said it")
    assert jose.find("#log .message").get_attribute("data-own") == "true"
    ana.type("x")
    until(lambda: jose.find("#typing").text == "Ana Souza is typing…", "the name of who types")
    ana.screenshot(f"group-{broker.mode}")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_the_name_is_asked_once_and_reloading_stays_in_the_group(browser, broker):
    group, other = f"team-{secrets.token_hex(3)}", f"team-{secrets.token_hex(3)}"
    page = by_link(browser, broker, group, "Ana")
    assert page.script("return location.hash") == f"#group={group}"
    page.script("location.reload()")
    page.online()
    # The title stands there before the group is joined, the members come after that.
    until(lambda: page.title() == group and page.members() == ["Ana (you)"], "to be in the group again")
    second = browser.open(f"{broker.url}/#group={other}").online()
    until(lambda: second.title() == other, "the other group, without a question")
    until(lambda: second.members() == ["Ana (you)"], "the same name there")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_in_a_group_the_copied_link_is_the_groups_and_not_ones_own(browser, broker):
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    session, group = secrets.token_hex(8), f"team-{secrets.token_hex(3)}"
    page = browser.chat(broker, session)
    copied = "navigator.clipboard.readText().then(arguments[0])"
    # That word goes away after two seconds: it is noted, so that who looks late has not missed it.
    page.script(
        "window.labels = []; const it = document.querySelector('#share-label');"
        "new MutationObserver(() => labels.push(it.textContent)).observe(it, {childList: true})"
    )
    page.find("#share").click()
    page.find("dialog [data-value=own]").click()
    until(lambda: "Copied" in page.script("return labels"), "the link to be copied")
    assert page.asynchronous(copied) == f"{broker.url}/#session={session}"
    page.join(group, "Ana")
    assert page.script("return location.hash") == f"#group={group}"
    page.find("#share").click()
    until(lambda: page.asynchronous(copied) == f"{broker.url}/#group={group}", "the group's link to be copied")
    assert session not in page.asynchronous(copied)
    page.script("location.reload()")
    page.online()
    # With the members the list of groups is drawn for the last time.
    until(lambda: page.title() == group and page.members(), "to be in the group again")
    page.find("#groups [data-act=select]").click()
    until(lambda: page.script("return location.hash") == f"#session={session}", "the address of one's own chat")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_who_shares_a_chat_of_their_own_starts_a_group_in_which_nobody_learns_its_name(browser, broker):
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    page.find("#share").click()
    assert "writes in it as you" in page.find("dialog").text
    page.screenshot("share")
    page.find("dialog [data-value=group]").click()
    until(lambda: page.script("return Boolean(document.querySelector('#guest-name'))"), "the question for a name")
    link = page.asynchronous("navigator.clipboard.readText().then(arguments[0])")
    assert link.startswith(f"{broker.url}/#group=group-") and session not in link
    page.find("#guest-name").send_keys("Ana", Keys.ENTER)
    group = link.split("group=")[1]
    page.online()
    until(lambda: page.title() == group, "the group")
    page.forget()
    bob = by_link(browser, broker, group, "Bob")
    until(lambda: bob.members() == ["Ana", "Bob (you)"], "both of them")
    browser.collect()
    told = [event for _, event in browser.heard if session in str(event) and event.get("type") != "session.ready"]
    assert not [event for event in told if event.get("group") == group], "the others do not learn the chat's name"
    bob.find("#assistant").click()
    bob.type("Hello", Keys.ENTER)
    until(lambda: page.messages() == ["Hello"], "what Bob says")
    assert page.find("#log .message").get_attribute("data-own") == "false"


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_who_chose_no_name_may_choose_one_later(browser, broker):
    group = f"team-{secrets.token_hex(3)}"
    page = by_link(browser, broker, group)
    until(lambda: page.members() == ["You"], "to be there without a name")
    page.find("#rename").click()
    until(lambda: page.script("return document.activeElement.id") == "guest-name", "the question for a name")
    page.find("#guest-name").send_keys("名" * 40, Keys.ENTER)
    assert page.find("dialog .problem").text == "This name is too long."
    page.find("#guest-name").clear()
    page.find("#guest-name").send_keys("Operator", Keys.ENTER)
    until(lambda: page.phase() == "online" and page.members() == ["Operator (guest) (you)"], "the name, and that it is a guest's")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_a_group_that_cannot_be_joined_is_told_and_the_own_chat_is_shown(browser, broker):
    other = secrets.token_hex(8)
    page = browser.open(f"{broker.url}/#session={secrets.token_hex(8)}&group=chat_{other}").online()
    until(lambda: f"chat_{other} could not be joined" in page.find("#log").text, "that it could not be joined")
    assert page.title() == "This chat"
    assert "group=" not in page.script("return location.hash")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_names_come_through_a_sessions_name_unchanged(browser, broker):
    page = browser.chat(broker)
    names = ["Ana", "Ana Souza", "O'Neil-Smith_2", "José", "Александр Пушкин", "李小龍", "🦀", "a  b ", "x" * 40, "é" * 16]
    seen = page.asynchronous(
        "const [names, done] = arguments;"
        "import('/page/app/guest.js').then(({ nameIn, sessionFor }) =>"
        "  done(names.map((name) => [sessionFor(name), nameIn(sessionFor(name))])))",
        names,
    )
    assert [name for _, name in seen] == ["a b" if name == "a  b " else name for name in names]
    assert all(len(session) <= 64 and session.replace("_", "").replace("-", "").isalnum() and session.isascii() for session, _ in seen), seen
    strange = ["as-Ana", "plain", "as-_ff_fe--0123456789abcdef", "ab-####--0123456789abcdef", "as-_e2_80_aeA--0123456789abcdef"]
    none = page.asynchronous(
        "const [sessions, done] = arguments; import('/page/app/guest.js').then(({ nameIn }) => done(sessions.map(nameIn)))", strange
    )
    assert none == ["", "", "", "", "A"], "what is no name is none, and nothing in one turns the text around"
