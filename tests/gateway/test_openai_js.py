"""The official JavaScript SDK: the checks are in sdk.mjs, one for each name."""

import json
import pathlib
import secrets
import subprocess

import pytest
from ai_backend import answer, chunk, embeddings, refusal, stream, whole

HERE = pathlib.Path(__file__).parent
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
SCRIPTS = {
    "whole": [whole({"content": "Hi.", "x_new": [1]})],
    "streamed": [answer("Word by word.")],
    "tools": [stream(chunk({"role": "assistant", "content": None, "tool_calls": [CALL | {"index": 0}]}), chunk({}, "tool_calls"))],
    "embeddings": [embeddings([0.5, -2], [1, 0.25]), embeddings([3, 4], [5, 6])],
    "completions": [answer("Word by word.")],
    "models": [],
    "errors": [],
    "broken": [stream(chunk({"content": "half "}), {"error": {"message": "overloaded", "type": "server_error"}}, done=False)],
    "retried": [refusal(503, "server_error", None, retry_after="1"), answer("At the second try.")],
    "aborted": [stream(*[chunk({"content": "more "})] * 400, pause=0.05)],
}


@pytest.mark.parametrize("check", SCRIPTS)
def test_it_works(gateway, check):
    assert (HERE / "node_modules/openai").exists(), "make setup installs it"
    gateway.push(*SCRIPTS[check])
    options = {"baseURL": gateway.base_url, "apiKey": gateway.key, "model": gateway.model, "text": secrets.token_hex(8)}
    done = subprocess.run(["node", "sdk.mjs", check, json.dumps(options)], cwd=HERE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(gateway.calls) == len(SCRIPTS[check])
