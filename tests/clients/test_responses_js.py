"""OpenAI's SDK for JavaScript and the AI SDK's OpenAI provider, by the Responses API, over two nodes."""

import published
import pytest
from ai_backend import answer, chunk, stream

TEXT = "Eine märchenhaft schöne Antwort \U0001f600, Wort für Wort."
WORDS = [chunk({"content": TEXT[at : at + 6]}) for at in range(0, len(TEXT), 6)]
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


def play(nodes, what, **more):
    nodes.backend.calls.clear()
    return published.play("responses.mjs", nodes, what, **more)


def text(events):
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def test_a_response_whole_and_streamed(nodes):
    nodes.backend.push(answer("Well."), stream(*WORDS, chunk({}, "stop")))
    seen = play(nodes, "asked")
    assert (seen["whole"]["output_text"], seen["whole"]["usage"]["total_tokens"]) == ("Well.", 12)
    assert seen["again"] == seen["whole"]
    assert text(seen["told"]) == TEXT == seen["last"]["output_text"]


def test_a_response_in_the_form_of_a_schema(nodes):
    nodes.backend.push(answer('{"name": "Rome"}'))
    assert play(nodes, "parsed") == {"name": "Rome"}


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 6, 9, 14, 17])
def test_a_stream_that_is_cut_goes_on_at_the_other_node(nodes, cut):
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.02))
    seen = play(nodes, "cut", cut=cut)
    told = seen["told"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert text(told) == TEXT
    assert told[-1]["type"] == "response.completed"
    assert [event["sequence_number"] for event in seen["helped"]] == list(range(cut, len(told)))
    assert len(nodes.backend.calls) == 1


def test_a_response_is_stopped_and_deleted_at_the_other_node(nodes):
    nodes.backend.push(stream(*[chunk({"content": "more "})] * 400, pause=0.05))
    seen = play(nodes, "stopped")
    assert seen["stopped"]["status"] == "cancelled"
    assert seen["again"] == seen["stopped"]
    assert seen["gone"]["status"] == 404 and "not found" in seen["gone"]["message"]


def test_the_provider_of_the_ai_sdk_streams(nodes):
    nodes.backend.push(stream(*WORDS, chunk({}, "stop")))
    seen = play(nodes, "provider")
    assert (seen["text"], seen["finishReason"]) == (TEXT, "stop")
    assert seen["usage"]["totalTokens"] == 12


def test_the_provider_of_the_ai_sdk_calls_tools_and_names_what_was_said(nodes):
    asked = stream(chunk({"role": "assistant", "content": None, "tool_calls": [CALL]}), chunk({}, "tool_calls"))
    nodes.backend.push(asked, answer("Go to Rome."), answer("Eat."))
    seen = play(nodes, "tools")
    assert (seen["text"], seen["steps"], seen["next"]) == ("Go to Rome.", 2, "Eat.")
    said = nodes.backend.calls[1]["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "tool"]
    assert (said[1]["tool_calls"][0]["id"], said[2]["content"]) == ("call_1", "Sunny in Rome")
    more = nodes.backend.calls[2]["messages"]
    assert more == [said[0], {"role": "assistant", "content": "Go to Rome."}, {"role": "user", "content": "And then?"}]
