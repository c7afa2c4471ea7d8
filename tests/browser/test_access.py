"""Everybody can use it: axe-core finds nothing serious on any screen, in light and dark, narrow and wide, in both languages."""

import json
import secrets

import pytest
from access import look, serious
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until

# Each language on the narrowest and the widest; what colours and widths do to all else is the same in both.
@pytest.mark.parametrize(
    ("language", "looks"),
    [("en", [(360, "light"), (768, "light"), (768, "dark"), (1280, "dark")]), ("pt", [(360, "dark"), (1280, "light")])],
    ids=["en", "pt"],
)
def test_no_screen_of_a_chat_keeps_anybody_out(browser, tmp_path, language, looks):
    with running("memory", tmp_path, SOPHIE__PAGE__LANGUAGE=language) as broker:
        page = browser.chat(broker)
        page.script("localStorage.setItem('sophie.chats', JSON.stringify(arguments[0]))", [{"session": f"s{n}", "title": f"Chat {n}", "at": n} for n in range(8)])
        page.script("location.reload()")
        page.online()
        found = {}

        def seen(screen):
            page.asynchronous("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
            page.screenshot(f"{screen}-{language}-{width}-{scheme}")
            if wrong := serious(page):
                found[f"{screen} {width} {scheme}"] = wrong
            sideways = page.script("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not sideways, f"{screen} {width} scrolls sideways"

        for said in (False, True):
            if said:
                page.type("What is an actor?", Keys.ENTER)
                page.answer("done", 60)
            for width, scheme in looks:
                look(browser, width, scheme)
                seen("answered" if said else "empty")
                if not said:
                    continue
                narrow = page.find("#panel-toggle").is_displayed()
                if narrow:
                    page.find("#panel-toggle").click()
                    until(lambda: page.find("#panel").is_displayed(), "the panel")
                seen("panel")
                page.find("#chats [data-act=remove]").click()
                until(lambda: page.find("dialog").is_displayed(), "the question")
                seen("question")
                page.find("dialog").send_keys(Keys.ESCAPE)
                if narrow:
                    page.find("#panel-close").click()
        page.script("localStorage.clear()")
        page = browser.open(f"{broker.url}/#group=team-{secrets.token_hex(3)}")
        until(lambda: page.script("return Boolean(document.querySelector('#guest-name'))"), "the question for a name")
        seen("name")
        assert found == {}, json.dumps(found, indent=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_to_sign_in_keeps_nobody_out(browser, tmp_path, scheme):
    settings = {"SOPHIE__AUTH__MODE": "jwt", "SOPHIE__AUTH__JWT_SECRET": secrets.token_hex(16)}
    with running("memory", tmp_path, **settings) as broker:
        look(browser, 360, scheme)
        page = browser.open(f"{broker.url}/")
        until(lambda: page.script("return Boolean(document.querySelector('#sign-in:not([hidden])'))"), "the form")
        page.find("#sign-in-do").click()
        page.screenshot(f"sign-in-{scheme}")
        assert serious(page) == []


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_a_screen_that_keeps_somebody_out_is_found(browser, broker):
    page = browser.chat(broker)
    page.script("document.querySelector('#theme').removeAttribute('aria-label'); document.querySelector('#theme').removeAttribute('title')")
    assert [rule for rule, _ in serious(page)] == ["button-name"]
