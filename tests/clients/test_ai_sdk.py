"""The AI SDK's chats, as `useChat` has them, over two nodes."""

import functools

import published
import pytest
from ai_backend import answer, chunk, stream

play = functools.partial(published.play, "chat.mjs")
TEXT = "Eine märchenhaft\r\nschöne Antwort \U0001f600 mit vielen Wörtern, eines nach dem anderen, bis zum Ende."
WORDS = [chunk({"content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)]


def text(message):
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


@pytest.mark.parametrize("most", [0, 1, 90, 250, 700, 1500])
def test_a_page_that_is_loaded_anew_at_another_node_goes_on_byte_for_byte(nodes, most):
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.03))
    first, second = play(nodes, "resumed", most=most)
    assert first["status"] == "error" and first["error"], "a stream without its end is no whole one"
    assert second["status"] == "ready" and second.get("error") is None, second
    assert [message["role"] for message in second["messages"]] == ["user", "assistant"]
    assert text(second["messages"][1]) == TEXT


def test_many_pages_watch_one_answer_that_is_asked_for_once(nodes):
    calls = len(nodes.backend.calls)
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.03))
    chats = play(nodes, "watched", viewers=100)
    assert len(chats) == 101
    for chat in chats:
        assert (chat["status"], chat.get("error")) == ("ready", None)
        assert text(chat["messages"][-1]) == TEXT
    assert len({chat["messages"][-1]["id"] for chat in chats}) == 1
    assert len(nodes.backend.calls) == calls + 1


def test_a_stop_at_another_node_ends_the_answer_and_keeps_what_there_is(nodes):
    nodes.backend.push(stream(*[chunk({"content": "more "})] * 400, pause=0.05))
    calls = len(nodes.backend.calls)
    (chat,) = play(nodes, "stopped")
    assert chat["status"] == "ready"
    assert text(chat["messages"][-1]).startswith("more ")
    assert len(text(chat["messages"][-1])) < 400 * len("more ")
    assert len(nodes.backend.calls) == calls + 1


def test_one_answer_at_a_time_and_another_one_in_its_place(nodes):
    # For longer than a busy machine pauses: the second question is to find it under way.
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.15), answer("Another one."))
    chat, other = play(nodes, "busy")
    assert other["error"] == "A response is already active for this chat."
    assert [message["role"] for message in chat["messages"]] == ["user", "assistant"]
    assert text(chat["messages"][1]) == "Another one."
