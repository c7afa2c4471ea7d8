"""A small real model behind a real OpenAI-compatible server (llama.cpp's): what no scripted server can show.

`make test-llm` builds the server (about ten minutes) and runs this; it is no part of `make test`.
"""

import json
import os
import subprocess
import urllib.request

import pytest
from broker import Broker, free_port
from openai import OpenAI
from waiting import until

SERVER = os.environ.get("LLAMA_SERVER")
MODEL = os.environ.get("LLAMA_MODEL")
# The model was trained to go on with a text, not to chat: it is given a conversation as lines, and writes the next line.
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The server's address."""
    if not (SERVER and MODEL):
        pytest.fail("LLAMA_SERVER and LLAMA_MODEL say what to run: use `make test-llm`")
    port = free_port()
    directory = tmp_path_factory.mktemp("llama")
    log = open(directory / "llama.log", "ab")
    (directory / "lines.jinja").write_text(TEMPLATE)
    # So small a model does not always find an end: a few hundred tokens are enough. The likeliest words, so that it says the same each time.
    arguments = ["-m", MODEL, "--host", "127.0.0.1", "--port", str(port), "-c", "8192", "-np", "2", "-n", "400"]
    arguments += ["--jinja", "--chat-template-file", str(directory / "lines.jinja"), "--reverse-prompt", "\n", "--temp", "0"]
    process = subprocess.Popen([SERVER, *arguments], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def healthy():
        assert process.poll() is None, f"llama-server ended; see {log.name}"
        try:
            return urllib.request.urlopen(f"{url}/health", timeout=2).status == 200
        except OSError:
            return False

    until(healthy, f"llama-server to have loaded its model; see {log.name}", 120)
    yield url
    process.kill()
    process.wait()
    log.close()


@pytest.fixture(scope="module")
def broker(model, tmp_path_factory):
    settings = {
        "SOPHIE__AI__BACKEND": "openai",
        "OPENAI_BASE_URL": f"{model}/v1",
        "SOPHIE__CACHE__ENABLED": "true",
        "SOPHIE__AI__MODEL": "gemma3",
        "SOPHIE__AI__SYSTEM_PROMPT": "Answer in one short sentence.",
    }
    broker = Broker(tmp_path_factory.mktemp("sophie"), settings=settings)
    broker.start()
    yield broker
    broker.close()


def answer(socket, question, id):
    socket.send(json.dumps({"type": "message.send", "id": id, "text": question}))
    text, pieces, start = "", 0, None
    while True:
        event = json.loads(socket.recv(timeout=120))
        match event["type"]:
            case "answer.start":
                start = event
            case "answer.delta":
                assert event["offset"] == len(text)
                text, pieces = text + event["text"], pieces + 1
            case "answer.end":
                assert event["text"] == text
                return start, text, pieces, event
            case "error" | "answer.error":
                pytest.fail(str(event))


def test_a_chat_session_is_answered_piece_by_piece_and_the_next_one_from_the_cache(broker):
    with broker.client("one") as one:
        start, text, pieces, end = answer(one, "What is the capital of France?", "1")
        assert start["cache"] == "miss" and pieces > 1 and "Paris" in text
        assert end["finish_reason"] == "stop"
        assert end["usage"]["completion_tokens"] > 0 and end["usage"]["prompt_tokens"] > 5
        # With what was said before.
        _, text, _, _ = answer(one, "Say it again.", "2")
        assert text.strip()
    with broker.client("two") as two:
        start, again, _, _ = answer(two, "What is the capital of France?", "1")
        assert start["cache"] == "hit" and "Paris" in again


def test_the_openai_sdk_streams_and_gets_whole_answers(broker):
    client = OpenAI(base_url=f"{broker.url}/v1", api_key="none", max_retries=0)
    messages = [{"role": "user", "content": "Count from one to five."}]
    # At temperature 0 an answer is the same each time, so the cache keeps it for applications too.
    request = {"model": "gemma3", "messages": messages, "max_tokens": 60, "temperature": 0}
    stream = client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.strip() and chunks[-1].usage.completion_tokens > 0
    whole = client.chat.completions.create(**request)
    assert whole.choices[0].message.content == text, "one entry of the cache serves both"
    assert whole.usage.completion_tokens == chunks[-1].usage.completion_tokens
    assert whole.choices[0].finish_reason in ("stop", "length")


def test_a_caller_who_goes_frees_the_model(broker, model):
    client = OpenAI(base_url=f"{broker.url}/v1", api_key="none", max_retries=0)
    messages = [{"role": "user", "content": "Write a very long story about a dragon."}]
    stream = client.chat.completions.create(model="gemma3", messages=messages, max_tokens=400, stream=True)
    next(iter(stream))

    def busy():
        with urllib.request.urlopen(f"{model}/slots", timeout=5) as slots:
            return any(slot["is_processing"] for slot in json.load(slots))

    until(busy, "the model to write", 20)
    stream.response.close()
    until(lambda: not busy(), "the model to be free", 5)
