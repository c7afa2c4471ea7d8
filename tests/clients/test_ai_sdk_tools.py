"""Tools that a `useChat` page calls, over two nodes: the steps of an answer are one message, however it is seen."""

import json

from ai_backend import chunk, stream
from published import play

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


def asks(*cities):
    calls = [
        {"index": at, "id": f"call-{city}", "type": "function", "function": {"name": "weather", "arguments": json.dumps({"city": city})}}
        for at, city in enumerate(cities)
    ]
    return stream(chunk({"content": "Let me see. "}), chunk({"tool_calls": calls}), chunk({}, "tool_calls"))


ANSWER = "It is warm in all of these cities, and it will be so for the whole day."
WORDS = [chunk({"content": ANSWER[at : at + 3]}) for at in range(0, len(ANSWER), 3)]


def seen(message):
    """What a page shows of a message."""
    parts = []
    for part in message["parts"]:
        if part["type"] == "text":
            parts.append(part["text"])
        elif part["type"].startswith("tool-"):
            assert part["state"] == "output-available", part
            parts.append((part["type"], part["toolCallId"], part["input"], part["output"]))
        else:
            parts.append(part["type"])
    return parts


def test_the_steps_of_an_answer_are_one_message_for_everybody_and_each_tool_is_called_once(nodes):
    calls = len(nodes.backend.calls)
    for _ in range(2):
        nodes.backend.push(asks("Rome", "Oslo"), asks("Bern"), stream(*WORDS, chunk({}, "stop"), pause=0.08))
    chats = play("tools.mjs", nodes, "tools", tools=[TOOL])

    def call(city):
        return ("tool-weather", f"call-{city}", {"city": city}, {"city": city, "degrees": 31})

    wait = ["step-start", "Let me see. "]
    whole = [*wait, call("Rome"), call("Oslo"), *wait, call("Bern"), "step-start", ANSWER]
    for asker, looks_on, empty, loaded in chats:
        assert asker.get("error") is None and asker["status"] == "ready", asker
        assert asker["called"] == ["call-Rome", "call-Oslo", "call-Bern"]
        assert looks_on["called"] == empty["called"] == [], "they are over"
        for chat in (asker, looks_on, loaded):
            assert [message["role"] for message in chat["messages"]] == ["user", "assistant"]
        assert seen(asker["messages"][1]) == seen(looks_on["messages"][1]) == seen(empty["messages"][-1]) == seen(loaded["messages"][1]) == whole
        assert len({chat["messages"][-1]["id"] for chat in (asker, looks_on, empty, loaded)}) == 1
    assert len(nodes.backend.calls) == calls + 6
    last = nodes.backend.calls[-1]
    assert [message["role"] for message in last["messages"][-6:]] == ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert last["tools"] == [TOOL]
