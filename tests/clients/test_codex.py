"""Codex, unchanged: over a WebSocket, and over HTTP where that is switched off."""

import json
import os
import pathlib
import subprocess

import pytest
from ai_backend import chunk, stream
from broker import Broker
from pages import block

HERE = pathlib.Path(__file__).parent
CODEX = HERE / "node_modules/.bin/codex"
# Of docs/responses.md, as it is printed.
CONFIG = block("docs/responses.md", "wire_api")


def calls(handler, body):
    """Asks for a command, by whichever of its tools Codex offers for that."""
    tools = {tool["function"]["name"] for tool in body["tools"]}
    arguments = {"exec_command": {"cmd": "echo said-by-the-tool"}, "shell_command": {"command": "echo said-by-the-tool"}}
    name = next(name for name in arguments if name in tools)
    function = {"name": name, "arguments": json.dumps(arguments[name])}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    stream(chunk({"role": "assistant", "tool_calls": [call]}), chunk({}, "tool_calls"))(handler, body)


def says(text):
    return stream(chunk({"role": "assistant", "content": text}), chunk({}, "stop"))


def run(url, folder):
    (folder / "home").mkdir()
    (folder / "home/config.toml").write_text(CONFIG.replace("http://127.0.0.1:8080", url))
    work = folder / "work"
    work.mkdir()
    environment = os.environ | {"CODEX_HOME": str(folder / "home"), "SOPHIE_KEY": "any", "PATH": f"{HERE}/node_modules/node/bin:{os.environ['PATH']}"}
    command = [CODEX, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Run a command."]
    done = subprocess.run(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def plain(nodes, tmp_path):
    """A node that has no WebSockets for responses."""
    settings = {
        "SOPHIE__AI__BACKEND": "openai",
        "OPENAI_BASE_URL": nodes.backend.url,
        "OPENAI_API_KEY": "x",
        "SOPHIE__RESPONSES__WEBSOCKET": "false",
    }
    broker = Broker(tmp_path, None, settings)
    broker.start()
    yield broker
    broker.close()


@pytest.mark.parametrize("way", ["websocket", "http"])
def test_codex_runs_a_command_and_goes_on_with_its_result(nodes, plain, tmp_path, way):
    node = nodes[0] if way == "websocket" else plain
    begun = len(nodes.backend.calls)
    nodes.backend.push(calls, says("It is done."))
    done = run(node.url, tmp_path)
    assert done.stdout.strip() == "It is done."
    assert "econnect" not in done.stderr, done.stderr
    asked = nodes.backend.calls[begun:]
    assert len(asked) == 2
    result = asked[1]["messages"][-1]
    assert (result["role"], result["tool_call_id"]) == ("tool", "call_1")
    assert "said-by-the-tool" in result["content"]
