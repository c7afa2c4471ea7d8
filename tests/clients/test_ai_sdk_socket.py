"""The AI SDK's chats over its WebSocketChatTransport, over two nodes."""

import functools
import json
import subprocess

import published
import pytest
from ai_backend import chunk, stream
from pair import answering
from published import CLIENTS, command

TEXT = "Eine märchenhaft\r\nschöne Antwort \U0001f600 mit vielen Wörtern, eines nach dem anderen, bis zum Ende."
WORDS = [chunk({"content": TEXT[at : at + 4]}) for at in range(0, len(TEXT), 4)]
# What a client is told of it at most: a beginning and an end of message, step and text around the words, each before it the cut.
CHUNKS = len(WORDS) + 6
ENDLESS = stream(*[chunk({"content": "more "})] * 400, pause=0.05)


play = functools.partial(published.play, "socket.mjs")


def text(message):
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def is_whole(chat):
    assert (chat["status"], chat.get("error")) == ("ready", None), chat
    assert [message["role"] for message in chat["messages"]] == ["user", "assistant"]
    assert text(chat["messages"][1]) == TEXT
    return chat["messages"][1]["id"]


def test_a_connection_that_breaks_before_any_chunk_goes_on_at_the_other_node_byte_for_byte(nodes):
    calls = len(nodes.backend.calls)
    nodes.backend.push(*[stream(*WORDS, chunk({}, "stop"), pause=0.05)] * CHUNKS)
    chats = play(nodes, "cut", chunks=CHUNKS)
    assert sum(broken["status"] == "error" for broken, _, _ in chats) >= len(WORDS) // 2
    for broken, page, loaded in chats:
        # A chunk or two may have been told with others: then there is nothing left to break.
        if broken["status"] != "ready":
            assert "network connection closed" in broken["error"]
        assert is_whole(page) == is_whole(loaded)
    assert len(nodes.backend.calls) == calls + CHUNKS, "resuming asks nobody"


def test_many_pages_watch_one_answer_that_is_asked_for_once(nodes):
    calls = len(nodes.backend.calls)
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.05))
    chats = play(nodes, "watched", viewers=100)
    assert len(chats) == 101
    assert {text(chat["messages"][-1]) for chat in chats} == {TEXT}
    assert len({chat["messages"][-1]["id"] for chat in chats}) == 1
    assert len(nodes.backend.calls) == calls + 1


def test_a_stop_is_seen_at_the_other_node_within_a_second_whoever_looks_on(nodes):
    stops = 3
    nodes.backend.push(*[ENDLESS] * 2 * stops)
    # A busy machine may pause in one of them. The answer itself would go on for 20 s.
    for times in play(nodes, "stopped", stops=stops):
        assert min(times) < 1000 and max(times) < 10_000, times


def test_a_page_that_is_closed_stops_nothing(nodes):
    # For longer than a busy machine pauses: the page is to be closed before the end.
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.2))
    page, again = play(nodes, "closed")
    assert page["status"] == "error" and len(text(page["messages"][1])) < len(TEXT)
    is_whole(again)


def test_a_page_that_resumes_twice_stops_nothing(nodes):
    nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.1))
    asker, page = play(nodes, "resumedTwice")
    is_whole(asker)
    assert text(page["messages"][-1]) == TEXT


def test_an_answer_whose_node_is_killed_ends_as_interrupted_exactly_once(tmp_path_factory):
    with answering(tmp_path_factory) as nodes:
        nodes.backend.push(ENDLESS)
        asked = command("socket.mjs", nodes, "interrupted")
        with subprocess.Popen(asked, cwd=CLIENTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            assert client.stderr.readline() == "begun\n"
            nodes[0].kill()
            told, errors = client.communicate(timeout=60)
        assert client.returncode == 0, told + errors
        asker, viewer, messages = json.loads(told)
    assert asker["status"] == "error" and "network connection" in asker["error"]
    assert (viewer["status"], viewer["ended"]) == ("ready", ["interrupted"])
    assert [message["role"] for message in messages] == ["user", "assistant"]
    # The log has what was saved, and the recording what was stored: each of them of the last moments, not of the same.
    longer, shorter = sorted((text(messages[1]), text(viewer["messages"][-1])), key=len, reverse=True)
    assert longer.startswith(shorter) and shorter.startswith("more ")
