"""What a broker sends to any client is held to its documents: that this finds what is not described."""

import copy
import json
import subprocess
import urllib.request

import pytest
from broker import Broker
from described import Described, Undescribed
from openai import OpenAI


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("seen"))
    broker.start()
    yield broker
    broker.close()


def without(described, *fields):
    """Documents in which some fields of schemas are missing, each as `Schema.field`."""
    broken = Described("{}", "{}")
    for document, whole in ((broken.openapi, described.openapi), (broken.asyncapi, described.asyncapi)):
        document.value = copy.deepcopy(whole.value)
        for name, field in (each.split(".") for each in fields):
            document.value["components"]["schemas"].get(name, {}).get("properties", {}).pop(field, None)
    return broken


def test_a_frame_and_a_body_that_are_not_as_they_are_described_are_found(broker):
    broker.say("s1", "Hello.", group="team")
    OpenAI(base_url=f"{broker.url}/v1", api_key="any").responses.create(model="m", input="Hi", stream=False)
    asked = '{"stream": true, "model": "m", "messages": [{"role": "user", "content": "Hi"}]}'
    subprocess.run(["curl", "-sN", f"{broker.url}/v1/chat/completions", "--json", asked], check=True, capture_output=True)
    urllib.request.urlopen(f"{broker.url}/v1/models", timeout=10).close()
    assert broker.tap.check(broker.described) == []
    assert broker.tap.frames > 4 and broker.tap.bodies > 10, (broker.tap.frames, broker.tap.bodies)
    for field, words in [("Message.author", "'author' was unexpected"), ("Response.output", "'output' was unexpected")]:
        told = broker.tap.check(without(broker.described, field))
        assert told and words in told[0], (field, told)


def test_a_broker_that_sent_such_a_thing_ends_its_test_with_a_failure(tmp_path):
    broker = Broker(tmp_path)
    try:
        broker.start()
        broker.say("s1", "Hello.")
        broker.described = without(broker.described, "SessionReady.epoch")
        with pytest.raises(AssertionError, match="not described"):
            broker.close()
    finally:
        broker.kill()


@pytest.mark.parametrize(
    ("method", "target", "status", "headers", "body", "words"),
    [
        ("GET", "/health/live", 202, {}, b"", "202, which is not described"),
        ("POST", "/health/live", 200, {}, b"", "is not described"),
        ("GET", "/health/live", 200, {"content-type": "text/html"}, b"", "text/html"),
        ("GET", "/health/live", 200, {"x-sophie-mood": "good"}, b"", "x-sophie-mood"),
        ("GET", "/api/chat/c/stream", 204, {}, b"x", "a body"),
        ("POST", "/ag-ui", 200, {"content-type": "text/event-stream"}, b'data: {"type":"NEW"}\n\n', "NEW"),
        ("GET", "/health/live", 200, {"content-type": "application/json"}, b"{", "no JSON"),
    ],
)
def test_what_is_wrong_with_a_response_is_named(broker, method, target, status, headers, body, words):
    with pytest.raises(Undescribed, match=words):
        broker.described.body(method, target, status, headers, body)


def test_a_frame_without_a_description_is_found(broker):
    with pytest.raises(Undescribed, match="no message"):
        broker.described.frame("sophie", {"type": "unheard"})
    typing = {"type": "typing", "group": "team", "user": "alice"}
    broker.described.frame("sophie", typing)
    with pytest.raises(Undescribed, match="extra"):
        broker.described.frame("sophie", json.loads(json.dumps(typing | {"extra": 1})))
