"""The chat in a corner of somebody else's site: a real Chromium, a site of another origin under a strict Content-Security-Policy."""

import contextlib
import json
import secrets
import subprocess
import tomllib

import pytest
from broker import PROGRAM, running
from pages import block, blocks
from selenium.webdriver.common.keys import Keys
from shop import Shop, Visit, visit
from test_access import look, serious
from waiting import until

JWT = {"SOPHIE__AUTH__MODE": "jwt", "SOPHIE__AUTH__JWT_SECRET": secrets.token_hex(16)}


@contextlib.contextmanager
def shop_of(directory, settings=None, ancestors=True, **of_shop):
    """A broker, and a site with its widget that it lets frame its page, or does not."""
    with Shop(**of_shop) as shop:
        allowed = {"SOPHIE__SERVER__FRAME_ANCESTORS": shop.url} if ancestors else {}
        with running("memory", directory, **allowed, **(settings or {})) as broker:
            shop.broker = broker
            yield broker, shop


def token(directory, user, ttl):
    made = subprocess.run([PROGRAM, "token", "--user", user, "--ttl", ttl], env=JWT, capture_output=True, text=True, check=True, cwd=directory)
    return made.stdout.strip()


def seen(page, name):
    page.asynchronous("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    page.screenshot(name)


def expanded(page):
    return page.launcher.get_attribute("aria-expanded")


@pytest.mark.parametrize(("language", "scheme", "position"), [("en", "light", "bottom-right"), ("pt-BR", "dark", "bottom-left")], ids=["en", "pt"])
def test_a_visitor_opens_it_asks_and_closes_it_at_every_width(browser, tmp_path, language, scheme, position):
    label = {"en": "Chat", "pt-BR": "Conversa"}[language]
    with shop_of(tmp_path, language=language, position=position) as (broker, shop):
        for width in (360, 768, 1280):
            page = visit(browser, f"{shop.url}/")
            # A tab is looked at in its own way, from its next page on.
            look(browser, width, scheme)
            page.script("sessionStorage.clear(); location.reload()")
            until(lambda: page.script("return innerWidth") == width and page.launcher, "the page at that width")
            assert page.part("iframe") is None, "the frame is loaded when it is opened"
            assert (page.launcher.get_attribute("aria-label"), expanded(page)) == (label, "false")
            seen(page, f"widget-closed-{language}-{width}")
            assert serious(page) == []
            page.script("document.querySelector('#own').focus()")
            page.launcher.click()
            chat = page.chat.online()
            assert expanded(page) == "true"
            frame = page.part("iframe")
            assert frame.get_attribute("title") == label and page.part("dialog[open]").get_attribute("aria-label") == label
            until(lambda: page.focus() == "iframe", "the focus to go into the frame")
            until(lambda: chat.script("return document.hasFocus()"), "the frame to have it")
            sizes = page.script(f"const box = document.querySelector('sophie-chat').shadowRoot.querySelector('dialog').getBoundingClientRect(); return [box.width, box.height, innerWidth, innerHeight]")
            assert (sizes[:2] == sizes[2:]) == (width == 360), f"the whole screen on a phone, and there alone: {sizes}"
            before = len(chat.answers())
            chat.type("What is an actor?", Keys.ENTER)
            chat.answer("done", 60, before)
            seen(page, f"widget-open-{language}-{width}")
            assert serious(page) == [] and serious(chat) == []
            assert not chat.script("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert [name for name in ("#share", "#theme", "#chats-area", "#groups") if chat.find(name).is_displayed()] == []
            chat.find("#composer").send_keys(Keys.ESCAPE)
            until(lambda: expanded(page) == "false", "Escape to close it")
            until(lambda: page.focus() == "launcher", "the focus to come back")
            page.launcher.send_keys(Keys.ENTER)
            until(lambda: page.focus() == "iframe", "to be opened by the keyboard")
            chat.find("#embed-close").click()
            until(lambda: expanded(page) == "false" and page.focus() == "launcher", "its button to close it")


def test_what_comes_while_it_is_closed_is_counted_on_the_page_and_on_the_next(browser, tmp_path):
    group = f"team-{secrets.token_hex(3)}"
    with shop_of(tmp_path, group=group, name="Ana Souza", label="Talk to us", color="#ffd400") as (broker, shop):
        other = secrets.token_hex(8)
        page = visit(browser, f"{shop.url}/")
        assert page.launcher.get_attribute("aria-label") == "Talk to us"
        chat = page.opened()
        until(lambda: chat.script("return document.querySelector('#title').textContent") == group, "the group")
        broker.say(other, "Before", group=group)
        until(lambda: chat.messages() == ["Before"], "a message while it is open")
        page.launcher.click()
        until(lambda: expanded(page) == "false", "to be closed")
        # The frame is told by a message of its own way, which what the broker sends may overtake.
        hidden = "const done = arguments[0]; import('/page/app/embed.js').then(({ embed }) => done(!embed.visible))"
        until(lambda: chat.asynchronous(hidden), "the frame to know that it is closed")
        broker.say(other, "One", "Two", group=group)
        until(lambda: page.part(".badge").text == "2", "two new messages")
        assert page.launcher.get_attribute("aria-label") == "Talk to us, 2 new messages"
        assert page.part("[role=status].said").get_property("textContent") == "2 new messages"
        seen(page, "widget-badge")
        assert serious(page) == []
        page.find("#next").click()
        broker.say(other, "Three", group=group)
        until(lambda: page.part(".badge") and page.part(".badge").text == "3", "what came before the change and after it")
        assert not page.part("dialog[open]")
        assert page.focus() in ("body", "next"), "nobody who comes to a page is taken away from it"
        chat = page.opened()
        until(lambda: chat.messages() == ["Before", "One", "Two", "Three"], "all of them")
        assert not page.part(".badge").is_displayed() and page.launcher.get_attribute("aria-label") == "Talk to us"
        until(lambda: "Ana Souza (you)" in chat.members(), "the visitor among the members")


def test_members_of_a_group_do_not_learn_the_name_of_a_visitors_own_chat(browser, tmp_path):
    group = f"team-{secrets.token_hex(3)}"
    with shop_of(tmp_path, group=group, name="Ana") as (broker, shop):
        page = visit(browser, f"{shop.url}/")
        page.opened()
        named = lambda: {row["session"]: row for row in broker.admin("GET", "/sessions")["sessions"]}  # noqa: E731
        (known,) = until(named, "its session")
        shop.data = {"name": "Ana"}
        page.find("#next").click()
        page.chat.online()
        (own,) = until(lambda: named().keys() - {known}, "another session")
        assert own.startswith("as-Ana--") and known.startswith("as-Ana--")
        assert group not in str(broker.admin("GET", f"/sessions/{own}"))
        shop.data = {"name": "Ana", "group": group}
        page.find("#next").click()
        chat = page.chat.online()
        until(lambda: chat.script("return document.querySelector('#title').textContent") == group, "the group again")
        assert named().keys() <= {known, own}, "the session that it had in the group"


def test_it_stays_open_with_its_chat_when_the_visitor_goes_on(browser, tmp_path):
    with shop_of(tmp_path) as (broker, shop):
        page = visit(browser, f"{shop.url}/")
        chat = page.opened()
        chat.type("What is an actor?", Keys.ENTER)
        chat.answer("done", 60)
        page.find("#next").click()
        until(lambda: page.part("dialog[open]"), "to be open on the next page")
        chat = page.chat.online()
        until(lambda: chat.messages() == ["What is an actor?"], "the same chat")
        assert page.focus() in ("body", "next"), "whoever loads a page has not asked for the chat"
        chat.find("#new-chat").click()
        until(lambda: chat.phase() == "online" and chat.script("return document.querySelector('#empty')?.hidden === false"), "a new chat")
        page.part(".launcher").click()
        page.find("#own").click()
        page.script("SophieChat.open()")
        until(lambda: page.focus() == "iframe", "to be opened by the site")
        page.script("SophieChat.close()")
        until(lambda: page.focus() == "own", "the focus to come back to where it was")


def test_a_token_is_asked_of_the_site_when_it_is_needed_and_stands_in_no_address(browser, tmp_path):
    first, second = token(tmp_path, "ana", "12s"), token(tmp_path, "ana", "1h")
    script = f"window.asked = 0; window.SophieChat = {{ token: async () => [{json.dumps(first)}, {json.dumps(second)}][Math.min(window.asked++, 1)] }};"
    with shop_of(tmp_path, JWT, script=script) as (broker, shop):
        page = visit(browser, f"{shop.url}/")
        assert page.script("return asked") == 0, "nobody needs one yet"
        chat = page.opened()
        chat.type("Who am I?", Keys.ENTER)
        chat.answer("done", 60)
        assert broker.admin("GET", "/sessions")["sessions"][0]["user"] == "ana"
        until(lambda: page.script("return asked") == 2, "another token before the first one ends", 20)
        assert chat.phase() == "online"
        browser.collect()
        assert not [url for url in browser.requests if first in url or second in url]
        assert chat.script("return [localStorage, sessionStorage].every((it) => !JSON.stringify(it).includes(arguments[0]))", second[:20])


def test_it_works_as_the_guide_says(browser, tmp_path):
    guide = {words: block("docs/widget.md", words) for words in ("data-position", "frame_ancestors = [", "chat-token", "script-src https")}
    assert set(guide.values()) == {each.text for each in blocks("docs/widget.md")}
    settings = tomllib.loads(guide["frame_ancestors = ["])
    assert settings["server"]["frame_ancestors"] == ["https://shop.example.org"]
    with shop_of(tmp_path, JWT, script=guide["chat-token"], files={"/chat-token": token(tmp_path, "ana", "1h")}) as (broker, shop):
        shop.tag = guide["data-position"].replace("https://chat.example.org", broker.url)
        needed = guide["script-src https"].strip().replace("https://chat.example.org", broker.url)
        # The shop's own script, style sheet and request are its own affair.
        shop.policy = f"default-src 'none'; style-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; {needed}".replace("script-src", "script-src 'self'")
        page = visit(browser, f"{shop.url}/")
        assert page.opened().script("return document.querySelector('#members').textContent") is not None
        until(lambda: broker.admin("GET", "/sessions")["sessions"][0]["user"] == "ana", "ana to be known")


@pytest.mark.parametrize("given", ["", "not.a.token"])
def test_without_a_good_token_the_site_is_named_as_the_place_to_sign_in(browser, tmp_path, given):
    with shop_of(tmp_path, JWT, script=f"window.SophieChat = {{ token: () => {json.dumps(given)} }};", language="pt") as (_, shop):
        page = visit(browser, f"{shop.url}/")
        page.launcher.click()
        chat = page.chat
        until(lambda: chat.script("return document.querySelector('#sign-in')?.hidden === false"), "the form")
        assert not chat.find("#token").is_displayed(), "visitors of a site have no tokens to paste"
        assert "site" in chat.find("#sign-in-what").text
        seen(page, f"widget-signed-out-{bool(given)}")
        assert serious(chat) == []
        browser.collect()
        browser.console.clear()


def test_a_page_that_may_not_frame_it_is_told_in_one_sentence(browser, tmp_path):
    with shop_of(tmp_path, ancestors=False) as (broker, shop):
        page = visit(browser, f"{shop.url}/")
        page.launcher.click()
        until(lambda: page.part(".waiting p").text == "The chat cannot be shown here.", "the words in its place", 20)
        seen(page, "widget-refused")
        assert serious(page) == []
        page.part(".waiting button").click()
        until(lambda: expanded(page) == "false" and page.focus() == "launcher", "to be closed")
        browser.collect()
        said = browser.lines("Sophie: ")
        assert len(said) == 1 and "server.frame_ancestors" in said[0] and shop.url in said[0] and broker.url in said[0], said
        assert browser.violations(), "the browser says it, too"
        browser.console.clear()


def test_a_policy_of_the_page_that_keeps_the_frame_out_is_told(browser, tmp_path):
    with shop_of(tmp_path, policy="default-src 'none'; script-src 'self' {broker}; style-src 'self'", language="pt") as (broker, shop):
        page = visit(browser, f"{shop.url}/")
        page.launcher.click()
        until(lambda: page.part(".waiting p").text == "A conversa não pode ser mostrada aqui.", "the words in its place")
        browser.collect()
        said = browser.lines("Sophie: ")
        assert len(said) == 1 and "frame-src" in said[0] and broker.url in said[0], said
        browser.console.clear()


def test_two_includes_are_one_and_it_goes_without_a_trace(browser, tmp_path):
    with shop_of(tmp_path, times=2, open="") as (broker, shop):
        page = visit(browser, f"{shop.url}/")
        assert page.script("return document.querySelectorAll('sophie-chat').length") == 1
        until(lambda: page.part("dialog[open]"), "to open by itself, as the site wants it")
        assert page.focus() == "body"
        page.chat.online()
        style = page.script("const style = getComputedStyle(document.querySelector('sophie-chat').shadowRoot.querySelector('.launcher')); return [style.width, style.borderRadius, style.opacity]")
        assert style == ["56px", "50%", "1"], "the site's style sheet does not reach it"
        # Whoever is not the frame, and comes from elsewhere, is not heard: on either side.
        page.script("postMessage({ sophie: 'close' }, '*'); postMessage({ sophie: 'keep', session: 'mine' }, '*')")
        page.chat.script("postMessage({ sophie: 'hello', shown: false }, '*'); postMessage({ sophie: 'hidden' }, '*')")
        assert expanded(page) == "true" and page.script("return sessionStorage.getItem('sophie.widget.session')") is None
        page.script("SophieChat.destroy()")
        assert page.script("return [document.querySelectorAll('sophie-chat, iframe').length, sessionStorage.length]") == [0, 0]
        page.script("SophieChat.open(); SophieChat.destroy()")
        page.script("const again = document.createElement('script'); again.src = trustedTypes.createPolicy('again', { createScriptURL: (it) => it }).createScriptURL(arguments[0]); document.body.append(again)", f"{broker.url}/widget.js")
        until(lambda: page.part(".launcher"), "to be put there again")
        until(lambda: broker.admin("GET", "/sessions")["sessions"] == [], "its socket to be gone")


def test_where_a_frame_may_store_nothing_the_chat_goes_on_all_the_same(browser, tmp_path):
    # Of the same site with the server, so that what is done to new documents here is done to the frame, too.
    with shop_of(tmp_path, host="127.0.0.1") as (broker, shop):
        page = browser.open("about:blank")
        refused = "if (parent !== window) for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } });"
        made = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": refused})
        page.driver.get(f"{shop.url}/")
        page = Visit(page.driver, page.handle, page.results)
        chat = page.opened()
        assert chat.script("try { return localStorage.length } catch { return 'refused' }") == "refused"
        chat.type("What is an actor?", Keys.ENTER)
        chat.answer("done", 60)
        page.find("#next").click()
        until(lambda: page.part("dialog[open]"), "to be open on the next page")
        chat = page.chat.online()
        until(lambda: chat.messages() == ["What is an actor?"], "the same chat")
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)
