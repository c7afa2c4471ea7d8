"""The operators' console: it signs in, shows what there is, acts, and asks before what is dangerous."""

import secrets

import pytest
from broker import ADMIN_TOKEN
from console import PARTS, button, go, quiet, sign_in, text
from selenium.webdriver.common.keys import Keys
from waiting import until


@pytest.fixture
def console(browser, broker):
    page = sign_in(browser, broker)
    yield page
    page.script("sessionStorage.clear(); localStorage.clear()")
    quiet(browser)


def test_a_wrong_token_is_told_and_a_good_one_is_kept_for_the_tab(browser, broker):
    page = browser.open(f"{broker.url}/admin")
    until(lambda: page.find("#token"), "the form")
    quiet(browser)
    page.find("#token").send_keys("wrong")
    page.find(".sign-in button").click()
    # The form is made anew when the server has answered.
    until(lambda: "admin.token" in page.script("return document.querySelector('[role=alert]')?.textContent ?? ''"), "what is wrong")
    page.screenshot(f"console-refused-{broker.mode}")
    page.find("#token").send_keys(ADMIN_TOKEN)
    page.find(".sign-in button").click()
    until(lambda: page.find("#nav").is_displayed(), "the menu")
    page.script("location.reload()")
    until(lambda: page.script("return document.querySelector('.tiles')") is not None, "the first screen")
    page.find("#sign-out").click()
    until(lambda: page.find("#token").is_displayed(), "the form again")
    assert page.script("return sessionStorage.length") == 0
    browser.forget()


def test_a_tab_that_has_left_the_console_holds_no_connection(console, broker):
    for _ in range(8):
        console.driver.get("about:blank")
        console.driver.get(f"{broker.url}/admin#overview")
        until(lambda: console.script("return document.querySelector('#live')?.dataset.state") == "on", "live figures")
    # A browser has six connections to a host: were those of the pages before still open, nothing more could be read.
    go(console, "waiting")


def test_every_part_is_shown_in_both_languages(console, broker):
    for language in ("pt-BR", "en"):
        console.find("#language").click()
        assert console.script("return document.documentElement.lang") == language
        for part in PARTS:
            go(console, part)
            assert console.script("return document.querySelector('#trouble')") is None, text(console)
            console.screenshot(f"console-{part}-{language}-{broker.mode}")


def test_an_operator_takes_over_speaks_hands_back_and_ends(console, broker):
    group = f"case-{secrets.token_hex(4)}"
    broker.say(f"s{secrets.token_hex(4)}", "Is anybody there?", group=group)
    go(console, f"group/{group}")
    until(lambda: "Is anybody there?" in text(console), "what was said")
    button(console, "Take over")
    button(console, "Cancel")
    assert broker.admin("GET", f"/groups/{group}")["assistant"] is True
    button(console, "Take over")
    button(console, "Take over")
    until(lambda: broker.admin("GET", f"/groups/{group}")["assistant"] is False, "the assistant to be off")
    console.find(".speak textarea").send_keys("A person is here.")
    button(console, "Say it")
    until(lambda: "A person is here." in text(console), "what the operator said")
    console.screenshot(f"console-group-{broker.mode}")
    button(console, "Hand back to the assistant")
    until(lambda: broker.admin("GET", f"/groups/{group}")["assistant"] is True, "the assistant to be on")
    button(console, "End the group")
    button(console, "End the group")
    until(lambda: console.script("return location.hash") == "#groups", "the list of groups")


def test_who_is_in_a_list_with_the_keyboard_stays_there_while_it_changes(console, broker):
    mark = secrets.token_hex(4)
    first, second = f"list-{mark}-b", f"list-{mark}-a"
    broker.say(f"s{mark}", "One.", group=first)
    go(console, "groups")
    console.find("input[type=search]").send_keys(f"list-{mark}", Keys.ENTER)
    # Alone: among all groups it was perhaps before.
    links = "return [...document.querySelectorAll('td a')].map((link) => link.textContent)"
    until(lambda: console.script(links) == [first], "the one group")
    console.script("document.querySelector('td a').focus()")
    focused = lambda: console.script("return document.activeElement.textContent")
    assert focused() == first
    broker.say(f"s{mark}", "Two.", "Three.", group=first)
    broker.say(f"s{mark}", "Before it.", group=second)
    until(lambda: text(console).count(f"list-{mark}") == 2 and "\t3\t" in text(console), "the new row, and the changed one", 20)
    assert focused() == first


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_console_fits_its_window(console, broker, width):
    console.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500})
    try:
        for part in PARTS:
            go(console, part)
            wide = console.script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{part} is {wide} wide"
            console.screenshot(f"console-{part}-{width}-{broker.mode}")
    finally:
        console.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
