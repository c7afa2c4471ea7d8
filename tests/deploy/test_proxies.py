"""Each proxy with its file of deploy/proxies, in front of two nodes: a real WebSocket, real streams, a node that goes."""

import contextlib
import json
import re
import secrets
import time

import pytest
from broker import ROOT
from pair import KEY, two_nodes
from proxies import FILES, KINDS, NAME, CutOver
from waiting import until
from websockets.exceptions import ConnectionClosed, InvalidStatus

SITE = {"nginx": f"https://{NAME}", "caddy": f"http://{NAME}", "traefik": f"https://{NAME}"}


def started(kind, directory, nodes):
    return KINDS[kind](directory, nodes).start()


@pytest.fixture(scope="session", params=KINDS)
def proxy(request, tmp_path_factory, nodes):
    proxy = started(request.param, tmp_path_factory.mktemp(request.param), nodes)
    proxy.kind = request.param
    yield proxy
    proxy.close()


def name():
    return secrets.token_hex(8)


def asked(socket, text):
    socket.send(json.dumps({"type": "message.send", "id": name(), "text": text}))


def events(socket):
    """(seconds, event) until the answer has ended."""
    heard = []
    while not heard or heard[-1][1]["type"] not in ("answer.end", "answer.error", "error"):
        event = json.loads(socket.recv(timeout=20))
        heard.append((time.monotonic(), event))
    assert heard[-1][1]["type"] == "answer.end", heard[-1]
    return heard


def test_each_line_that_the_page_names_is_in_its_file():
    files = {"nginx": ["nginx.conf"], "Caddy": ["Caddyfile"], "Traefik": ["traefik/traefik.yml", "traefik/sophie.yml"]}
    rows = [line.strip("|").split("|") for line in (ROOT / "docs/proxies.md").read_text().splitlines() if line.startswith("|")]
    kinds = [cell.strip() for cell in rows[0]]
    named = 0
    for kind, names in files.items():
        text = re.sub(r"\s+", " ", "".join((FILES / name).read_text() for name in names))
        for cells in rows[2:]:
            for line in re.findall("`([^`]+)`", cells[kinds.index(kind)]):
                named += 1
                for part in line.split(" … "):
                    assert part in text, f"{kind}: {line}"
    assert named > 12


def test_an_answer_comes_over_a_websocket_while_it_is_written(proxy):
    with proxy.socket(name(), origin=SITE[proxy.kind]) as socket:
        asked(socket, f"What can you do, {name()}?")
        heard = events(socket)
    deltas = [seconds for seconds, event in heard if event["type"] == "answer.delta"]
    assert len(deltas) > 10 and heard[-1][0] - deltas[0] > 0.5, "the pieces came together"


def test_a_page_of_another_host_is_kept_out_since_the_name_is_passed_on(proxy):
    with pytest.raises(InvalidStatus) as refused:
        proxy.socket(name(), origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_events_of_v1_come_while_they_are_written(proxy):
    body = json.dumps({"model": "any", "stream": True, "messages": [{"role": "user", "content": f"Hi {name()}"}]})
    with proxy.get("/v1/chat/completions", "POST", body, authorization=f"Bearer {KEY}", content_type="application/json") as answer:
        assert answer.status == 200
        times = [time.monotonic() for line in answer if line.startswith(b"data: ")]
    assert len(times) > 10 and times[-1] - times[0] > 0.5, "the pieces came together"


def test_a_long_body_is_passed_on(proxy):
    body = json.dumps({"model": "any", "messages": [{"role": "user", "content": "Hi", "name": "x" * 2_000_000}]})
    with proxy.get("/v1/chat/completions", "POST", body, authorization=f"Bearer {KEY}", content_type="application/json") as answer:
        assert answer.status != 413, answer.read()


def test_what_is_for_operators_is_not_reached_from_outside(proxy):
    for path in ("/metrics", "/admin/api/groups", "/health/ready"):
        with proxy.get(path) as answer:
            assert answer.status == 404, path


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_counts_the_clients_own_address_and_none_that_it_claims(kind, tmp_path_factory):
    limits = {"SOPHIE__LIMITS__ENABLED": "true", "SOPHIE__LIMITS__CONNECTS_PER_MINUTE": "2"}
    with two_nodes(tmp_path_factory, **limits) as nodes, contextlib.closing(started(kind, tmp_path_factory.mktemp(kind), nodes)) as proxy:
        for claimed in ("203.0.113.1", "203.0.113.2"):
            proxy.socket(name(), source="127.0.0.2", x_forwarded_for=claimed).close()
        with pytest.raises(InvalidStatus) as refused:
            proxy.socket(name(), source="127.0.0.2", x_forwarded_for="203.0.113.3")
        assert refused.value.response.status_code == 429
        proxy.socket(name(), source="127.0.0.3").close()


def test_a_token_in_the_query_is_not_logged(proxy):
    token, session = f"secret{name()}", name()
    with proxy.socket(session, f"?token={token}"):
        pass
    with proxy.get(f"/page/nothing-{session}?token={token}") as answer:
        assert answer.status == 404
    if proxy.kind != "traefik":  # which leaves out the path as well
        until(lambda: f"nothing-{session}" in proxy.log(), "the request to be in the proxy's log")
    assert token not in proxy.log()


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_drains_and_everybody_is_at_the_other_at_once(kind, tmp_path_factory):
    with two_nodes(tmp_path_factory) as nodes, contextlib.closing(started(kind, tmp_path_factory.mktemp(kind), nodes)) as proxy:
        sockets = [proxy.socket(name()) for _ in range(8)]
        at = [json.loads(socket.recv(timeout=10))["node"] for socket in sockets]
        assert set(at) == {"one", "two"}, f"not spread: {at}"
        nodes[0].process.terminate()
        until(lambda: "event=draining" in (nodes[0].directory / "broker.log").read_text(), "the node to drain")
        refused = 0
        for node, socket in zip(at, sockets):
            if node == "two":
                continue
            # Told to come back, with the code that says so, through the proxy.
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    socket.recv(timeout=15)
            assert closed.value.rcvd.code == 4001
            deadline = time.monotonic() + 5
            while True:
                try:
                    with proxy.socket(name()) as again:
                        assert json.loads(again.recv(timeout=10))["node"] == "two"
                    break
                except InvalidStatus as refusal:
                    # The protocol's word: come again. Traefik and Caddy notice within a second.
                    assert refusal.response.status_code == 503 and time.monotonic() < deadline
                    refused += 1
                    time.sleep(0.2)
        assert kind != "nginx" or refused == 0, "nginx tries the other node by itself"
        for node, socket in zip(at, sockets):
            if node == "two":
                asked(socket, "Still there?")
                events(socket)
                socket.close()


def test_a_cookie_leads_to_sophie_as_the_guide_for_django_sites_has_it(tmp_path, nodes):
    """docs/migrating-from-django-channels.md, cut-over."""
    with contextlib.closing(CutOver(tmp_path, nodes).start()) as proxy:
        for cookie, node in [("sophie=1", "one"), ("other=1", "two")] * 2:
            with proxy.socket(name(), cookie=cookie, origin=f"http://{NAME}") as socket:
                assert json.loads(socket.recv(timeout=10))["node"] == node
