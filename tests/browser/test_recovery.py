"""What a reader sees when the line, the broker or Redis fails: nothing twice, nothing lost in silence."""

import json
import secrets
import signal

import pytest
from selenium.webdriver.common.keys import Keys
from waiting import until


def dividers(page):
    return page.script("return document.querySelectorAll('#log .divider').length")


def waits(page, part=""):
    """What is still to be sent, or a part of that, once it is drawn. It is drawn anew at any time, so a script reads it in one go."""
    return page.script("return document.querySelector(arguments[0])?.textContent ?? ''", f"#log .pending {part}")


def test_a_broker_that_dies_and_comes_back_is_found_again(browser, own_broker):
    page = browser.chat(own_broker)
    page.type("Before the crash", Keys.ENTER)
    page.answer("done", 40)
    own_broker.kill()
    until(lambda: page.phase() != "online", "the page to notice")
    page.type("While it was away", Keys.ENTER)
    until(lambda: "While it was away" in waits(page), "the message to wait")
    page.screenshot(f"reconnecting-{own_broker.mode}")
    own_broker.start()
    page.online(30)
    until(lambda: "While it was away" in page.messages(), "the waiting message to be sent")
    until(lambda: len(page.answers()) == 2 and page.answers()[1]["state"] == "done", "its answer", 40)
    assert page.messages() == ["Before the crash", "While it was away"], "in order, each once"
    divided = page.script("return document.querySelectorAll('#log .divider').length")
    # In memory the conversation died with the program, and the page says so; in Redis it did not.
    assert divided == (1 if own_broker.mode == "memory" else 0)
    page.script("location.reload()")
    page.online()
    kept = ["While it was away"] if own_broker.mode == "memory" else ["Before the crash", "While it was away"]
    until(lambda: page.messages() == kept, "what the own_broker still has")


def test_what_was_missed_is_sent_again_after_the_line_was_cut(browser, own_broker, wire):
    session = secrets.token_hex(8)
    page = browser.chat(wire, session)
    # A history that the cut takes along, or for which Redis is late, is asked for once more.
    until(lambda: page.find("#empty").is_displayed(), "the history to be read")
    own_broker.say(session, "seen live")
    until(lambda: page.messages() == ["seen live"], "the message")
    wire.cut()
    until(lambda: page.phase() != "online", "the page to notice")
    own_broker.say(session, "missed one", "missed two")
    asked = len(browser.commands("history.get"))
    wire.mend()
    page.online(30)
    until(lambda: page.messages() == ["seen live", "missed one", "missed two"], "what was missed")
    assert browser.events("session.ready")[-1]["recovered"] is True
    assert len(browser.commands("history.get")) == asked, "the log was enough: the history is not asked for again"


@pytest.mark.settings(SOPHIE__SESSION__LOG_EVENTS="3")
def test_a_log_that_holds_no_longer_what_was_missed_is_read_anew(browser, own_broker, wire):
    session = secrets.token_hex(8)
    page = browser.chat(wire, session)
    own_broker.say(session, "old")
    until(lambda: page.messages() == ["old"], "the message")
    wire.cut()
    until(lambda: page.phase() != "online", "the page to notice")
    own_broker.say(session, *(f"missed {number}" for number in range(1, 6)))
    wire.mend()
    page.online(30)
    until(lambda: page.messages() == ["missed 3", "missed 4", "missed 5"], "what the log still has")
    first, second = browser.events("session.ready")[0], browser.events("session.ready")[-1]
    assert second["recovered"] is False
    assert second["epoch"] == first["epoch"]
    assert dividers(page) == 0, "it is the same conversation"


def test_a_joined_group_recovers_by_joining_again_from_where_it_was_read(browser, own_broker, wire):
    group = f"team-{secrets.token_hex(3)}"
    page = browser.chat(wire)
    page.join(group)
    own_broker.say("somebody", "seen live", group=group)
    until(lambda: page.messages() == ["seen live"], "the message")
    wire.cut()
    until(lambda: page.phase() != "online", "the page to notice")
    own_broker.say("somebody", "missed one", "missed two", group=group)
    wire.mend()
    page.online(30)
    until(lambda: page.messages() == ["seen live", "missed one", "missed two"], "what was missed in the group")
    again = browser.commands("group.join")[-1]
    assert again["group"] == group
    assert again["since"] == 1
    assert [ack["recovered"] for ack in browser.events("ack") if ack["id"] == again["id"]] == [True]
    own_broker.say("somebody", "and live again", group=group)
    until(lambda: page.messages()[-1] == "and live again", "the group to go on")
    assert page.messages() == ["seen live", "missed one", "missed two", "and live again"]


def test_a_deployment_is_waited_out_as_long_as_the_broker_asks(browser, own_broker):
    page = browser.chat(own_broker)
    page.type("Before", Keys.ENTER)
    page.answer("done", 40)
    own_broker.end()
    until(lambda: page.phase() != "online", "the page to notice")
    page.type("Meanwhile", Keys.ENTER)
    until(lambda: "Waiting to send" in waits(page), "the message to wait")
    own_broker.start()
    page.online(30)
    until(lambda: page.messages()[-1:] == ["Meanwhile"], "the waiting message to be sent")
    browser.collect()
    [(closed_at, closing)] = [entry for entry in browser.heard if entry[1]["type"] == "session.closing"]
    assert (closing["code"], closing["reconnect"]) == (4001, True)
    redialled = next(at for at in browser.dialled if at > closed_at)
    # A browser's timers count whole milliseconds.
    assert redialled - closed_at >= closing["retry_in_ms"] / 1_000 - 0.005
    assert [message for message in page.messages() if message == "Meanwhile"] == ["Meanwhile"]


@pytest.mark.parametrize("own_broker", ["redis"], indirect=True)
def test_a_redis_that_came_back_empty_begins_a_new_log_below_the_old_one(browser, own_broker):
    page = browser.chat(own_broker)
    page.type("Before the loss", Keys.ENTER)
    page.answer("done", 40)
    assert own_broker.redis.do("FLUSHALL").startswith(b"+OK")
    page.type("After the loss", Keys.ENTER)
    page.answer("done", 60, 1)
    page.screenshot("lost-log")
    assert page.messages() == ["Before the loss", "After the loss"], "in order, each once"
    assert dividers(page) == 1
    order = page.script("return [...document.querySelectorAll('#log > *')].map((row) => row.className.split(' ').pop())")
    assert order == ["message", "answer", "divider", "message", "answer"]
    assert page.phase() == "online"
    page.script("location.reload()")
    page.online()
    until(lambda: page.messages() == ["After the loss"], "what Redis has now")


@pytest.mark.parametrize("own_broker", ["redis"], indirect=True)
def test_a_message_that_redis_did_not_confirm_gets_through_once(browser, own_broker):
    page = browser.chat(own_broker)
    page.type("Warm up", Keys.ENTER)
    page.answer("done", 40)
    own_broker.redis.pause()
    try:
        page.type("Through the gap", Keys.ENTER)
        until(lambda: [e for e in browser.events("error") if e["code"] == "store_unavailable"], "the broker to say that Redis is away", 30)
        until(lambda: "cannot keep it" in waits(page), "the page to say so")
        page.screenshot("store-unavailable")
    finally:
        own_broker.redis.go_on()
    until(lambda: page.messages() == ["Warm up", "Through the gap"], "the message to get through", 60)
    page.answer("done", 60, 1)
    sent = {command["id"] for command in browser.commands("message.send") if command["text"] == "Through the gap"}
    assert len(sent) == 1, "sent again with the same id"
    page.script("location.reload()")
    page.online(30)
    until(lambda: page.messages() == ["Warm up", "Through the gap"], "the log to hold it once")
    assert len(page.answers()) == 2


@pytest.mark.parametrize("own_broker", ["redis"], indirect=True)
def test_who_is_here_is_asked_again_after_redis_could_not_say_it(browser, own_broker):
    page = browser.chat(own_broker)
    page.join("a-late-redis", "Ana")
    with own_broker.client("bob") as bob:
        bob.send(json.dumps({"type": "group.join", "id": "join", "group": "a-late-redis"}))
        while json.loads(bob.recv(timeout=10))["type"] != "ack":
            pass
        # The page asks a moment after it has heard of bob.
        own_broker.redis.pause()
        try:
            refused = lambda: [event for event in browser.events("error") if event["code"] == "store_unavailable"]
            until(lambda: refused() or len(page.members()) == 2, "the question to be refused")
        finally:
            own_broker.redis.go_on()
        until(lambda: len(page.members()) == 2, "the two to be shown")


@pytest.mark.parametrize("own_broker", ["memory"], indirect=True)
@pytest.mark.settings(SOPHIE__LIMITS__ENABLED="true", SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE="2", SOPHIE__LIMITS__USER_BURST="1")
def test_nothing_is_sent_while_the_limit_is_used_up(browser, own_broker):
    page = browser.chat(own_broker)
    page.type("One", Keys.ENTER, "Two", Keys.ENTER)
    until(lambda: "This is sent in" in page.find("#log").text, "the second message to wait")
    page.type("Three", Keys.ENTER)
    until(lambda: "Waiting to send" in page.find("#log").text, "the third message to wait")
    assert "limit" in waits(page, ".state")
    page.screenshot(f"limited-{own_broker.mode}")
    page.answer("done", 40)
    assert [command["text"] for command in browser.commands("message.send")] == ["One", "Two"]


@pytest.mark.parametrize("own_broker", ["redis"], indirect=True)
@pytest.mark.settings(SOPHIE__LIMITS__ENABLED="true", SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE="6", SOPHIE__LIMITS__USER_BURST="1")
def test_a_message_over_the_limit_is_sent_as_soon_as_it_may(browser, own_broker):
    page = browser.chat(own_broker)
    page.type("One", Keys.ENTER, "Two", Keys.ENTER)
    until(lambda: page.messages() == ["One", "Two"], "the second message to be taken", 30)
    sent = [command["text"] for command in browser.commands("message.send")]
    assert sent == ["One", "Two", "Two"], "once refused, once taken"


@pytest.mark.parametrize("own_broker", ["memory"], indirect=True)
def test_a_connection_that_died_silently_is_noticed(browser, own_broker):
    page = browser.chat(own_broker)
    own_broker.process.send_signal(signal.SIGSTOP)
    try:
        # The same as looking at the page again: it asks whether the server is still there, and gives it ten seconds.
        page.script("dispatchEvent(new Event('online'))")
        until(lambda: page.phase() != "online", "the page to notice", 20)
    finally:
        own_broker.process.send_signal(signal.SIGCONT)
    page.online(40)
    page.type("Still here?", Keys.ENTER)
    page.underway()
