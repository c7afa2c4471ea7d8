"""@durable-streams/client reads answers as they are written, and groups as people speak in them, from both nodes in turn."""

import json
import pathlib
import secrets
import subprocess
import time

import pytest
from ai_backend import chunk, stream

HERE = pathlib.Path(__file__).parent
TEXT = "Eine märchenhaft\r\nschöne Antwort \U0001f600 mit vielen Wörtern, eines nach dem anderen, bis zum Ende."


def ask(socket):
    """Asks a question; its answer's id."""
    socket.send(json.dumps({"type": "message.send", "id": "q", "text": secrets.token_hex(8)}))
    return event(socket, "answer.start")["answer"]


def event(socket, kind):
    while True:
        told = json.loads(socket.recv(timeout=15))
        if told["type"] == kind:
            return told


@pytest.mark.parametrize("live", [True, "long-poll", "sse"])
@pytest.mark.parametrize("pieces", [None, 1, 3])
def test_an_answer_is_read_byte_for_byte(nodes, live, pieces):
    words = [chunk({"content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)]
    nodes.backend.push(stream(*words, chunk({}, "stop"), pause=0.05))
    with nodes[0].client(secrets.token_hex(8)) as socket:
        answer = ask(socket)
        options = {"urls": [f"{node.url}/ds/answers/{answer}" for node in reversed(nodes)], "live": live, "pieces": pieces}
        done = subprocess.run(["node", "durable.mjs", json.dumps(options)], cwd=HERE, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.decode() == event(socket, "answer.end")["text"] == TEXT


@pytest.mark.parametrize("live", [True, "long-poll", "sse"])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_a_group_is_followed_event_by_event(nodes, live, most):
    group = secrets.token_hex(8)
    options = {"urls": [f"{node.url}/ds/groups/{group}" for node in nodes], "live": live, "events": 9, "most": most}
    said = []
    with nodes[0].client(secrets.token_hex(8)) as here, nodes[1].client(secrets.token_hex(8)) as there:
        for socket in (here, there):
            socket.send(json.dumps({"type": "group.join", "id": "j", "group": group}))
            event(socket, "ack")

        def say(number):
            socket = (here, there)[number % 2]
            socket.send(json.dumps({"type": "message.send", "id": f"m{number}", "group": group, "text": f"Nummer {number}, schön.", "assistant": False}))
            said.append(event(here, "message"))

        for number in range(3):
            say(number)
        reading = subprocess.Popen(["node", "group.mjs", json.dumps(options)], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            for number in range(3, 9):
                time.sleep(0.1)
                say(number)
            out, errors = reading.communicate(timeout=30)
        finally:
            reading.kill()
    assert reading.returncode == 0, errors.decode()
    assert json.loads(out) == said
