"""@ag-ui/client's runs over two nodes: cut anywhere and gone on with, shared, cancelled, with a node that dies. Every event is one of AG-UI's."""

import functools
import json
import subprocess

import published
import pytest
from ag_ui.core import Event
from ai_backend import chunk, stream
from pydantic import TypeAdapter
from published import CLIENTS, command

EVENT = TypeAdapter(Event)
WORDS = ["Eine ", "märchen", "haft\r\n", "schöne ", "Antwort ", "\U0001f600."]
TOOLS = [{"name": "weather", "description": "of a city", "parameters": {"type": "object", "properties": {}}}]
ANSWER = [*({"reasoning_content": piece} for piece in ("Let me ", "think.")), *({"content": word} for word in WORDS)]
CALL = [
    {"content": "Let me see."},
    {"tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Ulm"}'}}]},
]


def script(deltas, finish="stop", pause=0.03):
    return stream(*(chunk(delta) for delta in deltas), chunk({}, finish), pause=pause)


play = functools.partial(published.play, "agui.mjs")


def kinds(agent):
    return [event["type"] for event in agent["events"]]


def checked(agent):
    """What an agent was told, all of it events of AG-UI."""
    for event in agent["events"]:
        EVENT.validate_python(event)
    assert agent["events"][0]["type"] == "RUN_STARTED"
    return agent


@pytest.mark.parametrize(("deltas", "finish", "tools", "events"), [(ANSWER, "stop", [], 14), (CALL, "tool_calls", TOOLS, 9)], ids=["thoughts", "tools"])
def test_a_run_that_is_cut_behind_any_event_goes_on_at_the_other_node(nodes, deltas, finish, tools, events):
    cuts = list(range(1, events + 1))
    nodes.backend.push(*[script(deltas, finish)] * len(cuts))
    calls = len(nodes.backend.calls)
    for cut, (first, second, whole) in zip(cuts, play(nodes, "cut", cuts=cuts, tools=tools)):
        checked(second), checked(whole)
        assert first.get("error"), "a stream without its end is no whole one"
        assert len(whole["events"]) == events, "it was cut behind every one of them"
        assert second.get("error") is None and whole.get("error") is None
        assert second["messages"] == whole["messages"], cut
        assert kinds(second)[-1] == "RUN_FINISHED"
    assert len(nodes.backend.calls) == calls + len(cuts)


def test_two_agents_on_one_run_are_one_request(nodes):
    calls = len(nodes.backend.calls)
    nodes.backend.push(script(ANSWER))
    one, two = map(checked, play(nodes, "shared"))
    assert one == two
    assert one["messages"][-1]["content"] == "".join(WORDS)
    assert len(nodes.backend.calls) == calls + 1


def test_a_run_is_cancelled_for_all_who_look_on(nodes):
    nodes.backend.push(script([{"content": "more "}] * 400, pause=0.05))
    for agent in map(checked, play(nodes, "cancelled")):
        assert agent["events"][-1]["outcome"] == {"type": "cancelled"}
        assert agent["messages"][-1]["content"].startswith("more ")


def test_the_client_carries_out_what_the_model_asks_for(nodes):
    nodes.backend.push(script(CALL, "tool_calls"), script([{"content": "It is sunny."}]))
    (agent,) = map(checked, play(nodes, "tooled", tools=TOOLS))
    assert agent["messages"][-1]["content"] == "It is sunny."
    asked = nodes.backend.calls[-1]["messages"]
    assert [message["role"] for message in asked[-3:]] == ["user", "assistant", "tool"]
    assert asked[-1] == {"role": "tool", "tool_call_id": "call-1", "content": "sunny"}


def test_a_run_whose_node_is_killed_ends_at_the_other_one(nodes):
    nodes.backend.push(script([{"content": "more "}] * 400, pause=0.05))
    playing = subprocess.Popen(command("agui.mjs", nodes, "orphaned"), cwd=CLIENTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert playing.stderr.readline() == "begun\n"
        nodes[0].kill()
        out, errors = playing.communicate(timeout=60)
    finally:
        playing.kill()
        nodes[0].start()
    assert playing.returncode == 0, errors
    first, second = json.loads(out)
    assert first["error"], "it was cut"
    checked(second)
    assert (second["events"][-1]["type"], second["events"][-1]["code"]) == ("RUN_ERROR", "interrupted")
    assert second["messages"][-1]["content"].startswith("more ")
