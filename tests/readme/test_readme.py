"""README's blocks, run as they are printed, twice in a row. Only addresses and ports are those of the test."""

import pathlib
import re
import shlex
import subprocess
import sys

import pytest
from ai_backend import Backend, answer
from broker import ROOT, Broker, Redis, running

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S)
# What is run elsewhere: the two first commands by whoever tests at all, the container by `make image`.
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


def python(text, broker, directory):
    program = directory / "client.py"
    program.write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{broker.port}"))
    return subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=WITHIN)


def shell(text, broker, directory):
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{broker.port}")
    return subprocess.run(["bash", "-euc", text], capture_output=True, text=True, timeout=WITHIN, cwd=directory)


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


@pytest.fixture
def starts(tmp_path):
    """Starts the program as a block does; what is given besides are the test's own addresses in the place of the block's."""
    started = []

    def start(text, **instead):
        assert text.splitlines()[-1] == "cargo run --release"
        settings = exports(text)
        assert settings.keys() >= instead.keys(), f"the block does not set {instead.keys() - settings.keys()}"
        broker = Broker(tmp_path, settings={"SOPHIE__AI__BACKEND": "auto"} | settings | instead)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.close()


def log(directory):
    return (directory / "broker.log").read_text()


def test_openai_itself_is_asked_with_a_key_alone(starts, tmp_path):
    starts(block("OPENAI_API_KEY"))
    assert "answers come from a model" in log(tmp_path)


def test_a_server_of_ones_own_is_asked_for_its_own_model(starts, tmp_path):
    backend = Backend()
    backend.push(answer("Hello there"))
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
