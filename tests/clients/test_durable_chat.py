"""The AI SDK's chats over createDurableChatTransport, whose answers are read from their addresses, over two nodes."""

import functools

import published
from ai_backend import chunk, stream

play = functools.partial(published.play, "durable_chat.mjs")
TEXT = "Eine märchenhaft\r\nschöne Antwort \U0001f600 mit vielen Wörtern, bis zum Ende."
WORDS = [chunk({"content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)]


def text(chat):
    assert (chat["status"], chat.get("error")) == ("ready", None), chat
    return "".join(part["text"] for part in chat["messages"][-1]["parts"] if part["type"] == "text")


def test_an_answer_is_read_from_its_address_by_all_pages_of_a_chat(nodes):
    calls = len(nodes.backend.calls)
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.05))
    chats = play(nodes, "resumed")
    assert [text(chat) for chat in chats] == [TEXT] * 3
    assert len({chat["messages"][-1]["id"] for chat in chats}) == 1
    assert len(nodes.backend.calls) == calls + 1


def test_what_is_not_there_is_not_resumed_and_what_is_refused_is_told(nodes):
    # For longer than a busy machine pauses: the second question is to find it under way.
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.2))
    idle, first, second = play(nodes, "busy")
    assert (idle["status"], idle["messages"]) == ("ready", [])
    assert text(first) == TEXT
    assert second["error"] == "A response is already active for this chat."
