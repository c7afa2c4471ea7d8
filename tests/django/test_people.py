"""What Django is told of ratings and of people: its members of the group, and its worker."""

import asyncio
import secrets

from cluster import PATIENCE, Client, nodes_in

# In the pubsub layer the copies for Django bear a mark of their own.
MARK = {"sophie_node"}
PERSON = {"type", "group", "state", "on", "session", "user", "text", "created_at"}
RATING = {"type", "group", "session", "user", "answer", "rating", "text", "created_at"}


def name(prefix):
    return f"{prefix}-{secrets.token_hex(4)}"


async def told(site, channel, group, count):
    """So many of these events of a group; others are passed over."""
    events = []
    while len(events) < count:
        event = await asyncio.wait_for(site.receive(channel), PATIENCE)
        if event["group"] == group and event["type"] in ("chat.person", "chat.feedback"):
            events.append(event)
    return events


def looked_at(events, session, answer):
    # On a ring a plain channel has a queue on every host: without an order between them.
    people = {event["state"]: event for event in events if event["type"] == "chat.person"}
    assert set(people) == {"asked", "taken", "handed_back"}
    assert all(set(event) - MARK == PERSON for event in people.values())
    user = f"guest:{session}"
    for state, on, who in (("asked", True, (session, user, "Help!")), ("taken", False, (session, user, "Help!")), ("handed_back", True, (None, None, None))):
        event = people[state]
        assert (event["on"], event["session"], event["user"], event["text"]) == (on, *who)
    ratings = {event["answer"]: event for event in events if event["type"] == "chat.feedback"}
    assert set(ratings) == {answer}
    rating = ratings[answer]
    assert set(rating) - MARK == RATING and rating["created_at"].endswith("Z")
    assert (rating["rating"], rating["text"], rating["session"], rating["user"]) == (-1, None, session, user)


def test_django_hears_of_ratings_and_of_people(cluster):
    async def scenario():
        group, session, site = name("team"), name("s"), cluster.site()
        channel = await site.new_channel()
        await site.group_add(group, channel)
        client = await Client.open(cluster.nodes[0], session, group)
        other = await Client.open(cluster.nodes[1], name("s"), group)
        await nodes_in(cluster, group)
        await client.say(group, "What is new?", assistant=True)
        answer = (await other.until("answer.end"))["answer"]
        await client.ask({"type": "feedback", "answer": answer, "rating": -1})
        await client.ask({"type": "person.ask", "group": group, "text": "Help!"})
        # An operator at another node than that of who asked.
        cluster.nodes[1].admin("DELETE", f"/groups/{group}/assistant")
        cluster.nodes[1].admin("PUT", f"/groups/{group}/assistant")
        looked_at(await told(site, channel, group, 4), session, answer)
        if cluster.kind.layer == "core":
            looked_at(await told(site, "transcript", group, 4), session, answer)

    asyncio.run(scenario())


def test_a_rating_of_a_chat_goes_to_its_home_group(cluster):
    if cluster.kind.layer == "pubsub":
        return

    async def scenario():
        session, site = name("s"), cluster.site()
        client = await Client.open(cluster.nodes[0], session)
        await client.ask({"type": "feedback", "rating": 4, "text": "Grüße \U0001f44b"})
        (rating,) = await told(site, "transcript", f"chat_{session}", 1)
        assert set(rating) == RATING
        assert (rating["answer"], rating["rating"], rating["text"]) == (None, 4, "Grüße \U0001f44b")

    asyncio.run(scenario())
