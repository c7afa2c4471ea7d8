"""The chat page, seen by a person: a real Chromium against the real program with its demo backend."""

import re
import secrets

import pytest
from selenium.webdriver.common.keys import Keys
from waiting import until

HOSTILE = "<script>window.pwned='script'</script><img src=x onerror=\"window.pwned='onerror'\"> [x](javascript:window.pwned='link')"


def ask(page, text):
    page.type(text, Keys.ENTER)


def test_an_answer_is_seen_growing_and_ends_as_markdown(browser, broker):
    page = browser.chat(broker)
    # It is shown once the log was read, which may be a moment after the page is connected.
    until(lambda: page.find("#empty").is_displayed(), "the greeting")
    page.screenshot(f"empty-{broker.mode}")
    ask(page, "What is an actor?")
    lengths = set()

    def ended():
        answers = page.answers()
        if answers:
            lengths.add(len(answers[0]["text"]))
        return answers and answers[0]["state"] == "done"

    until(ended, "the answer to end", 40)
    assert len(lengths) >= 5, f"it came in {len(lengths)} steps: {sorted(lengths)}"
    kinds = page.script(
        "const body = document.querySelector('#log .answer .body');"
        "return ['h1,h2,h3,h4', 'li', 'pre code'].map((kind) => body.querySelectorAll(kind).length)"
    )
    assert all(kinds), f"headings, list items, code blocks: {kinds}"
    assert "What is an actor?" in page.answers()[0]["text"]
    assert page.messages() == ["What is an actor?"]
    assert not page.find("#stop").is_displayed()
    assert page.find("#log .code .copy").is_displayed()
    page.screenshot(f"answered-{broker.mode}")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_enter_sends_and_shift_enter_begins_a_new_line(browser, broker):
    page = browser.chat(broker)
    page.type("first", Keys.SHIFT + Keys.ENTER, Keys.NULL, "second")
    assert page.messages() == []
    assert page.find("#composer").get_property("value") == "first\nsecond"
    page.type(Keys.ENTER)
    until(lambda: page.messages() == ["first\nsecond"], "the message to be in the log")
    assert page.find("#composer").get_property("value") == ""
    assert page.script("return document.activeElement.id") == "composer"


def test_hostile_text_stays_inert(browser, broker):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    # From elsewhere, so that it comes over the wire as any member could send it; the demo's answer quotes it.
    broker.say(session, HOSTILE, assistant=True)
    page.answer("done", 40)
    assert page.messages() == [HOSTILE], "a message is shown as it was written"
    dangerous = "return document.querySelectorAll('#log script, #log img, #log iframe, #log a[href]').length"
    assert page.script(dangerous) == 0
    assert page.script("return window.pwned ?? null") is None
    page.screenshot(f"hostile-{broker.mode}")


def test_a_second_tab_sees_everything_live_and_joins_an_answer_midway(browser, broker):
    session = secrets.token_hex(8)
    first = browser.chat(broker, session)
    # The demo quotes it word by word: its answer is to last for longer than a slow machine takes to open the second tab.
    question = "Shared question" + " a" * 180
    ask(first, question)
    before = first.underway(60)
    second = browser.chat(broker, session)
    caught = second.underway(len(before["text"]) // 2)
    until(lambda: question in second.messages(), "the question in the second tab")
    done = second.answer("done", 40)
    assert len(done["text"]) > len(caught["text"])
    assert first.answer("done")["text"] == done["text"]
    second.type("And from here", Keys.ENTER)
    until(lambda: "And from here" in first.messages(), "the first tab to see what the second one said")
    assert first.answer("done", 40, 1)["text"] == second.answer("done", 40, 1)["text"]


@pytest.mark.parametrize("by", ["button", "key"])
def test_stop_ends_the_answer_and_keeps_what_was_written(browser, broker, by):
    page = browser.chat(broker)
    ask(page, f"Stop me by {by}")
    page.underway(30)
    if by == "button":
        page.find("#stop").click()
    else:
        page.type(Keys.ESCAPE)
    cancelled = page.answer("cancelled")
    assert len(cancelled["text"]) >= 30
    assert not page.find("#stop").is_displayed()
    assert "Stopped" in page.find("#log .answer .foot").text
    # Another answer to the same question can be asked for.
    page.find("#log .answer [data-act=retry]").click()
    assert len(page.answer("done", 40, 1)["text"]) > len(cancelled["text"])


def test_a_group_is_joined_shared_and_left(browser, broker):
    team = f"team-{secrets.token_hex(3)}"
    first, second = browser.chat(broker), browser.chat(broker)
    first.join(team)
    first.forget()
    second.join(team)
    second.find("#assistant").click()
    second.type("Hello team", Keys.ENTER)
    until(lambda: "Hello team" in first.messages(), "the message to reach the other member")
    author = first.find("#log .message[data-role=user] .author").text
    assert author.startswith("Guest"), author
    until(lambda: len(first.members()) == 2, "both members, for whom the page asks by itself")
    assert first.answers() == [], "the assistant was not asked"
    first.type("typing")
    until(lambda: "typing" in second.find("#typing").text, "the other member to see that somebody types")
    second.find(f"#groups [data-group={team}][data-act=leave]").click()
    # By a script alone: the page loads anew, and an element that was found before would be none of it any more.
    until(lambda: second.script("return document.querySelector('#title')?.textContent") == "This chat", "to be back home")
    until(lambda: first.script("return document.querySelectorAll('#members li').length") == 1, "the member to be gone")


def test_older_messages_are_fetched_when_scrolled_to_the_top(browser, broker):
    session = secrets.token_hex(8)
    broker.say(session, *(f"line {number}\nand its second line" for number in range(120)))
    page = browser.chat(broker, session)
    until(lambda: len(page.messages()) >= 50, "the newest messages")
    assert "line 119" in page.messages()[-1]
    assert len(page.messages()) < 120

    def all_loaded():
        page.script("document.querySelector('#scroller').scrollTop = 0; document.querySelector('#scroller').dispatchEvent(new Event('scroll'))")
        return len(page.messages()) == 120

    until(all_loaded, "everything to be loaded")
    numbers = [int(re.match(r"line (\d+)", text)[1]) for text in page.messages()]
    assert numbers == list(range(120))
    assert page.find("#jump").is_displayed(), "who reads at the top is not carried off to the end"
    page.find("#jump").click()
    until(lambda: not page.find("#jump").is_displayed(), "to be at the end")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(browser, broker, scheme):
    driver = browser.driver
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    page = browser.chat(broker)
    page.screenshot(f"phone-empty-{scheme}-{broker.mode}")
    ask(page, "x" * 200 + " and a question")
    page.underway()
    page.screenshot(f"phone-running-{scheme}-{broker.mode}")
    page.answer("done", 40)
    wide = page.script(
        "const wide = [];"
        "for (const e of [document.documentElement, document.querySelector('#scroller'), document.querySelector('#log')])"
        "  if (e.scrollWidth > e.clientWidth) wide.push([e.id || e.localName, e.scrollWidth, e.clientWidth]);"
        "return wide"
    )
    assert wide == []
    background = page.script("return getComputedStyle(document.body).backgroundColor")
    bright = sum(int(part) for part in re.findall(r"\d+", background)[:3]) > 380
    assert bright == (scheme == "light"), background
    page.screenshot(f"phone-answered-{scheme}-{broker.mode}")
    page.find("#panel-toggle").click()
    until(lambda: page.find("#panel").is_displayed() and page.script("return document.activeElement.id") == "panel-close", "the drawer")
    page.script("return Promise.all(document.getAnimations().map((a) => a.finished)).then(() => 0)")
    page.screenshot(f"phone-groups-{scheme}-{broker.mode}")
    page.find("#panel-close").send_keys(Keys.ESCAPE)
    until(lambda: page.script("return document.activeElement.id") == "panel-toggle", "the focus to return")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_the_switch_between_light_and_dark_is_remembered(browser, broker):
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
    page = browser.chat(broker)
    page.find("#theme").click()
    assert page.script("return getComputedStyle(document.documentElement).colorScheme") == "dark"
    ask(page, "How does it look in the dark?")
    page.answer("done", 40)
    page.screenshot(f"dark-{broker.mode}")
    page.script("location.reload()")
    page.online()
    assert page.script("return getComputedStyle(document.documentElement).colorScheme") == "dark"


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_a_new_chat_has_an_address_of_its_own(browser, broker):
    page = browser.chat(broker)
    old = page.script("return location.hash")
    ask(page, "Old chat")
    until(lambda: page.messages() == ["Old chat"], "the message")
    page.find("#new-chat").click()
    until(lambda: page.script("return location.hash") != old and page.phase() == "online", "the new chat")
    until(lambda: page.messages() == [], "it to be empty")
    page.script("history.back()")
    until(lambda: page.script("return location.hash") == old and page.phase() == "online" and page.messages() == ["Old chat"], "the old chat")


def test_what_the_server_is_too_busy_for_waits_and_is_sent_in_order(browser, broker):
    page = browser.chat(broker)
    # Two answers of a session may be under way at once.
    page.type("One", Keys.ENTER, "Two", Keys.ENTER, "Three", Keys.ENTER, "Four", Keys.ENTER)
    waits = until(lambda: page.script("return document.querySelector('#log .pending[data-why=busy]')?.textContent"), "a message to wait")
    assert "sent when one of them has ended" in waits
    page.screenshot(f"busy-{broker.mode}")
    until(lambda: page.messages() == ["One", "Two", "Three", "Four"], "all to be sent by themselves", 60)
    # A message may be seen in the log before it is acknowledged.
    until(lambda: page.script("return document.querySelectorAll('#log .pending').length") == 0, "nothing to wait any more")


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_the_page_is_served_with_a_strict_policy(browser, broker):
    page = browser.chat(broker)
    headers = page.script(
        "return fetch(location.href, {cache: 'no-store'}).then((answer) => Object.fromEntries(answer.headers))"
    )
    policy = headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert page.script("try { document.body.innerHTML = '<b>x</b>'; return 'allowed' } catch { return 'refused' }") == "refused"
    # That refusal was ours: the console may tell of it.
    browser.collect()
    browser.console.clear()


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_deltas_are_put_together_by_characters_not_by_utf_16_units(browser, broker):
    page = browser.chat(broker)
    texts = page.script(
        "return import('/client.mjs').then(({ Answer }) => {"
        "  const answer = new Answer({ answer: 'a', group: 'g', message: 'm' });"
        "  const seen = [];"
        "  for (const [offset, text] of [[0, '🦀 a'], [3, 'b'], [2, 'ab🦀c'], [0, '🦀'], [9, 'hole'], [6, '!']]) {"
        "    answer.delta(offset, text);"
        "    seen.push(answer.text);"
        "  }"
        "  answer.resume('🦀 ab');"
        "  seen.push(answer.text);"
        "  answer.resume('🦀 ab🦀c!?');"
        "  answer.delta(6, '!?🦀x');"
        "  return [...seen, answer.text, answer.length];"
        "})"
    )
    whole = "🦀 ab🦀c!"
    assert texts == ["🦀 a", "🦀 ab", "🦀 ab🦀c", "🦀 ab🦀c", "🦀 ab🦀c", whole, whole, f"{whole}?🦀x", 10], "nothing doubled, nothing missing"


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_what_an_answer_leaves_open_is_closed_while_it_grows(browser, broker):
    page = browser.chat(broker)
    grown = {
        "a **bold": "a **bold**",
        "a **bold ": "a **bold**",
        "a **": "a ",
        "a **bold**": "a **bold**",
        "`code": "`code`",
        "a `": "a ",
        "`**` and": "`**` and",
        "```sh": "```sh",
        "```sh\nx **y": "```sh\nx **y",
        "```\n**x\n```\n**y": "```\n**x\n```\n**y**",
    }
    closed = page.script(
        "return import('/page/app/markdown.js').then(({ closeOpen }) => arguments[0].map(closeOpen))", list(grown)
    )
    assert closed == list(grown.values())


@pytest.mark.parametrize("broker", ["memory"], indirect=True)
def test_every_tab_is_watched_for_strangers_and_for_breaches_of_the_policy(browser, broker):
    first, second = browser.chat(broker), browser.chat(broker)
    for number, page in enumerate((first, second)):
        page.script(
            "const picture = document.createElement('img');"
            "picture.src = `https://tracker${arguments[0]}.example/`;"
            "document.body.append(picture);"
            "try { document.body.innerHTML = 'x' } catch {}"
            "setTimeout(() => { throw new Error(`fault ${arguments[0]}`) })",
            number,
        )
    for number in range(2):
        host = f"tracker{number}.example"
        until(lambda: browser.collect() or any(host in line for line in browser.violations()), f"the breach of tab {number}")
        until(lambda: browser.collect() or any(f"fault {number}" in line for line in browser.faults()), f"the fault of tab {number}")
    # Without the policy it would have been asked for.
    for number, page in enumerate((first, second)):
        page.find("body")
        page.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        page.script("location.reload()")
        page.online()
        page.script("fetch(`http://tracker${arguments[0]}.invalid/`).catch(() => 0)", number)
        until(lambda: browser.collect() or any(f"tracker{number}.invalid" in url for url in browser.strangers()), f"the stranger of tab {number}")
        page.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    # All this was ours.
    browser.console.clear()
    browser.requests = [url for url in browser.requests if broker.url in url]
