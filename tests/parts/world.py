"""What a client library is put through: brokers behind a line, and what is done to both from outside."""

import base64
import contextlib
import hmac
import json
import secrets
import time

from ai_backend import Backend, chunk, stream
from broker import Broker, Redis
from waiting import until

SECRET = "a-secret-of-these-tests-that-is-long-enough"
TEXT = "Eine märchenhaft schöne Antwort \U0001f600 mit vielen Wörtern, eines nach dem anderen, bis zum Ende. " * 3
# More than any system keeps for a reader that has stopped (tens of megabytes at 45 kB each), and less than a log holds.
FLOOD = 900


class World:
    """Two nodes on one Redis, a node in memory with short logs, a node that wants tokens. `settings` are those of all of them."""

    def __init__(self, directories, stack, **settings):
        self.backend = stack.enter_context(contextlib.closing(Backend()))
        common = {
            "SOPHIE__AI__BACKEND": "openai",
            "OPENAI_BASE_URL": self.backend.url,
            "OPENAI_API_KEY": "sk-of-the-backend",
            "SOPHIE__SERVER__DRAIN_SECONDS": "2",
        }
        redis = stack.enter_context(contextlib.closing(Redis(directories.mktemp("redis"))))
        short = {"SOPHIE__SESSION__LOG_EVENTS": "5"}
        narrow = {"SOPHIE__SESSION__OUTBOX_BYTES": "65536"}
        guarded = {"SOPHIE__AUTH__MODE": "jwt", "SOPHIE__AUTH__JWT_SECRET": SECRET}

        def node(name, redis=None, **more):
            broker = Broker(directories.mktemp(name), redis, common | settings | more)
            stack.callback(broker.close)
            broker.start()
            return broker

        self.nodes = [node("one", redis, **narrow), node("two", redis, **narrow)]
        self.short = node("short", **short)
        self.guarded = node("guarded", **guarded)

    def acts(self, broker, wire):
        """What may be done, by name, to a broker and the line to it."""

        def logged(text, session):
            with broker.client(session) as other:

                def there():
                    other.send(json.dumps({"type": "history.get", "id": secrets.token_hex(4)}))
                    while (event := json.loads(other.recv(timeout=10)))["type"] != "history":
                        pass
                    return [e for e in event["events"] if e.get("message", {}).get("text") == text]

                until(there, f"{text} to be logged")

        def flood(session):
            """Says more until the broker has closed the socket, which is when the system beneath takes no more; how much that was."""
            for said in range(FLOOD):
                if not broker.sockets(session):
                    return said
                broker.admin("POST", f"/groups/chat_{session}/messages", {"text": f"{said} " + "€" * 15_000})
            raise AssertionError(f"{FLOOD} messages wait for a client that does not read, and it is still connected")

        def lead():
            wire.target = self.nodes[1].port

        def say(texts, session, group=None):
            (self.nodes[1] if broker in self.nodes else broker).say(session, *texts, group=group)

        return {
            "cut": wire.cut,
            "mend": wire.mend,
            "hush": wire.hush,
            "stall": wire.stall,
            "kill": lambda: broker.kill(),
            "end": broker.end,
            "start": broker.start,
            "lead-to-the-other": lead,
            "logged": logged,
            "say": say,
            "flood": flood,
            "close": lambda session: broker.admin("DELETE", f"/sessions/{session}"),
            "token": token,
        }


def token(user, seconds):
    """A JWT that is good for so long."""
    encoded = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()  # noqa: E731
    claims = {"sub": user, "iat": int(time.time()), "exp": int(time.time()) + seconds, "groups": ["*"]}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{encoded(hmac.digest(SECRET.encode(), signed.encode(), 'sha256'))}"


def slowly(pause=0.02):
    """An answer that takes its time."""
    words = [chunk({"content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)]
    return stream(*words, chunk({}, "stop"), pause=pause)
