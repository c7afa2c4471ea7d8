"""The operators' console, as an operator at it sees it."""

from broker import ADMIN_TOKEN
from waiting import until

PARTS = ("overview", "waiting", "feedback", "groups", "sessions", "nodes", "answers", "cache", "limits", "backends", "redis", "audit")


def sign_in(browser, broker, token=ADMIN_TOKEN):
    """Opens it, and signs in by hand."""
    page = browser.open(f"{broker.url}/admin")
    until(lambda: page.script("return document.querySelector('#token') !== null"), "the form")
    page.find("#token").send_keys(token)
    page.find(".sign-in button").click()
    until(lambda: page.script("return document.querySelector('#live')?.dataset.state") == "on", "live figures")
    return page


def go(page, part):
    """To a part, until it shows what it has read."""
    page.script("location.hash = arguments[0]", part)
    shown = "return location.hash === `#${arguments[0]}` && document.querySelector('#main h2') !== null && !/^(Reading…|Lendo…)$/m.test(document.querySelector('#main').innerText)"
    until(lambda: page.script(shown, part), f"{part} to be shown")


def text(page):
    return page.script("return document.querySelector('#main').innerText")


def button(page, words, within="main, dialog"):
    """Presses the last button of these words: that of a question, if one is asked."""
    # Found and pressed at once: the screen may be drawn anew at any moment.
    press = """
        const found = [...document.querySelectorAll(`:is(${arguments[1]}) button`)].filter((it) => it.checkVisibility() && it.textContent === arguments[0]).at(-1);
        found?.click();
        return Boolean(found);
    """
    until(lambda: page.script(press, words, within), words)


def quiet(browser):
    """Nothing was told in the browser's console, and nobody else was asked."""
    browser.collect()
    # On a busy machine Redis is late once in a while: the console asks again, and Chromium writes the refusal down.
    told = [line for line in browser.console if "status of 503" not in str(line)]
    assert told == [] and browser.strangers() == [], (told, browser.strangers())
