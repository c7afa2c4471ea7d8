"""The real broker and the real Redis, as processes that tests start, slow, kill and start again.

SOPHIE_BIN names the program (default: target/debug/sophie).
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from waiting import until
from websockets.sync.client import connect

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SOPHIE_BIN", str(ROOT / "target/debug/sophie"))
ADMIN_TOKEN = "an-operators-token-of-these-tests"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def held_port():
    """A socket whose port nobody else is given while it lives: neither before a program of the test listens there, nor while that is down.
    It does not listen. Beside it can whoever sets SO_REUSEADDR, as Sophie, Redis, Daphne and Vite do."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Broker:
    """The program on a port of its own; can be killed and started again on the same one."""

    # Clients reach it by a line that holds what it sends to what it says of itself. `bind` is where it listens, `port` where clients go.
    tapped = True
    # Types of frames that an application has sent as they are (`websocket.send`): they are described nowhere.
    foreign = ()

    def __init__(self, directory, redis=None, settings=None, file=None):
        self.mode = "redis" if redis else "memory"
        self.held = held_port()
        self.port = self.bind = self.held.getsockname()[1]
        self.tap = self.described = None
        if self.tapped:
            from tap import Tap

            self.tap = Tap(self.bind)
            self.port = self.tap.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        self.redis = redis
        self.settings = settings or {}
        self.arguments = ["--settings", str(file)] if file else []
        self.process = None
        self.output = open(directory / "broker.log", "ab")

    def start(self, **settings):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SOPHIE__", "REDIS_", "USE_REDIS", "OPENAI_"))}
        environment |= {
            "SOPHIE__SERVER__BIND": f"127.0.0.1:{self.bind}",
            "SOPHIE__AI__BACKEND": "demo",
            # Each test asks for what it needs: a shared machine's address must not run out of messages.
            "SOPHIE__LIMITS__ENABLED": "false",
            # Who asks what another test asked is to see it streamed all the same.
            "SOPHIE__CACHE__ENABLED": "false",
            "SOPHIE__ADMIN__TOKEN": ADMIN_TOKEN,
        }
        if self.redis:
            environment |= {"USE_REDIS": "true", "REDIS_URL": self.redis.url}
        environment |= self.settings | settings
        self.process = subprocess.Popen([PROGRAM, *self.arguments], env=environment, cwd=self.directory, stdout=self.output, stderr=self.output)
        until(self.ready, f"{PROGRAM} to be ready; see {self.directory}/broker.log", 30)
        if self.tap:
            self.described = self.documents()

    def documents(self):
        """What it says of itself."""
        from described import Described

        def read(name):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.bind}/{name}.json", timeout=10) as answer:
                return answer.read()

        return Described.of(read("openapi"), read("asyncapi"))

    def ready(self):
        assert self.process.poll() is None, f"the broker ended: {(self.directory / 'broker.log').read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def admin(self, method, path, body=None):
        """An operator's request; the answer's body."""
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/admin/api{path}", data, headers, method=method)
        until = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refused:
                # On a busy machine Redis is late once in a while. What only reads may ask again.
                if refused.code != 503 or method != "GET" or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def sockets(self, session):
        """Those of a session that are open, as operators see them."""
        try:
            return self.admin("GET", f"/sessions/{session}")["sockets"]
        except urllib.error.HTTPError as refused:
            if refused.code != 404:
                raise
            return []

    def metrics(self):
        request = urllib.request.Request(f"{self.url}/metrics", headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def client(self, session):
        """A program's connection to a session; `with` closes it."""
        return connect(f"{self.url.replace('http', 'ws')}/ws/chat/{session}", subprotocols=["sophie.v1"])

    def say(self, session, *texts, group=None, assistant=False):
        """Another program on that session says something, and waits until it is logged."""
        with self.client(session) as other:
            there = {"group": group} if group else {}
            commands = [{"type": "group.join", "id": "join"}] if group else []
            commands += [{"type": "message.send", "id": secrets.token_hex(8), "text": text, "assistant": assistant} for text in texts]
            # One behind the other: Redis that is late for once, on a busy machine, puts none behind the next.
            for command in commands:
                while True:
                    other.send(json.dumps(command | there))
                    reply = json.loads(other.recv(timeout=10))
                    while reply["type"] not in ("ack", "error"):
                        reply = json.loads(other.recv(timeout=10))
                    if reply.get("code") != "store_unavailable":
                        break
                    time.sleep(0.1)
                assert reply["type"] == "ack", reply

    def end(self):
        """Asks it to go, as a deployment does, and waits until it went."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def close(self):
        self.kill()
        self.held.close()
        self.output.close()
        if self.tap:
            self.tap.close()
            wrong = self.tap.check(self.described, self.foreign) if self.described else []
            assert not wrong, f"{len(wrong)} times something was sent that is not described:\n" + "\n\n".join(wrong[:5])


class Redis:
    """A private redis-server that keeps nothing on disk."""

    def __init__(self, directory):
        self.held = held_port()
        self.port = self.held.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(directory)]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        until(self.answers, "redis-server to answer", 10)

    def answers(self):
        try:
            return self.do("PING").startswith(b"+PONG")
        except OSError:
            return False

    def do(self, *words):
        """One command; the first bytes of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(256)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.go_on()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.held.close()


@contextlib.contextmanager
def running(mode, directory, **settings):
    """A broker of that mode, with a Redis of its own where it uses one."""
    if mode == "redis" and not shutil.which("redis-server"):
        pytest.fail("redis-server is needed: apt-get install redis-server")
    with contextlib.ExitStack() as stack:
        redis = None
        if mode == "redis":
            redis = Redis(directory)
            stack.callback(redis.close)
        broker = Broker(directory, redis, settings)
        stack.callback(broker.close)
        broker.start()
        yield broker
