"""The example site, run as its README says: Django, its worker, Sophie, and people at browsers."""

import asyncio
import contextlib
import json

import pytest
from broker import ROOT
from help_desk import Help
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from shop import Visit
from waiting import until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


@pytest.fixture
def site(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Help(stack, tmp_path)


def test_the_example_talks_to_browsers_in_both_directions(site, browser):
    driver = browser.driver
    driver.get(site.url)
    driver.find_element(By.NAME, "username").send_keys("alice")
    driver.find_element(By.NAME, "password").send_keys("secret")
    driver.find_element(By.CSS_SELECTOR, "button").click()
    state = lambda: "".join(element.text for element in driver.find_elements(By.ID, "state"))  # noqa: E731
    until(lambda: "Connected." in state(), "the page to be connected by its cookie")
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in driver.get_cookies())
    lines = lambda: [tuple(item.text.split("\n", 1)[0].split(" ", 1)) for item in driver.find_elements(By.CSS_SELECTOR, "#log li")]  # noqa: E731

    def type_into(form, text):
        driver.find_element(By.CSS_SELECTOR, f"#{form} input[name=text]").send_keys(text)
        driver.find_element(By.CSS_SELECTOR, f"#{form} button").click()

    # From Django's view to the browser.
    type_into("announce", "We open at nine.")
    until(lambda: ("alice", "We open at nine.") in lines(), "what the view sent")

    # The staff's consumer, beside it in the group.
    staff = f"{site.url.replace('http', 'ws')}/ws/staff/"
    with connect(staff, origin=site.url, additional_headers={"Cookie": cookies}) as consumer:
        consumer.send(json.dumps({"text": "Hello from the desk."}))
        until(lambda: ("alice", "Hello from the desk.") in lines(), "what the consumer sent")
        assert json.loads(consumer.recv(timeout=10))["text"] == "Hello from the desk."
        type_into("ask", "What can you do?")
        said = json.loads(consumer.recv(timeout=15))
        assert (said["type"], said["text"], said["author"]) == ("chat.message", "What can you do?", "alice")
        answer = json.loads(consumer.recv(timeout=15))
        assert answer["type"] == "chat.answer.end"
    # To its end: the page may be behind the consumer.
    until(lambda: ("assistant", answer["text"].split("\n", 1)[0].strip()) in lines(), "the answer")
    driver.save_screenshot(str(ROOT / "test-results/example.png"))

    # A page that is loaded anew shows what was said, in its order and once.
    before = lines()
    driver.refresh()
    until(lambda: lines() == before, "the same lines after a reload")

    # What is refused stays in its field, and the page says why.
    # Typed by the page itself: a key at a time takes minutes.
    driver.execute_script("document.querySelector('#ask input[name=text]').value = 'x'.repeat(16000)")
    type_into("ask", "x")
    until(lambda: "16000" in state(), "the reason of the refusal")
    assert len(driver.find_element(By.CSS_SELECTOR, "#ask input[name=text]").get_attribute("value")) == 16_001
    assert lines() == before

    # The worker kept all of it, once.
    kept = until(lambda: (found := site.transcript(cookies)) and len(found) == 4 and found, "the transcript")
    assert [line["seq"] for line in kept] == [1, 2, 3, 4]
    assert [(line["author"], line["text"]) for line in kept[:3]] == [
        ("alice", "We open at nine."),
        ("alice", "Hello from the desk."),
        ("alice", "What can you do?"),
    ]
    assert kept[3]["text"] == answer["text"]

    # Who logs out is out: the hook's answer is forgotten with the session.
    chat = f"{site.sophie.url.replace('http', 'ws')}/ws/chat/alice"
    with connect(chat, origin=site.url, additional_headers={"Cookie": cookies}) as socket:
        assert '"user":"alice"' in socket.recv(timeout=10)
    driver.find_element(By.CSS_SELECTOR, "form[action='/logout/'] button").click()
    until(lambda: driver.current_url.endswith("/login/"), "the login page")
    with pytest.raises(InvalidStatus) as refused:
        connect(chat, origin=site.url, additional_headers={"Cookie": cookies})
    assert refused.value.response.status_code == 401


def test_another_page_of_the_site_has_the_same_group_in_its_corner(site, browser):
    page = browser.open(f"{site.url}/hours/")
    page.find("[name=username]").send_keys("alice")
    page.find("[name=password]").send_keys("secret")
    page.find("button").click()
    until(lambda: page.driver.current_url == f"{site.url}/hours/", "the page with the hours")
    hours = Visit(page.driver, page.handle, page.results)
    until(lambda: hours.launcher, "the button of the widget")
    assert hours.launcher.get_attribute("aria-label") == "Help desk"
    chat = hours.opened()
    until(lambda: chat.script("return document.querySelector('#title').textContent") == "lobby", "the group")
    chat.type("When do you open?", Keys.ENTER)
    answer = chat.answer("done", 30)
    hours.screenshot("example-widget")
    desk = browser.open(f"{site.url}/")
    lines = lambda: desk.script("return [...document.querySelectorAll('#log li')].map((line) => line.textContent)")  # noqa: E731
    until(lambda: len(lines()) == 2, "the same on the site's own page")
    assert lines()[0] == "alice When do you open?" and len(lines()[1]) >= len(answer["text"])


def test_an_idle_consumer_outlives_the_read_time_out_of_redis_py_8(site):
    """What the example's `socket_timeout: None` is for."""

    async def idle():
        from channels_redis.core import RedisChannelLayer

        layer = RedisChannelLayer(hosts=[{"address": site.redis.url, "socket_timeout": None}])
        waiting = asyncio.create_task(layer.receive("idle"))
        done, _ = await asyncio.wait([waiting], timeout=6)
        assert not done, waiting.exception()
        await layer.send("idle", {"type": "hello"})
        assert (await asyncio.wait_for(waiting, 10))["type"] == "hello"

    asyncio.run(idle())
