"""The client library in Python among others: groups, presence, persons, ratings; and its bounds."""

import asyncio
import contextlib
import gc

import pytest
from python_client import code, play, until
from sophie_chat import (
    AnswerBegan,
    AnswerEnded,
    AnswerGrew,
    AssistantTurned,
    MembersChanged,
    MessageSaid,
    PersonWanted,
    PresenceChanged,
    SendingChanged,
    Stale,
    State,
    Typing,
)
from world import TEXT, World, slowly

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield World(tmp_path_factory, stack, SOPHIE__SESSION__PERSON="true", SOPHIE__SESSION__PRESENCE_MEMBERS="1", SOPHIE__AI__IMAGES="true")


def test_two_clients_in_a_group_see_each_other(world):
    async def scene(kit):
        first, second = kit.client(groups=[kit.group]), kit.client(session=f"{kit.session}-two")
        window = kit.client(session=f"{kit.session}-two")
        async with first.chat as one, second.chat as two:
            await until(lambda: kit.group in one.groups, "the first to be in")
            presence, changes, typists = one.presence(kit.group), [], []
            one.on(PresenceChanged, changes.append)
            one.on(Typing, lambda typing: typists.append(typing.user))
            await until(lambda: presence.total == 1, "the first to be alone")
            await two.join(kit.group)
            await until(lambda: presence.total == 2, "the second to be seen")
            assert sorted(member.user for member in presence.members) == sorted([one.user, two.user])
            for _ in range(20):
                two.typing(kit.group)
            await asyncio.gather(*(two.send(f"line {n}", group=kit.group, assistant=False, metadata={"n": n}) for n in range(10)))
            await until(lambda: len(first.messages) == 10, "what the second says")
            assert first.messages == [f"line {n}" for n in range(10)]
            await until(lambda: typists, "the typing to be told")
            assert typists == [two.user], "not as often as a key is hit"
            await two.leave(kit.group)
            await until(lambda: presence.total == 1 and len(presence.members) == 1, "the second to be gone")
            assert await code(two.send("from outside", group=kit.group, assistant=False)) == "not_member"
            # By another of its connections.
            async with window.chat as other:
                await other.join(kit.group)
                await until(lambda: kit.group in two.groups, "the other connection to be told")
            assert changes and [reason for _, reason in second.stale] == ["first"] * 3

    play(scene, world)


def test_a_crowd_that_is_only_counted_is_asked_for_by_name(world):
    async def scene(kit):
        crowd = [kit.client(session=f"{kit.session}-{n}").chat for n in range(12)]
        async with kit.client(groups=[kit.group]).chat as chat, contextlib.AsyncExitStack() as stack:
            await until(lambda: kit.group in chat.groups, "the group to be joined")
            changes, presence = [], chat.presence(kit.group)
            chat.on(MembersChanged, changes.append)
            for each in crowd:
                await stack.enter_async_context(each)
            await asyncio.gather(*(each.join(kit.group) for each in crowd))
            await until(lambda: presence.total == len(presence.members) == 13, "all of them")
            assert any(change.count and not change.members for change in changes), changes

    play(scene, world)


def test_the_history_is_read_when_the_log_no_longer_holds_what_was_missed(world):
    async def scene(kit):
        program = kit.client()
        events = program.chat.events(MessageSaid)
        async with program.chat as chat:
            assert isinstance(await anext(events), Stale)
            await kit.act("say", ["seen"], session=kit.session)
            assert (await anext(events)).message.text == "seen"
            await kit.act("cut")
            await until(lambda: chat.state.phase != "open", "the cut to be seen")
            await kit.act("say", [f"missed {n}" for n in range(8)], session=kit.session)
            await kit.act("mend")
            stale = await anext(events)
            assert (stale.group, stale.reason) == (chat.home, "missed")
            page = await stale.read()
            assert [event.message.text for event in page.events] == [f"missed {n}" for n in range(3, 8)]
            assert [event.message.text for event in (await stale.read(2)).events] == ["missed 6", "missed 7"]

    play(scene, world, world.short)


def test_who_is_busy_says_so_or_is_waited_for(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:
            first = await asyncio.gather(chat.ask("First, at length"), chat.ask("Second, at length"))
            assert await code(chat.send("Not now")) == "busy"
            delays = []
            chat.on(SendingChanged, lambda changed: delays.extend(item.delayed_by.code for item in changed.sending if item.delayed_by))
            third = await chat.ask("Third", wait=lambda error: error.code == "busy")
            assert delays[0] == "busy"
            assert [(await answer.ended()).state for answer in (*first, third)] == ["done"] * 3
            assert await program.texts() == ["First, at length", "Second, at length", "Third"] and not program.errors

    # Both last for longer than a busy machine pauses: the third question is to find them under way.
    world.backend.push(slowly(0.06), slowly(0.06))
    play(scene, world)


def test_an_answer_is_ended_and_asked_for_anew(world):
    async def scene(kit):
        async with kit.client().chat as chat:
            first = await chat.ask("Tell me of brokers, at length")
            await until(lambda: len(first.text) > 20, "some of it")
            await chat.cancel(first)
            assert ((await first.ended()).state, first.finish_reason) == ("cancelled", "cancelled")
            began = chat.events(AnswerBegan)
            await chat.retry(first.message)
            second = (await anext(began)).answer
            assert (await second.ended()).state == "done" and second.message == first.message and second.id != first.id
            assert [await code(chat.retry("m-unknown")), await code(chat.command("no.such.command"))] == ["not_found", "unknown_type"]
            assert (await chat.command("ping"))["type"] == "pong"

    # It lasts until it is cancelled.
    world.backend.push(slowly(0.1))
    play(scene, world)


def test_an_answer_that_fails_raises_where_it_is_read(world):
    async def scene(kit):
        async with kit.client().chat as chat:
            answer = await chat.ask("Tell me of failures, at length")
            with pytest.raises(Exception, match="This client was closed") as raised:
                async for _ in answer:
                    await chat.close()
            assert raised.value.code == "closed" and answer.state == "failed"
            assert await answer.ended() is answer

    # It is to be under way when its first piece is read.
    world.backend.push(slowly(0.1))
    play(scene, world)


def test_a_person_is_asked_for_takes_over_and_is_rated(world):
    async def scene(kit):
        broker = world.nodes[0]
        async with kit.client().chat as chat:
            events = chat.events(AssistantTurned, PersonWanted)
            assert chat.standing() == (True, False)
            answer = await (await chat.ask("What is an actor?")).ended()
            await chat.feedback(-1, answer=answer)
            await chat.feedback(4, text="It took its time.")
            await chat.ask_for_person(text="I would like to talk to somebody.")
            assert (await anext(events)).state == "asked" and chat.standing().asked
            [waiting] = [group for group in broker.admin("GET", "/waiting")["waiting"] if group["group"] == chat.home]
            assert waiting["text"] == "I would like to talk to somebody."
            await asyncio.to_thread(broker.admin, "DELETE", f"/groups/{chat.home}/assistant")
            told = [await anext(events), await anext(events)]
            assert {type(event) for event in told} == {AssistantTurned, PersonWanted}
            assert chat.standing() == (False, False)
            assert await code(chat.ask("Is anybody there?", timeout=0.5)) == "no_answer"
            # Who comes later is told, too.
            async with kit.client().chat as later:
                assert later.standing() == (False, False)
            ratings = broker.admin("GET", "/feedback")["feedback"]
            mine = sorted(each["rating"] for each in ratings if each["session"] == kit.session)
            assert mine == [-1, 4]

    play(scene, world)


def test_what_waits_has_a_bound_and_an_end(world):
    async def scene(kit):
        program = kit.client(max_queued=3)
        chat = program.chat
        sent = [chat.send(text, id=text, assistant=False) for text in ("one", "two", "three")]
        assert await code(chat.send("four")) == "queue_full"
        same = chat.send("one again", id="one")
        assert (chat.withdraw("two"), chat.withdraw("five")) == (True, False)
        assert [await code(sent[1]), await code(chat.send("x" * 300_000))] == ["withdrawn", "too_large"]
        with pytest.raises(ValueError):
            chat.send("no JSON", metadata={"n": float("nan")})
        commands = [asyncio.create_task(code(chat.command("ping"))) for _ in range(300)]
        async with chat:
            assert (await same) == (await sent[0])
            await sent[2]
            # Half of a surrogate pair is no text.
            await chat.send("half \ud83d of it", assistant=False)
            assert await program.texts() == ["one", "three", "half \ufffd of it"]
            assert sorted({await each for each in commands}) == ["done", "queue_full"]

    play(scene, world)


def test_an_image_goes_with_its_text(world):
    async def scene(kit):
        async with kit.client().chat as chat:
            seen = chat.events(MessageSaid)
            image = {"url": f"data:image/png;base64,{PIXEL}", "name": "a pixel"}
            await chat.send("Look", assistant=False, images=[image])
            said = await anext(seen)
            assert isinstance(said, MessageSaid) and (said.message.text, said.message.images) == ("Look", [image])
            assert [event.message.images async for event in chat.past()] == [[image]]

    play(scene, world)


def test_who_gives_up_waiting_for_a_message_has_said_it_all_the_same(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:
            await kit.act("cut")
            await until(lambda: chat.state.phase != "open", "the cut to be seen")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(chat.send("said once", id="mine", assistant=False), 0.2)
            sent = chat.send("said once", id="mine", assistant=False)
            await kit.act("mend")
            assert (await sent).seq == 1 and await program.texts() == ["said once"]

    play(scene, world)


def test_a_loop_that_is_slow_is_told_what_it_missed(world):
    async def scene(kit):
        program = kit.client(groups=[kit.group], max_waiting=20)
        async with program.chat as chat:
            await until(lambda: kit.group in chat.groups, "the group to be joined")
            events = chat.events(MessageSaid)
            for n in range(30):
                await chat.send(f"line {n}", assistant=False)
            await until(lambda: len(program.messages) == 30, "all of them")
            told = [await anext(events) for _ in range(4)]
            assert [(event.group, event.reason) for event in told[:2]] == [(chat.home, "slow"), (kit.group, "slow")]
            assert [event.message.text for event in told[2:]] == ["line 20", "line 21"]
            assert len((await told[0].read()).events) == 30

    play(scene, world)


def test_pieces_that_nobody_has_read_yet_are_one(world):
    async def scene(kit):
        async with kit.client(max_waiting=5).chat as chat:
            events = chat.events(AnswerGrew, AnswerEnded)
            answer = await chat.ask("What is an actor?")
            await answer.ended()
            grew, ended = await anext(events), await anext(events)
            assert (grew.answer, grew.text, ended.answer) == (answer, TEXT, answer)

    world.backend.push(slowly(0.005))
    play(scene, world)


def test_a_loop_that_was_broken_off_is_forgotten_and_handlers_fail_alone(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:

            async def look():
                events = chat.events()
                await chat.send("zero", assistant=False)
                async for _ in events:
                    break

            await look()
            await until(lambda: program.messages == ["zero"], "it to be seen")
            kept = chat.events(MessageSaid)
            gc.collect()
            assert len(chat._parts.emitter._feeds) == 1
            faults, heard = [], []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context["exception"]))
            off = chat.on(MessageSaid, lambda said: 1 / 0)
            chat.on(MessageSaid, heard.append)
            await chat.send("one", assistant=False)
            await until(lambda: heard, "the message")
            assert [type(fault) for fault in faults] == [ZeroDivisionError]
            off()
            await chat.send("two", assistant=False)
            await until(lambda: len(heard) == 2, "the next one")
            assert len(faults) == 1
            with pytest.raises(TypeError, match="not awaited"):
                chat.on(State, program.phase)
            kept.close()
            assert [event.message.text async for event in kept] == ["one", "two"]

    play(scene, world)
