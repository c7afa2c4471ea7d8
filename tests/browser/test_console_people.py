"""The console's parts about people: who waits for one, what they think of the answers, what operators did, and who only looks."""

import json
import secrets

import pytest
from broker import running
from console import button, go, quiet, sign_in, text
from waiting import until

VIEW_TOKEN = "a-token-of-these-tests-to-look-with"


@pytest.fixture(scope="module", params=["memory", "redis"])
def broker(request, tmp_path_factory):
    settings = {"SOPHIE__SESSION__PERSON": "true", "SOPHIE__ADMIN__VIEW_TOKEN": VIEW_TOKEN}
    with running(request.param, tmp_path_factory.mktemp(request.param), **settings) as broker:
        yield broker


@pytest.fixture
def console(browser, broker):
    for row in broker.admin("GET", "/waiting")["waiting"]:
        broker.admin("DELETE", f"/waiting/{row['group']}")
    page = sign_in(browser, broker)
    yield page
    page.script("sessionStorage.clear()")
    quiet(browser)


def command(broker, session, **command):
    """A command of that session, until it is acknowledged: if Redis is late it is sent again, with the same id so that it is done once."""
    with broker.client(session) as client:

        def done():
            client.send(json.dumps({"id": "1"} | command))
            while (event := json.loads(client.recv(timeout=10))).get("id") != "1":
                pass
            assert event["type"] == "ack" or event.get("code") == "store_unavailable", event
            return event["type"] == "ack"

        until(done, f"{command} to be acknowledged")


def rows(page):
    return page.script("return [...document.querySelectorAll('#main tbody tr')].map((row) => row.innerText)")


def title(page):
    return page.script("return document.title")


def test_who_waits_is_counted_told_and_dismissed(console, broker):
    session = f"w{secrets.token_hex(4)}"
    go(console, "waiting")
    until(lambda: "Nobody waits for a person." in text(console), "an empty queue")
    assert title(console) == "People waiting · Sophie"
    console.script("window.said = []; new MutationObserver(() => said.push(document.querySelector('#said').textContent)).observe(document.querySelector('#said'), {childList: true})")
    command(broker, session, type="person.ask", text="My order, <b>please</b>")
    until(lambda: any("My order, <b>please</b>" in row and session in row for row in rows(console)), "the one who waits", 20)
    until(lambda: title(console) == "(1) People waiting · Sophie", "the count in the title")
    assert console.find("#nav a[href='#waiting']").text.split() == ["People", "waiting", "1"]
    until(lambda: f"guest:{session} waits for a person in chat_{session}." in console.script("return said"), "that it is told to who cannot see")
    console.screenshot(f"console-queue-{broker.mode}")
    # On any other part it is known as well, and on that of the group it is told what for.
    go(console, "cache")
    assert title(console) == "(1) Cache · Sophie"
    go(console, "waiting")
    # In one go: the row is made anew whenever its time changes.
    link = f"td a[href='#group/chat_{session}']"
    until(lambda: console.script("const it = document.querySelector(arguments[0]); it?.click(); return Boolean(it)", link), "the row")
    until(lambda: "waits for a person since" in text(console) and "My order" in text(console), "what for")
    console.screenshot(f"console-waiting-group-{broker.mode}")
    go(console, "waiting")
    button(console, "Dismiss")
    button(console, "Cancel")
    assert len(broker.admin("GET", "/waiting")["waiting"]) == 1
    button(console, "Dismiss")
    button(console, "Dismiss")
    until(lambda: "Nobody waits for a person." in text(console), "the queue to be empty")
    until(lambda: title(console) == "People waiting · Sophie", "no count")
    assert broker.admin("GET", "/waiting")["waiting"] == []


def test_who_waits_is_taken_over_from_a_phone_too(console, broker):
    session = f"w{secrets.token_hex(4)}"
    command(broker, session, type="person.ask", text="A long story, which makes the row wider than the screen of a phone is")
    console.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True})
    go(console, "waiting")
    until(lambda: rows(console), "the one who waits", 20)
    console.screenshot(f"console-queue-phone-{broker.mode}")
    seen = "const {left, right} = document.querySelector('td.acts button').getBoundingClientRect(); return left >= 0 && right <= innerWidth"
    assert console.script(seen), "what can be done is in sight"
    button(console, "Take over")
    button(console, "Take over")
    until(lambda: console.script("return location.hash") == f"#group/chat_{session}", "the group")
    button(console, "Hand back to the assistant")
    assert broker.admin("GET", "/waiting")["waiting"] == []


def test_ratings_are_summed_listed_and_chosen(console, broker):
    before = broker.admin("GET", "/feedback/summary")
    mark = secrets.token_hex(4)
    go(console, "feedback")
    until(lambda: "Good answer" in text(console), "the numbers")
    command(broker, f"r{mark}", type="feedback", rating=4, text=f"Kind {mark}")
    until(lambda: any(f"Kind {mark}" in row and "Chat: 4 of 5" in row for row in rows(console)), "the rating, without reading it again by hand", 20)
    command(broker, f"q{mark}", type="feedback", rating=1)
    until(lambda: any(f"q{mark}" in row and "Chat: 1 of 5" in row for row in rows(console)), "the other one", 20)
    count = before["sessions"]["count"] + 2
    tiles = lambda: console.script("return Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => [tile.querySelector('dt').textContent, tile.querySelector('dd').textContent]))")
    until(lambda: tiles()["Chats rated"] == f"{count}", "the number of chats")
    assert tiles()["Chats, on average"].endswith(" of 5"), tiles()
    console.screenshot(f"console-ratings-{broker.mode}")
    console.find("select option[value='4']").click()
    until(lambda: rows(console) and all("4 of 5" in row for row in rows(console)), "only the fours")
    console.find("select option[value=all]").click()
    console.find("input[name=words]").click()
    until(lambda: any(mark in row for row in rows(console)) and not any(f"q{mark}" in row for row in rows(console)), "only those with words")
    console.find("select option[value=bad]").click()
    until(lambda: "There are no such ratings." in text(console), "none")
    go(console, "cache")
    go(console, "feedback")
    console.find(f"td a[href='#group/chat_r{mark}']").click()
    until(lambda: console.script("return document.querySelector('h2').textContent") == f"chat_r{mark}", "the group")


def test_what_operators_did_is_listed_as_it_happens(console, broker):
    group = f"team-{secrets.token_hex(4)}"
    go(console, "audit")
    broker.admin("DELETE", f"/groups/{group}/assistant")
    seen = lambda: [row.split("\t") for row in rows(console)]
    until(lambda: any(row[1:4] == ["Took over", group, "done"] for row in seen()), "the act", 20)
    assert [row for row in seen() if row[2] == group][0][5:7] == ["Admin token", "127.0.0.1"]
    console.screenshot(f"console-acts-{broker.mode}")
    console.find(f"td a[href='#group/{group}']").click()
    until(lambda: "a person answers" in text(console), "the group")


def test_who_only_looks_is_told_so_and_offered_nothing_that_would_be_refused(browser, broker):
    session = f"v{secrets.token_hex(4)}"
    broker.say(session, "Hello?")
    command(broker, session, type="person.ask")
    page = sign_in(browser, broker, VIEW_TOKEN)
    assert page.find("#looks").is_displayed() and page.find("#looks").text == "This token only looks."
    harmless = {"Search", "Next page", "First page", "Earlier", "Last 15 minutes", "Last day"}
    for part in ("overview", "waiting", "feedback", "groups", f"group/chat_{session}", "sessions", f"session/{session}", "nodes", "answers", "cache", "limits", "backends", "redis", "audit"):
        go(page, part)
        offered = set(page.script("return [...document.querySelectorAll('main button')].filter((it) => it.checkVisibility()).map((it) => it.textContent)"))
        assert offered <= harmless, f"{part} offers {offered}"
        assert page.script("return document.querySelector('main textarea')") is None, part
        assert page.script("return document.querySelector('#trouble')") is None, text(page)
    go(page, "waiting")
    until(lambda: rows(page), "who waits")
    page.screenshot(f"console-looks-{broker.mode}")
    # With the other token there are these buttons: what was looked for can be found.
    page.find("#sign-out").click()
    page = sign_in(browser, broker)
    assert not page.find("#looks").is_displayed()
    go(page, "waiting")
    until(lambda: page.script("return document.querySelector('td.acts button') !== null"), "a button")
    quiet(browser)
    broker.admin("DELETE", f"/waiting/chat_{session}")
