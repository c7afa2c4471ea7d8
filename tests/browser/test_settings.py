"""The page as the settings want it: its name, its colour, its words and its language."""

import re
import signal

import pytest
from broker import Broker
from selenium.webdriver.common.keys import Keys
from waiting import until

AJUDA = """
[page]
name = "Ajuda & Cia"
color = "#ffdd00"
greeting = "Em que podemos <b>ajudar</b>?"
examples = ["Onde está meu pedido?", "Quero falar, por favor, com alguém."]
language = "pt"
"""
# All that a reader sees or hears: texts and the attributes that bear some.
WORDS = """
const words = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) if (!walk.currentNode.parentElement.closest("noscript, #log .body")) words.push(walk.currentNode.data.trim());
for (const element of document.querySelectorAll('*'))
  for (const name of ['aria-label', 'title', 'placeholder', 'content']) if (element.hasAttribute(name)) words.push(element.getAttribute(name));
return words.filter(Boolean);
"""


@pytest.fixture
def branded(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(AJUDA)
    broker = Broker(tmp_path, file=file)
    broker.start()
    yield broker, file
    broker.close()


def contrast(page, selector, ground):
    """The contrast of an element's text to that of the colour behind it (WCAG 2)."""
    return page.script(
        r"const light = (css) => { const [r, g, b] = css.match(/\d+/g).slice(0, 3).map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });"
        " return .2126 * r + .7152 * g + .0722 * b; };"
        "const one = light(getComputedStyle(document.querySelector(arguments[0])).color), other = light(getComputedStyle(document.querySelector(arguments[1])).backgroundColor);"
        "return (Math.max(one, other) + .05) / (Math.min(one, other) + .05)",
        selector,
        ground,
    )


def test_name_colour_greeting_and_examples_are_those_of_the_settings(browser, branded):
    broker, _ = branded
    page = browser.chat(broker)
    assert page.script("return [document.title, document.querySelector('h1').textContent]") == ["Ajuda & Cia", "Ajuda & Cia"]
    # It is shown once the log was read.
    until(lambda: page.find("#empty").is_displayed(), "the greeting")
    assert page.find("#greeting").text == "Em que podemos <b>ajudar</b>?", "as it was written"
    examples = page.script("return [...document.querySelectorAll('#examples button')].map((button) => button.textContent)")
    assert examples == ["Onde está meu pedido?", "Quero falar, por favor, com alguém."]
    page.find("#examples button").click()
    page.answer("done", 40)
    assert page.find("#log .answer .author").text == "Ajuda & Cia"
    # So bright a yellow could not be read on white: in light it is darker.
    for scheme in ("light", "dark"):
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        assert contrast(page, "#log .answer .author", "body") >= 4.5, scheme
        page.screenshot(f"branded-{scheme}")


def test_a_portuguese_page_says_nothing_in_english(browser, branded):
    broker, _ = branded
    page = browser.open(f"{broker.url}/#group=equipe")
    until(lambda: page.script("return Boolean(document.querySelector('#guest-name'))"), "the question for a name")
    assert page.script("return document.documentElement.lang") == "pt-BR"
    seen = set(page.script(WORDS))
    page.find("#guest-name").send_keys("João", Keys.ENTER)
    page.online()
    until(lambda: page.title() == "equipe", "the group")
    page.type("Olá", Keys.ENTER)
    page.answer("done", 40)
    seen |= set(page.script(WORDS))
    tables = page.asynchronous(
        "const done = arguments[0]; Promise.all([import('/page/app/texts/en.js'), import('/page/app/texts/pt.js')])"
        ".then(([en, pt]) => done([Object.values(en.default).flat(), Object.values(pt.default).flat()]))"
    )
    english, portuguese = tables
    mark = re.compile(r"\{\w+\}")
    own = [text for text in english if text not in portuguese and re.search(r"[A-Za-z]", mark.sub("", text))]
    shapes = [re.compile(".+".join(re.escape(part) for part in mark.split(text)) + "$") for text in own]
    told = [text for text in seen for shape in shapes if shape.match(text)]
    assert told == [], told
    assert "João (você)" in seen
    page.screenshot("portuguese")


def test_the_browsers_language_counts_unless_one_is_set(browser, broker):
    browser.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": "test", "acceptLanguage": "fr-FR,pt-PT,en"})
    try:
        page = browser.chat(broker)
        assert page.script("return [document.documentElement.lang, document.querySelector('#greeting').textContent]") == ["pt-BR", "O que você gostaria de saber?"]
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": ""})


def test_what_the_settings_say_anew_is_there_at_the_next_load(browser, branded):
    broker, file = branded
    page = browser.chat(broker)
    file.write_text('[page]\nname = "Help"\nexamples = []\n')
    broker.process.send_signal(signal.SIGHUP)

    def renewed():
        page.script("location.reload()")
        page.online()
        return page.find("#brand").text == "Help"

    until(renewed, "the new name")
    assert page.script("return document.querySelectorAll('#examples button').length") == 0
