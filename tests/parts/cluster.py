"""Two brokers on one Redis, and the channel layer of the real channels_redis beside them."""

import asyncio
import contextlib
import dataclasses
import json
import secrets

import redis.asyncio
from broker import Broker, Redis
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.utils import _consistent_hash
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 15
CLASSES = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}


@dataclasses.dataclass(frozen=True)
class Kind:
    """How a site has set its layer up."""

    layer: str
    hosts: int = 1
    # The first encrypts, all decrypt: while keys are being changed, each side may be ahead of the other.
    keys: tuple = ()
    site_keys: tuple = ()
    serializer: str = "msgpack"

    def __str__(self):
        return f"{self.layer}-{self.hosts}-{'encrypted' if self.keys else 'clear'}-{self.serializer}"

    def urls(self, server):
        # Databases of one server are hosts of their own to a ring. Database 0 is Sophie's.
        return [server.url if self.hosts == 1 else server.url.removesuffix("0") + str(3 + host) for host in range(self.hosts)]

    def site(self, server, **more):
        """The layer as Django would make it."""
        config = {
            # redis-py 8 gives up a read after 5 s, which is as long as the core layer waits for a message.
            "hosts": [{"address": url, "socket_timeout": None} for url in self.urls(server)],
            "serializer_format": self.serializer,
            "symmetric_encryption_keys": list(self.site_keys) or None,
        }
        return CLASSES[self.layer](**config | more)

    def settings(self, server):
        """The same, in Sophie's words."""
        return {
            "SOPHIE__CHANNEL__LAYER": self.layer,
            "SOPHIE__CHANNEL__HOSTS": ",".join(self.urls(server)),
            "SOPHIE__CHANNEL__ENCRYPTION_KEYS": ",".join(self.keys),
            "SOPHIE__CHANNEL__SERIALIZER": self.serializer,
        }


class Cluster:
    """Two nodes and a site."""

    def __init__(self, kind, redis, nodes):
        self.kind = kind
        self.redis = redis
        self.nodes = nodes

    def site(self, **more):
        return self.kind.site(self.redis, **more)

    def metric(self, name, **labels):
        """The sum of a metric over both nodes."""
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "")
        lines = [line for node in self.nodes for line in node.metrics().splitlines()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == wanted)


@contextlib.contextmanager
def running(kind, directory, **settings):
    with contextlib.ExitStack() as stack:
        server = Redis(directory)
        stack.callback(server.close)
        nodes = []
        for name in ("n0", "n1"):
            path = directory / name
            path.mkdir()
            node = Broker(path, server, kind.settings(server) | settings | {"SOPHIE__SERVER__NODE": name})
            node.foreign = ("mine",)
            stack.callback(node.close)
            node.start()
            nodes.append(node)
        yield Cluster(kind, server, nodes)


class Client:
    """A browser's connection."""

    def __init__(self, socket):
        self.socket = socket

    @classmethod
    async def open(cls, node, session, group=None):
        client = cls(await connect(f"{node.url.replace('http', 'ws')}/ws/chat/{session}", subprotocols=["sophie.v1"]))
        await client.until("session.ready")
        if group:
            await client.ask({"type": "group.join", "group": group})
        return client

    async def event(self, seconds=PATIENCE):
        return json.loads(await asyncio.wait_for(self.socket.recv(), seconds))

    async def until(self, *kinds):
        """The next event of one of these types; others are passed over."""
        while True:
            event = await self.event()
            if event["type"] in kinds:
                return event

    async def ask(self, command):
        command = {"id": secrets.token_hex(8), **command}
        await self.socket.send(json.dumps(command))
        while True:
            event = await self.event()
            if event.get("id") == command["id"]:
                assert event["type"] != "error", event
                return event

    async def say(self, group, text, assistant=False, **more):
        return await self.ask({"type": "message.send", "group": group, "text": text, "assistant": assistant, **more})

    async def settled(self):
        """Everything that is on its way already."""
        await self.socket.send(json.dumps({"type": "ping", "id": "settled"}))
        events = []
        while (event := await self.event()).get("id") != "settled":
            events.append(event)
        return events

    async def closed(self, heard=None):
        """The close code; what comes before it is added to `heard`."""
        heard = [] if heard is None else heard
        try:
            while True:
                heard.append(await self.event())
        except ConnectionClosed as closed:
            return closed.rcvd and closed.rcvd.code


async def eventually(condition, what, seconds=PATIENCE):
    """Waits for an asynchronous condition, with a deadline."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (value := await condition()):
        assert asyncio.get_running_loop().time() < deadline, f"waited {seconds} s in vain: {what}"
        await asyncio.sleep(0.03)
    return value


async def nodes_in(cluster, group, count=2):
    """Waits until so many nodes hear what the site sends to a group."""
    kind = cluster.kind
    # The core layer hashes the group's name, pubsub that of the channel.
    name = group if kind.layer == "core" else f"asgi__group__{group}"
    async with redis.asyncio.from_url(kind.urls(cluster.redis)[_consistent_hash(name, kind.hosts)]) as host:

        async def heard():
            if kind.layer == "core":
                members = await host.zrange(f"asgi:group:{group}", 0, -1)
                return sum(member.startswith(b"sophie.") for member in members) == count
            # Who of Django's is in it subscribes too.
            return dict(await host.pubsub_numsub(name))[name.encode()] >= count

        await eventually(heard, f"{count} nodes to be members of {group}")
