"""What cannot be sent just now waits or stays where it was typed, and a chat is taken away as a file."""

import json
import secrets

import pytest
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until


@pytest.fixture
def downloads(browser, tmp_path):
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    return tmp_path


def test_a_message_over_the_rate_waits_until_it_may_be_sent(browser, tmp_path):
    # One in ten seconds: the second is still to wait when a slow machine comes to take it back.
    limits = {"SOPHIE__LIMITS__ENABLED": "true", "SOPHIE__LIMITS__USER_BURST": "1", "SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE": "6"}
    with running("memory", tmp_path, **limits) as broker:
        page = browser.chat(broker)
        page.type("One", Keys.ENTER, "Two", Keys.ENTER, "Three", Keys.ENTER)
        waits = until(lambda: page.script("return document.querySelector('#log .pending[data-why=rate_limited]')?.textContent"), "a message to wait")
        assert "This is sent in" in waits, waits
        # What waits can be taken back.
        page.script("document.querySelectorAll('#log .pending [data-act=edit]')[0].click()")
        until(lambda: page.find("#composer").get_property("value") == "Two", "the text to be where it was typed")
        until(lambda: page.messages() == ["One", "Three"], "the other to be sent by itself", 30)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_text_that_is_too_long_stays_where_it_was_typed(browser, tmp_path, width):
    with running("memory", tmp_path, SOPHIE__SESSION__MAX_TEXT_CHARS="40") as broker:
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 500})
        page = browser.chat(broker)
        # Forty characters of the server's counting, eighty of JavaScript's.
        page.script("const input = document.querySelector('#composer'); input.value = '🦀'.repeat(40); input.dispatchEvent(new Event('input'))")
        assert page.find("#composer-problem").text == "40 of 40 characters"
        page.type("!", Keys.ENTER)
        problem = "This message is too long: 41 of 40 characters. Shorten it, or send it in parts."
        until(lambda: page.find("#composer-problem").text == problem, "the problem in plain words")
        assert page.script("return document.querySelector('#composer').value") == "🦀" * 40 + "!"
        assert page.script("return document.querySelectorAll('#log .pending').length") == 0, "nothing to retry in vain"
        page.screenshot(f"too-long-{width}")
        page.type(Keys.BACKSPACE, Keys.ENTER)
        until(lambda: page.messages() == ["🦀" * 40], "the shorter one to be sent")


def test_what_the_server_alone_finds_too_long_comes_back_to_where_it_was_typed(browser, tmp_path):
    with running("memory", tmp_path, SOPHIE__SESSION__MAX_TEXT_CHARS="40") as broker:
        page = browser.chat(broker)
        # The limit was lowered after the page was loaded: on a server that is configured otherwise.
        broker.kill()
        broker.start(SOPHIE__SESSION__MAX_TEXT_CHARS="10")
        page.online(30)
        page.type("More than ten characters", Keys.ENTER)
        until(lambda: page.find("#composer").get_property("value") == "More than ten characters", "the text to come back")
        assert "too long for the server" in page.find("#composer-problem").text
        # The log is drawn a frame later than the field.
        until(lambda: page.script("return document.querySelectorAll('#log .pending').length") == 0, "nothing to wait any more")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_a_whole_chat_is_exported_as_markdown_and_as_json(browser, broker, downloads):
    session = secrets.token_hex(8)
    texts = [f"line {number} with *stars*" for number in range(130)]
    broker.say(session, *texts)
    page = browser.chat(broker, session)
    page.type("A question?", Keys.ENTER)
    page.answer("done", 40)
    for kind, extension in [("json", "json"), ("markdown", "md")]:
        page.find(f"#export-{kind}").click()
        until(lambda: (downloads / f"chat_{session}.{extension}").exists(), f"the file of {kind}")
        until(lambda: page.find("#tools-state").text == "The file was handed to your browser.", "that it is said")
    kept = json.loads((downloads / f"chat_{session}.json").read_text())
    assert kept["format"] == "sophie.chat.v1" and kept["group"] == f"chat_{session}"
    said = [event["message"]["text"] for event in kept["events"] if event["type"] == "message"]
    assert said == [*texts, "A question?"], "all of it, in order, each once"
    assert kept["events"][-1]["type"] == "answer.end"
    written = (downloads / f"chat_{session}.md").read_text()
    assert written.startswith("# Sophie\n\n**Guest ") and "line 0 with *stars*" in written
    assert written.index("A question?") < written.index("**Sophie**") < written.index("### A demo answer")
