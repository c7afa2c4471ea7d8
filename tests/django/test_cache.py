"""The real django-redis and our entries: each reads and drops what the other wrote."""

import contextlib
import hashlib
import secrets

import django
import pytest
from broker import Broker, Redis
from django.conf import settings
from waiting import until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

COOKIE = "csrftoken=t; sessionid=abc"
ENTRY = "sophie:hook:" + hashlib.sha256(f"{COOKIE}\n".encode()).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.close()


@pytest.fixture(scope="module")
def caches(server):
    def database(number):
        return {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": server.url.removesuffix("0") + str(number),
            "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
        }

    settings.configure(CACHES={"default": database(1), "answers": database(2)})
    django.setup()
    from django.core.cache import caches

    return caches


@pytest.fixture
def broker(server, tmp_path):
    # A hook where nobody answers: whoever comes in came in by the cache.
    hook = {"SOPHIE__AUTH__MODE": "hook", "SOPHIE__AUTH__HOOK_URL": "http://127.0.0.1:9/", "SOPHIE__CACHE__ENABLED": "true"}
    broker = Broker(tmp_path, server, hook)
    broker.start()
    yield broker
    broker.close()


def come_in(broker):
    url = f"{broker.url.replace('http', 'ws')}/ws/chat/s1"
    return connect(url, subprotocols=["sophie.v1"], additional_headers={"Cookie": COOKIE})


def let_in(broker):
    """The same of who is to come in. A Redis that answers late is not waited for: then there is only the hook, where nobody answers."""

    def tried():
        with contextlib.suppress(InvalidStatus):
            return come_in(broker)

    return until(tried, "to be let in")


def test_django_lets_in_and_shuts_out_by_its_own_cache(broker, caches):
    general = caches["default"]
    with pytest.raises(InvalidStatus) as refused:
        come_in(broker)
    assert refused.value.response.status_code == 503
    general.set(ENTRY, {"user": "alice", "groups": ["team-*"], "context": "Grüße"}, 60)
    with let_in(broker) as socket:
        assert '"user":"alice"' in socket.recv(timeout=10)
    general.delete(ENTRY)
    with pytest.raises(InvalidStatus):
        come_in(broker)


def test_django_reads_cached_answers(broker, caches):
    question = secrets.token_hex(8)
    caches["default"].set(ENTRY, {"user": "alice"}, 60)
    with let_in(broker) as socket:
        socket.send(f'{{"type": "message.send", "id": "1", "text": "{question}"}}')
        while '"answer.end"' not in socket.recv(timeout=10):
            pass
    answers = caches["answers"]
    entries = until(lambda: [answers.get(key) for key in answers.keys("sophie:answer:*")], "a cached answer", 10)
    assert all(isinstance(entry, dict) for entry in entries), entries
