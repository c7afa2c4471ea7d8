"""The real broker and a real Chromium, one of each per test that needs them.

SOPHIE_BIN names the program (default: target/debug/sophie). Screenshots go to test-results/.
"""

import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SOPHIE_BIN", str(ROOT / "target/debug/sophie"))
RESULTS = ROOT / "test-results"
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Several tabs are looked at in turn: the one behind must go on drawing.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
]


def until(condition, what, seconds=15):
    """The first truthy value of `condition`, or a failure that says `what` was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain: {what}")
        time.sleep(0.03)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """The program on a port of its own; can be killed and started again on the same one."""

    def __init__(self, directory, redis_url=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        self.redis_url = redis_url
        self.process = None
        self.output = open(directory / "broker.log", "ab")

    def start(self, **settings):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SOPHIE__", "REDIS_", "USE_REDIS", "OPENAI_"))}
        environment |= {
            "SOPHIE__SERVER__BIND": f"127.0.0.1:{self.port}",
            "SOPHIE__AI__BACKEND": "demo",
            # Each test asks for what it needs: a shared machine's address must not run out of messages.
            "SOPHIE__LIMITS__ENABLED": "false",
        }
        if self.redis_url:
            environment |= {"USE_REDIS": "true", "REDIS_URL": self.redis_url}
        environment |= settings
        self.process = subprocess.Popen([PROGRAM], env=environment, cwd=self.directory, stdout=self.output, stderr=self.output)
        until(self.ready, f"{PROGRAM} to be ready; see {self.directory}/broker.log", 30)

    def ready(self):
        assert self.process.poll() is None, f"the broker ended: {(self.directory / 'broker.log').read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def close(self):
        self.kill()
        self.output.close()


class Redis:
    """A private redis-server that keeps nothing on disk."""

    def __init__(self, directory):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(directory)]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        until(self.answers, "redis-server to answer", 10)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Page:
    """One tab with the chat page, spoken of as a reader would."""

    def __init__(self, driver, handle):
        self.driver = driver
        self.handle = handle

    def script(self, text, *arguments):
        self.driver.switch_to.window(self.handle)
        return self.driver.execute_script(text, *arguments)

    def find(self, selector):
        self.driver.switch_to.window(self.handle)
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def online(self, seconds=15):
        until(lambda: self.phase() == "online", "the page to be connected", seconds)
        return self

    def phase(self):
        return self.script("return document.querySelector('#status')?.dataset.phase")

    def type(self, *keys):
        self.find("#composer").send_keys(*keys)

    def answers(self):
        """[{state, text}] of every answer in the log."""
        return self.script(
            "return [...document.querySelectorAll('#log .answer')].map((row) =>"
            " ({state: row.dataset.state, text: row.querySelector('.body').textContent}))"
        )

    def messages(self):
        """The text of every message of a person in the log, those still to be sent excepted."""
        return self.script(
            "return [...document.querySelectorAll('#log .message:not(.pending)')].map((row) => row.querySelector('.body').textContent)"
        )

    def answer(self, state, seconds=30, number=0):
        def in_state():
            answers = self.answers()
            return len(answers) > number and answers[number]["state"] == state and answers[number]

        return until(in_state, f"answer {number} to be {state}", seconds)

    def underway(self, characters=20, number=0):
        """Waits until an answer is being written, and has that many characters."""

        def has():
            answers = self.answers()
            if len(answers) <= number:
                return False
            assert answers[number]["state"] == "running", f"ended before it was caught: {answers[number]}"
            return len(answers[number]["text"]) >= characters and answers[number]

        return until(has, "an answer to be under way")

    def screenshot(self, name):
        self.driver.switch_to.window(self.handle)
        RESULTS.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(RESULTS / f"{name}.png"))


class Browser:
    """Chromium with a profile of its own, and a record of everything that it asked for."""

    def __init__(self, directory):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in [*QUIET, "--window-size=1280,860", f"--user-data-dir={directory}"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.console = []
        self.requests = []

    def open(self, url):
        if self.driver.current_url.startswith("http"):
            self.driver.switch_to.new_window("tab")
        self.driver.get(url)
        return Page(self.driver, self.driver.current_window_handle)

    def chat(self, broker, session=None):
        return self.open(f"{broker.url}/#session={session or secrets.token_hex(8)}").online()

    def collect(self):
        """Takes what the browser has logged since it was last asked."""
        self.console += self.driver.get_log("browser")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self.requests.append(message["params"]["url"])


@pytest.fixture(params=["memory", "redis"])
def broker(request, tmp_path):
    redis = None
    if request.param == "redis":
        if not shutil.which("redis-server"):
            pytest.fail("redis-server is needed: apt-get install redis-server")
        redis = Redis(tmp_path)
    broker = Broker(tmp_path, redis and redis.url)
    broker.mode = request.param
    try:
        broker.start()
        yield broker
    finally:
        broker.close()
        if redis:
            redis.close()


@pytest.fixture
def browser(request, tmp_path):
    browser = Browser(tmp_path / "profile")
    try:
        yield browser
        # Whatever a test is about: the page asks nobody else for anything, and breaks none of its own rules.
        browser.collect()
        strangers = [url for url in browser.requests if url.split(":", 1)[0] in ("http", "https", "ws", "wss") and "//127.0.0.1:" not in url]
        assert not strangers, strangers
        violations = [line["message"] for line in browser.console if "Content Security Policy" in line["message"] or "TrustedHTML" in line["message"]]
        assert not violations, violations
        faults = [line["message"] for line in browser.console if "Uncaught" in line["message"]]
        assert not faults, faults
    finally:
        browser.driver.quit()
