"""Where tokens are needed: the page asks for one in plain words, and says what is wrong with it."""

import base64
import hashlib
import hmac
import json
import secrets
import time

import pytest
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until

SECRET = "a-secret-of-these-tests-with-32-bytes"


def token(user, seconds=3600, secret=SECRET):
    part = lambda data: base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")
    text = part({"alg": "HS256", "typ": "JWT"}) + b"." + part({"sub": user, "exp": int(time.time()) + seconds, "groups": ["team-*"]})
    mac = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    settings = {"SOPHIE__AUTH__MODE": "jwt", "SOPHIE__AUTH__JWT_SECRET": SECRET}
    with running("memory", tmp_path_factory.mktemp("jwt"), **settings) as broker:
        yield broker


def asked(browser, url):
    page = browser.open(url)
    until(lambda: page.script("return Boolean(document.querySelector('#sign-in:not([hidden])'))"), "the form")
    return page


def problem(page):
    return page.find("#sign-in-problem").text


def test_who_has_no_token_is_asked_for_one_and_nothing_fails(browser, broker):
    page = asked(browser, f"{broker.url}/")
    assert "Paste the token that you were given" in page.find("#sign-in").text
    assert page.find("#status-label").text == "Not signed in"
    assert not page.find("#compose").is_displayed()
    assert page.script("return document.activeElement.id") == "token"
    page.screenshot("sign-in")
    browser.collect()
    assert browser.console == [], "nothing was tried in vain"
    page.find("#sign-in-do").click()
    assert problem(page) == "Paste a token first."
    good = token("ana")
    page.find("#token").send_keys(f"Bearer {good[:40]} {good[40:]}", Keys.ENTER)
    page.online()
    assert not page.find("#sign-in").is_displayed()
    page.type("Hello", Keys.ENTER)
    page.answer("done", 40)
    assert page.script("return document.querySelector('#log .message').dataset.own") == "true"
    # It lasts as long as the tab, and stands nowhere else.
    page.script("location.reload()")
    page.online()
    assert good[:20] not in page.script("return location.href + JSON.stringify(localStorage)")


def test_what_is_wrong_with_a_token_is_said(browser, broker):
    page = asked(browser, f"{broker.url}/")
    page.find("#token").send_keys(token("ana", seconds=-60), Keys.ENTER)
    assert problem(page) == "Your token has expired. Ask for a new one, and paste it here."
    page.find("#token").clear()
    page.find("#token").send_keys(token("ana", secret="x" * 32), Keys.ENTER)
    until(lambda: "This token is not accepted here" in problem(page), "the refusal", 20)
    page.find("#token").clear()
    page.find("#token").send_keys(token("ana"), Keys.ENTER)
    page.online()


def test_a_token_in_the_address_signs_in_and_leaves_it(browser, broker):
    session, good = secrets.token_hex(8), token("ana")
    page = browser.open(f"{broker.url}/#session={session}&token={good}").online()
    assert page.script("return location.hash") == f"#session={session}"
    group = browser.open(f"{broker.url}/#group=team-a&token={good}").online()
    until(lambda: group.title() == "team-a", "the group, without a question for a name")
    assert "token" not in group.script("return location.hash")
    until(lambda: group.members() == ["ana (you)"], "the account's name, once the group is joined")


def test_a_token_that_ends_while_the_page_is_open_is_asked_for_again(browser, broker):
    page = browser.open(f"{broker.url}/#session={secrets.token_hex(8)}&token={token('ana', seconds=12)}").online()
    until(lambda: page.script("return Boolean(document.querySelector('#sign-in:not([hidden])'))"), "the form", 30)
    assert "expired" in problem(page)
    page.find("#token").send_keys(token("ana"), Keys.ENTER)
    page.online()


def test_a_chat_of_somebody_else_says_so(browser, broker):
    session = secrets.token_hex(8)
    page = browser.open(f"{broker.url}/#session={session}&token={token('ana')}").online()
    page.type("Mine", Keys.ENTER)
    page.answer("done", 40)
    other = browser.open(f"{broker.url}/#session={session}&token={token('bob')}")
    until(lambda: "belongs to somebody else" in problem(other), "that it is somebody else's", 20)


def test_the_chats_of_two_accounts_in_one_browser_are_kept_apart(browser, broker):
    page = browser.open(f"{broker.url}/#session={secrets.token_hex(8)}&token={token('ana')}").online()
    page.type("Of Ana alone", Keys.ENTER)
    until(lambda: "Of Ana alone" in page.find("#chats").text, "the chat in the list")
    other = browser.open(f"{broker.url}/#session={secrets.token_hex(8)}&token={token('bob')}").online()
    until(lambda: other.messages() == [], "the page")
    assert "Of Ana alone" not in other.find("#chats").get_attribute("textContent")
