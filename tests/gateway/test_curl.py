"""curl, as the documents show it."""

import json
import secrets
import subprocess

from ai_backend import answer


def curl(gateway, path, *options, body=None):
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *options, f"{gateway.base_url}{path}"]
    command += ["-H", f"Authorization: Bearer {gateway.key}"]
    if body is not None:
        command += ["--json", json.dumps(body)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_shows_a_whole_answer_and_a_stream(gateway):
    gateway.push(answer("Hello there."))
    body = {"model": gateway.model, "temperature": 0, "messages": [{"role": "user", "content": secrets.token_hex(8)}]}
    whole = json.loads(curl(gateway, "/chat/completions", body=body))
    assert whole["choices"][0]["message"]["content"] == "Hello there."
    head, _, events = curl(gateway, "/chat/completions", "--no-buffer", "--include", "--compressed", body=body | {"stream": True}).partition("\n\n")
    assert "text/event-stream" in head.lower() and "x-sophie-cache: " in head.lower()
    lines = events.strip().split("\n\n")
    assert lines[-1] == "data: [DONE]" and "Hello there." in "".join(lines)
    assert json.loads(curl(gateway, "/models"))["object"] == "list"


def test_it_is_told_what_is_wrong(gateway):
    gateway.key = "wrong"
    status = curl(gateway, "/chat/completions", "--write-out", "\n%{http_code}", body={})
    body, _, code = status.rpartition("\n")
    assert code == "401" and json.loads(body)["error"]["code"] == "invalid_api_key"
