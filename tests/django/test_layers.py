"""The real channels_redis on one side, browsers on the other, two nodes between them."""

import asyncio
import secrets

from cluster import PATIENCE, Client, eventually, nodes_in


def name(prefix):
    return f"{prefix}-{secrets.token_hex(4)}"


async def two_members(cluster, group):
    clients = [await Client.open(node, name("s"), group) for node in cluster.nodes]
    await nodes_in(cluster, group)
    return clients


def test_a_message_of_django_is_logged_once_and_reaches_every_browser_once(cluster):
    async def scenario():
        group, site = name("team"), cluster.site()
        clients = await two_members(cluster, group)
        message = {"type": "chat.message", "text": "Grüße \U0001f44b", "author": "alice", "role": "operator", "order": 7, "tags": ["a", None]}
        for count in range(1, 6):
            await site.group_send(group, message)
            heard = [await client.until("message") for client in clients]
            assert heard[0] == heard[1]
            said = heard[0]["message"]
            assert (heard[0]["seq"], said["text"], said["author"], said["role"]) == (count, message["text"], "alice", "operator")
            assert said["metadata"] == {"order": 7, "tags": ["a", None]}
        # Not told by whom: the application.
        await site.group_send(group, {"type": "chat.message", "text": "bare"})
        said = (await clients[0].until("message"))["message"]
        assert (said["author"], said["role"], said.get("metadata")) == ("application", "system", None)
        await clients[1].until("message")
        for client in clients:
            assert [event for event in await client.settled() if event["type"] == "message"] == []
            history = await client.ask({"type": "history.get", "group": group})
            assert [event["seq"] for event in history["events"]] == [1, 2, 3, 4, 5, 6]

    asyncio.run(scenario())


def test_whoever_leaves_a_group_leaves_it_to_the_others_to_log(cluster):
    async def scenario():
        group, site = name("team"), cluster.site()
        clients = await two_members(cluster, group)
        # In the pubsub layer one of them has taken the turn to log, for 10 s: whichever it was, it goes once.
        for leaving, staying in (clients, clients[::-1]):
            await site.group_send(group, {"type": "chat.message", "text": "both"})
            for client in clients:
                await client.until("message")
            await leaving.ask({"type": "group.leave", "group": group})
            await asyncio.sleep(0.5)
            await site.group_send(group, {"type": "chat.message", "text": "one"})
            assert (await staying.until("message"))["message"]["text"] == "one"
            await leaving.ask({"type": "group.join", "group": group})
            await nodes_in(cluster, group)

    asyncio.run(scenario())


def test_frames_and_other_types_pass_through_and_a_close_closes(cluster):
    async def scenario():
        group, site = name("team"), cluster.site()
        clients = await two_members(cluster, group)
        await site.group_send(group, {"type": "websocket.send", "text": '{"type": "mine", "n": 1}'})
        await site.group_send(group, {"type": "order.paid", "id": 3, "nested": {"a": [1.5, True, None]}})
        for client in clients:
            assert await client.until("mine") == {"type": "mine", "n": 1}
            event = await client.until("event")
            assert event == {"type": "event", "group": group, "event": {"type": "order.paid", "id": 3, "nested": {"a": [1.5, True, None]}}}
        await site.group_send(group, {"type": "websocket.close", "code": 4321})
        assert [await client.closed() for client in clients] == [4321, 4321]

    asyncio.run(scenario())


def test_one_session_is_reached_by_its_own_channel(cluster):
    async def scenario():
        group, site = name("team"), cluster.site()
        here, there = await two_members(cluster, group)
        sessions = cluster.nodes[0].admin("GET", f"/groups/{group}")["members"]
        (mine,) = [it["session"] for it in sessions if it["node"] == "n1"]

        async def socket():
            sockets = cluster.nodes[0].admin("GET", f"/sessions/{mine}")["sockets"]
            return sockets and sockets[0]

        channel = (await eventually(socket, "the session to be known"))["channel"]
        await site.send(channel, {"type": "chat.message", "text": "for you alone"})
        said = await there.until("message")
        assert (said["group"], said["message"]["text"]) == (f"chat_{mine}", "for you alone")
        await site.send(channel, {"type": "websocket.close", "code": 4000})
        assert await there.closed() == 4000
        assert [event["type"] for event in await here.settled() if event["type"] in ("message", "session.closing")] == []

    asyncio.run(scenario())


def test_a_session_with_the_longest_name_has_a_channel_too(cluster):
    async def scenario():
        session, site = secrets.token_hex(32), cluster.site()
        client = await Client.open(cluster.nodes[1], session)

        async def socket():
            sockets = cluster.nodes[0].admin("GET", f"/sessions/{session}")["sockets"]
            return sockets and sockets[0]

        channel = (await eventually(socket, "the session to be known"))["channel"]
        assert len(channel) < 100
        await site.send(channel, {"type": "websocket.send", "text": '{"type": "mine"}'})
        assert await client.until("mine")

    asyncio.run(scenario())


def test_django_hears_what_it_asked_for_once_and_a_browser_chooses_no_handler(cluster):
    async def scenario():
        group, site = name("team"), cluster.site()
        channel = await site.new_channel()
        await site.group_add(group, channel)
        here, there = await two_members(cluster, group)
        # A member that hears nothing of the browsers' words and typing but what is on the list.
        crafted = {"type": "websocket.disconnect", "role": "system", "author": "root", "group": "other"}
        ack = await here.say(group, "What is new?", assistant=True, metadata=crafted)
        end = await there.until("answer.end")
        events = []
        while not events or events[-1]["type"] != "chat.answer.end":
            events.append(await asyncio.wait_for(site.receive(channel), PATIENCE))
        kinds = [event["type"] for event in events]
        assert kinds[:2] == ["chat.message", "chat.answer.start"] and set(kinds[2:-1]) == {"chat.answer.delta"}
        said = events[0]
        assert (said["text"], said["role"], said["group"], said["seq"], said["id"]) == ("What is new?", "user", group, ack["seq"], ack["message"])
        assert said["metadata"] == crafted and said["author"].startswith("guest:")
        text = ""
        for event in events[2:-1]:
            assert (event["offset"], event["group"], event["answer"]) == (len(text), group, end["answer"])
            text += event["text"]
        last = events[-1]
        assert last["text"] == text == end["text"]
        assert {key: last[key] for key in ("group", "seq", "answer", "message", "finish_reason")} == {
            key: end[key] for key in ("group", "seq", "answer", "message", "finish_reason")
        }
        # What Django says comes to its members by itself, and only so: no second copy from here.
        await site.group_send(group, {"type": "chat.message", "text": "from Django"})
        await here.until("message")
        assert (await asyncio.wait_for(site.receive(channel), PATIENCE))["text"] == "from Django"
        await here.say(group, "last")
        assert (await asyncio.wait_for(site.receive(channel), PATIENCE))["text"] == "last"
        if cluster.kind.layer == "core":
            members = cluster.nodes[1].admin("GET", f"/groups/{group}")["members"]
            assert [it["channel"] for it in members if it["kind"] == "channel"] == [channel]
            assert len([it for it in members if it["kind"] == "session"]) == 2

    asyncio.run(scenario())


def test_a_worker_gets_each_event_once(cluster):
    if cluster.kind.layer == "pubsub":
        return

    async def scenario():
        group, site = name("team"), cluster.site()
        here, there = await two_members(cluster, group)
        await here.say(group, "one")
        await there.say(group, "two")
        await site.group_send(group, {"type": "chat.message", "text": "three", "author": "django"})
        await here.say(group, "four", assistant=True)
        await there.until("answer.end")
        mine = []
        # On a ring a plain channel has a queue on every host, read in turn: without an order between them.
        while len(mine) < 5:
            event = await asyncio.wait_for(site.receive("transcript"), PATIENCE)
            # The worker hears of every group.
            if event["group"] == group and event["type"] in ("chat.message", "chat.answer.end"):
                mine.append(event)
        texts = sorted(event["text"] for event in mine if event["type"] == "chat.message")
        assert texts == ["four", "one", "three", "two"]
        assert {event["seq"] for event in mine} == {1, 2, 3, 4, 5}

    asyncio.run(scenario())
