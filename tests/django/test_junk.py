"""What should not be in a channel layer, and more than fits into it."""

import asyncio
import os
import secrets
import time

import redis.asyncio
from cluster import CLASSES, Client, eventually, nodes_in


async def inject(cluster, group, payloads):
    """Puts bytes where Django's messages come from."""
    async with redis.asyncio.from_url(cluster.redis.url) as server:
        if cluster.kind.layer == "pubsub":
            for payload in payloads:
                await server.publish(f"asgi__group__{group}", payload)
            return
        members = await server.zrange(f"asgi:group:{group}", 0, -1)
        keys = {b"asgi" + member.split(b"!")[0] + b"!" for member in members if member.startswith(b"sophie.")}
        assert len(keys) == 2, members
        for key in keys:
            for payload in payloads:
                # Of now: what is older than the layer's expiry is purged by the next who sends.
                await server.zadd(key, {payload: time.time()})


def test_junk_is_counted_and_the_next_good_message_gets_through(own_cluster):
    async def scenario():
        cluster, group = own_cluster, "team"
        clients = [await Client.open(node, f"s{index}", group) for index, node in enumerate(cluster.nodes)]
        await nodes_in(cluster, group)
        junk = [b"", b"\x00", os.urandom(12), os.urandom(5000), b"\xc1" * 40, b"{}", b'{"type": 1}', b"\x91" * 100_000, secrets.token_bytes(64)]
        await inject(cluster, group, junk)
        config = {"hosts": [{"address": cluster.redis.url, "socket_timeout": None}]}
        strangers = [config | {"symmetric_encryption_keys": ["another key"]}, config, config | {"serializer_format": "json"}]
        for stranger in strangers:
            await CLASSES[cluster.kind.layer](**stranger).group_send(group, {"type": "chat.message", "text": "not for you"})
        await cluster.site().group_send(group, {"type": "chat.message", "text": "good"})
        for client in clients:
            assert (await client.until("message"))["message"]["text"] == "good"
            assert [event for event in await client.settled() if event["type"] != "group.joined"] == []
        counted = []

        async def all_counted():
            counted[:] = [cluster.metric("sophie_layer_messages_total", outcome=outcome) for outcome in ("bad", "undecryptable")]
            return sum(counted) >= 2 * (len(junk) + len(strangers))

        # Who is told of the good message by the other node may have the rest of its own copies still before it.
        await eventually(all_counted, "both nodes to have counted what is not good")
        # Both nodes got each of it; without encryption a stranger's message may be undecodable or be taken for junk.
        assert sum(counted) == 2 * (len(junk) + len(strangers)), counted

    asyncio.run(scenario())


def test_strange_but_good_messages_are_fatal_to_nobody(own_cluster):
    async def scenario():
        cluster, group = own_cluster, "team"
        clients = [await Client.open(node, f"s{index}", group) for index, node in enumerate(cluster.nodes)]
        await nodes_in(cluster, group)
        site = cluster.site()
        strange = [
            {},
            {"type": None},
            {"type": "chat.message"},
            {"type": "chat.message", "text": 5},
            {"type": "chat.message", "text": None, "bytes": b"\xff"},
            {"type": "websocket.send", "bytes": b"\x00\xff"},
            {"type": "order", "big": 2**63, "bytes": b"\x00\xff", "inf": 1.5},
            {"type": "x" * 5000, "text": "y" * 300_000},
        ]
        for message in strange:
            await site.group_send(group, message)
        await site.group_send(group, {"type": "chat.message", "text": "good"})
        heard = [[], []]
        for client, mine in zip(clients, heard):
            while not mine or mine[-1]["type"] != "message":
                mine.append(await client.event())
            assert mine[-1]["message"]["text"] == "good"
        # Closes with a code that no frame may bear are ordinary ones.
        await site.group_send(group, {"type": "websocket.close", "code": 7})
        for client, mine in zip(clients, heard):
            assert await client.closed(mine) == 1000
            # One node logs what is good and tells the other, which may have the rest of its own copies still before it.
            kinds = sorted(event["type"] for event in mine if not event["type"].startswith(("group.", "session.")))
            assert kinds == ["event"] * len(strange) + ["message"]

    asyncio.run(scenario())


def test_a_flood_of_five_times_the_capacity_ends_and_the_next_message_gets_through(own_cluster):
    async def scenario():
        cluster, group = own_cluster, "team"
        clients = [await Client.open(node, f"s{index}", group) for index, node in enumerate(cluster.nodes)]
        await nodes_in(cluster, group)
        site = cluster.site(capacity=100)
        for node in cluster.nodes:
            node.pause()
        for n in range(500):
            await site.group_send(group, {"type": "chat.message", "text": f"flood {n}"})
        for node in cluster.nodes:
            node.go_on()
        await site.group_send(group, {"type": "chat.message", "text": "good"})
        heard = []
        for client in clients:
            mine = []
            # If the last one came while the queue was still full, it was lost as channels_redis loses: it is sent again.
            while not mine or mine[-1]["message"]["text"] != "good":
                try:
                    event = await client.event(2)
                except TimeoutError:
                    await site.group_send(group, {"type": "chat.message", "text": "good"})
                    continue
                if event["type"] == "message":
                    mine.append(event)
            heard.append([event["seq"] for event in mine])
        assert heard[0] == heard[1] == list(range(1, len(heard[0]) + 1)), "one log, without holes"
        print(f"{len(heard[0])} of 501 got through")

    asyncio.run(scenario())
