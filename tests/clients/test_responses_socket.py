"""OpenAI's SDK for Python over a WebSocket: two lanes, going on, and coming back at the other node."""

import pytest
from ai_backend import answer, chunk, stream
from openai import OpenAI

WORDS = ["one ", "two ", "three"]


def client(node):
    return OpenAI(base_url=f"{node.url}/v1", api_key="any", max_retries=0)


def slowly(pause):
    return stream(*(chunk({"content": word}) for word in WORDS), chunk({}, "stop"), pause=pause)


def lanes_of(connection, wanted):
    """The events of so many lanes, to the end of each."""
    lanes = {lane: [] for lane in wanted}
    for event in connection:
        assert event.type != "error", event
        lanes[event.stream_id].append(event)
        if all(events and events[-1].type == "response.completed" for events in lanes.values()):
            return lanes


def test_two_lanes_of_one_connection_are_told_beside_each_other(nodes):
    nodes.backend.push(slowly(0.05), slowly(0.05))
    with client(nodes[0]).responses.connect() as connection:
        for lane in ["a", "b"]:
            connection.response.create(model="test-model", input=f"in {lane}", stream_id=lane)
        lanes = lanes_of(connection, ["a", "b"])
    for events in lanes.values():
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert events[-1].response.output_text == "one two three"
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == "one two three"


def test_a_connection_goes_on_from_what_is_stored_nowhere(nodes):
    nodes.backend.push(answer("first"), answer("second"))
    with client(nodes[1]).responses.connect() as connection:
        connection.response.create(model="test-model", input="then", store=False)
        first = next(event.response for event in connection if event.type == "response.completed")
        connection.response.create(model="test-model", input="and", store=False, previous_response_id=first.id)
        second = next(event.response for event in connection if event.type == "response.completed")
    assert second.output_text == "second"
    assert [message["content"] for message in nodes.backend.calls[-1]["messages"]] == ["then", "first", "and"]


@pytest.mark.parametrize("seen", [1, 3, 5])
def test_what_drops_with_its_connection_is_read_on_by_http_at_the_other_node(nodes, seen):
    nodes.backend.push(slowly(0.05))
    events = []
    with client(nodes[0]).responses.connect() as connection:
        connection.response.create(model="test-model", input="?")
        for event in connection:
            events.append(event)
            if len(events) == seen:
                break
    response = events[0].response.id
    rest = list(client(nodes[1]).responses.retrieve(response, stream=True, starting_after=events[-1].sequence_number))
    numbers = [event.sequence_number for event in events + rest]
    assert numbers == list(range(len(numbers)))
    assert rest[-1].response.output_text == "one two three"
