"""Everybody can use the console: axe-core finds nothing serious on any screen, in both languages, light and dark, narrow and wide."""

import json
import secrets

import pytest
from access import look, serious
from broker import running
from console import PARTS, go, quiet, sign_in
from waiting import until

LOOKS = [("en", "light", 1280), ("en", "dark", 360), ("pt", "dark", 768), ("pt", "light", 360)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """With something in each part: who waits, who rates, acts, a group with a talk, somebody whom a limit refused."""
    settings = {"SOPHIE__SESSION__PERSON": "true", "SOPHIE__LIMITS__ENABLED": "true", "SOPHIE__LIMITS__USER_BURST": "4", "SOPHIE__CACHE__ENABLED": "true"}
    with running("memory", tmp_path_factory.mktemp("memory"), **settings) as broker:
        with broker.client("asks") as client:
            commands = [{"type": "group.join", "group": "team"}, {"type": "message.send", "group": "team", "text": "What is an actor?"}]
            commands += [{"type": "message.send", "text": "Hello", "assistant": False} for _ in range(6)]
            commands += [{"type": "person.ask", "group": "team", "text": "My order"}, {"type": "feedback", "rating": 2, "text": "Slow"}, {"type": "feedback", "rating": 5}]
            for n, command in enumerate(commands):
                client.send(json.dumps({"id": f"{n}"} | command))
            ended = 0
            while ended < 1:
                event = json.loads(client.recv(timeout=20))
                ended += event["type"] == "answer.end"
            broker.admin("DELETE", "/groups/team/assistant")
            broker.admin("PUT", "/groups/team/assistant")
            client.send(json.dumps({"id": "again", "type": "person.ask", "group": "team", "text": "My order"}))
            until(lambda: broker.admin("GET", "/waiting")["waiting"], "who waits")
            yield broker


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS)
def test_no_screen_of_the_console_keeps_anybody_out(browser, broker, language, scheme, width):
    page = browser.open(f"{broker.url}/admin")
    page.script("localStorage.setItem('sophie.console.language', arguments[0])", language)
    look(browser, width, scheme)
    page.script("location.reload()")
    until(lambda: page.script("return document.querySelector('#token') !== null"), "the form")
    found = {}

    def seen(screen):
        page.screenshot(f"console-{screen}-{language}-{scheme}-{width}")
        if wrong := serious(page):
            found[screen] = wrong
        wide = page.script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{screen} is {wide} wide"

    seen("sign-in")
    quiet(browser)
    page = sign_in(browser, broker)
    look(browser, width, scheme)
    assert page.script("return document.documentElement.lang").startswith(language)
    for part in (*PARTS, "group/team", "session/asks"):
        go(page, part)
        if part == "limits":
            page.find("input[name=subject]").send_keys("guest:asks")
            page.find("main form button").click()
            until(lambda: page.script("return document.querySelectorAll('main table').length") == 2, "what is left")
        seen(part.replace("/", "-"))
    go(page, "waiting")
    # In one go: the row is made anew whenever its time changes.
    until(lambda: page.script("const it = document.querySelector('td.acts .quiet'); it?.click(); return Boolean(it)"), "a button")
    until(lambda: page.find("dialog").is_displayed(), "the question")
    seen("question")
    page.find("dialog .quiet").click()
    go(page, f"group/nobody-{secrets.token_hex(4)}")
    until(lambda: page.script("return document.querySelector('#trouble') !== null"), "what is wrong")
    seen("trouble")
    assert found == {}, json.dumps(found, indent=1)
