"""README's blocks, run as they are printed, twice in a row. Only addresses and ports are those of the test."""

import contextlib
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
from ai_backend import Backend, answer
from broker import ROOT, Broker, Redis, running
from chromium import Browser
from waiting import until

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
# What is run elsewhere: the tests by whoever tests at all, the container by `make image`.
ELSEWHERE = {"make test": "scripts/test.sh", "docker build": "scripts/image.sh"}
WITHIN = 30


def block(words):
    """The one block that says this."""
    found = [text for _, text in BLOCKS if words in text]
    assert len(found) == 1, f"README has {len(found)} blocks with {words!r}"
    return found[0]


def exports(text):
    """What a shell that has read the block's `export` lines knows."""
    words = [word for line in text.splitlines() if line.startswith("export ") for word in shlex.split(line, comments=True)[1:]]
    return dict(word.split("=", 1) for word in words)


def at(text, broker):
    return text.replace("127.0.0.1:8080", f"127.0.0.1:{broker.port}")


def python(text, broker, directory):
    program = directory / "client.py"
    program.write_text(at(text, broker))
    return subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=WITHIN)


def shell(text, broker, directory):
    return subprocess.run(["bash", "-euc", at(text, broker)], capture_output=True, text=True, timeout=WITHIN, cwd=directory)


@pytest.fixture
def broker(tmp_path):
    """As somebody has it who has just run the first command: with limits, cache and all."""
    settings = {"SOPHIE__LIMITS__ENABLED": "true", "SOPHIE__CACHE__ENABLED": "true", **exports(block("/admin/api/groups"))}
    with running("memory", tmp_path, **settings) as broker:
        yield broker


def test_every_block_is_run_by_a_test():
    here = pathlib.Path(__file__).read_text()
    named = re.findall(r'block\("([^"]+)"\)', here)
    for kind, text in BLOCKS:
        if kind == "mermaid":
            continue
        elsewhere = [place for words, place in ELSEWHERE.items() if words in text]
        assert elsewhere or any(words in text for words in named), f"nobody runs this block:\n{text}"
        assert all((ROOT / place).exists() for place in elsewhere)


def test_the_python_client_prints_an_answer_each_time(broker, tmp_path):
    for _ in range(2):
        run = python(block("import asyncio"), broker, tmp_path)
        assert run.returncode == 0, run.stderr
        assert len(run.stdout.split()) > 10, run.stdout


def test_the_python_client_says_why_there_is_no_answer(tmp_path):
    limits = {"SOPHIE__LIMITS__ENABLED": "true", "SOPHIE__LIMITS__USER_BURST": "1", "SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE": "1"}
    with running("memory", tmp_path, **limits) as broker:
        assert python(block("import asyncio"), broker, tmp_path).returncode == 0
        refused = python(block("import asyncio"), broker, tmp_path)
        assert refused.returncode == 1 and "limit" in refused.stderr.lower(), refused


def test_openai_s_sdk_prints_an_answer_each_time(broker, tmp_path):
    for _ in range(2):
        run = python(block("from openai import OpenAI"), broker, tmp_path)
        assert run.returncode == 0 and run.stdout.strip(), run


def test_curl_gets_a_stream_each_time(broker, tmp_path):
    for _ in range(2):
        run = shell(block("/v1/chat/completions"), broker, tmp_path)
        assert run.returncode == 0 and "data: [DONE]" in run.stdout, run


def test_a_back_end_speaks_and_an_operator_looks(broker, tmp_path):
    for _ in range(2):
        run = shell(block("/admin/api/groups"), broker, tmp_path)
        assert run.returncode == 0, run
        assert '"name":"team-7"' in run.stdout and '"sessions":[' in run.stdout and '"error"' not in run.stdout, run.stdout


class Typed:
    """What a browser's console does with the block, and what it shows."""

    def __init__(self, page):
        self.page = page

    def paste(self, text):
        # In the console's own mode a second paste may declare the same names again.
        done = self.page.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": text, "replMode": True})
        assert "exceptionDetails" not in done, done["exceptionDetails"]

    def closed(self):
        asked = {"expression": "socket.readyState === WebSocket.CLOSED"}
        return self.page.driver.execute_cdp_cmd("Runtime.evaluate", asked)["result"]["value"]

    def shown(self):
        return self.page.script("return window.shown.splice(0)")


@pytest.fixture
def console(tmp_path):
    """The console of the chat page: of a broker that the test starts."""
    with contextlib.ExitStack() as stack:

        def opened(broker):
            browser = Browser(tmp_path / "chromium", ROOT / "test-results")
            stack.callback(browser.driver.quit)
            page = browser.open(broker.url)
            page.script("window.shown = []; for (const way of ['log', 'error']) console[way] = (text) => window.shown.push([way, text])")
            return Typed(page)

        yield opened


def test_the_lines_of_javascript_show_an_answer_each_time(broker, console):
    typed = console(broker)
    for _ in range(2):
        typed.paste(at(block("new WebSocket"), broker))
        until(typed.closed, "the socket to be closed")
        shown = typed.shown()
        assert {way for way, _ in shown} == {"log"}, shown
        assert len("".join(text for _, text in shown).split()) > 10, shown


def test_the_lines_of_javascript_say_why_there_is_no_answer(tmp_path, console):
    limits = {"SOPHIE__LIMITS__ENABLED": "true", "SOPHIE__LIMITS__USER_BURST": "1", "SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE": "1"}
    with running("memory", tmp_path, **limits) as broker:
        typed = console(broker)
        typed.paste(at(block("new WebSocket"), broker))
        until(typed.closed, "the first answer to have ended")
        typed.paste(at(block("new WebSocket"), broker))
        until(lambda: any(way == "error" and "limit" in text for way, text in typed.shown()), "a refusal to be shown")


@pytest.fixture
def starts(tmp_path):
    """Starts the program as a block does, ends it, and starts it again. What is given besides are the test's own addresses in the place
    of the block's. As in one terminal, what an earlier block has exported stays."""
    started, exported = [], {}

    def start(text, **instead):
        assert text.splitlines()[-1].split("#")[0].strip() == "cargo run --release"
        settings = exports(text)
        assert settings.keys() >= instead.keys(), f"the block does not set {instead.keys() - settings.keys()}"
        exported.update(settings | instead)
        broker = Broker(tmp_path, settings={"SOPHIE__AI__BACKEND": "auto"} | exported)
        started.append(broker)
        broker.start()
        broker.end()
        assert broker.process.returncode == 0, log(tmp_path)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.close()


def log(directory):
    return (directory / "broker.log").read_text()


def test_the_first_command_serves_the_page_without_any_setting(starts, tmp_path):
    broker = starts(block("each later start"))
    page = shell(f"curl -sf {broker.url}", broker, tmp_path)
    assert "<title>" in page.stdout and "demo" in log(tmp_path), page


def test_openai_itself_is_asked_with_a_key_alone(starts, tmp_path):
    starts(block("OPENAI_API_KEY"))
    assert "answers come from a model" in log(tmp_path)


def test_a_server_of_ones_own_is_asked_for_its_own_model(starts, tmp_path):
    backend = Backend()
    backend.push(answer("Hello there"))
    starts(block("OPENAI_API_KEY")).end()
    broker = starts(block("11434"), OPENAI_BASE_URL=backend.url)
    run = python(block("import asyncio"), broker, tmp_path)
    backend.close()
    assert (run.returncode, run.stdout.strip()) == (0, "Hello there"), run
    assert backend.calls[0]["model"] == exports(block("11434"))["SOPHIE__AI__MODEL"]


def test_what_is_kept_in_redis_is_said_to_be(starts, tmp_path):
    redis = Redis(tmp_path)
    try:
        starts(block("USE_REDIS"), REDIS_URL=redis.url)
    finally:
        redis.close()
    assert "groups, logs and limits are in Redis" in log(tmp_path)


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 200_000, picture


def test_the_limits_that_are_named_are_those_in_force():
    limits = tomllib.loads((ROOT / "settings.toml").read_text())["limits"]
    said = next(text for text in TEXT.split("\n\n") if text.startswith("**Limits that a first script meets.**"))
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*\b", said) if number != "429"]
    names = ["user_burst", "user_messages_per_minute", "answers_per_session", "address_messages_per_minute", "connects_per_minute"]
    names += ["key_burst", "key_requests_per_minute", "user_tokens_per_hour"]
    assert numbers == [limits[name] for name in names]
