"""The client library in Python: connections that are cut, nodes that die, what comes back after that."""

import asyncio
import contextlib
import json

import pytest
from ai_backend import chunk, stream
from python_client import code, play, until
from sophie_chat import Answer, AnswerEnded, AnswerGrew, AnswerThought, MessageSaid
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from world import TEXT, World, slowly


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield World(tmp_path_factory, stack)


def test_a_question_is_answered_piece_by_piece_and_read_again(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:
            answer = await chat.ask("What is an actor?")
            pieces = [piece async for piece in answer]
            assert "".join(pieces) == answer.text == TEXT and len(pieces) > 3
            assert await answer.ended() is answer
            assert (answer.state, answer.model, answer.usage.total_tokens) == ("done", "gpt-4o-mini", 12)
            [again, asked] = [event async for event in chat.past()]
            assert isinstance(again, Answer) and (again.id, again.text, again.state) == (answer.id, TEXT, "done")
            assert isinstance(asked, MessageSaid) and asked.message.id == answer.message
            assert chat.groups == [chat.home] and chat.position().seq == 2 and chat.user == f"guest:{kit.session}"
        assert program.phases == ["connecting", "open", "closed"]
        assert program.stale == [(chat.home, "first")]

    # For longer than a busy machine pauses: what the broker reads late comes as one piece.
    world.backend.push(slowly(0.04))
    play(scene, world)


def test_an_answer_goes_on_where_it_was_when_the_line_is_cut(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:
            ends, grown = [], []
            answer = await chat.ask("Tell me of actors, at length")
            grown.append(answer.text)
            chat.on(AnswerGrew, lambda grew: grown.append(grew.text))
            chat.on(AnswerEnded, ends.append)
            for cut in (1, 2, 3):
                await until(lambda cut=cut: len(answer.text) > cut * 40 or answer.state != "running", "the answer to grow")
                await kit.act("cut")
                await until(lambda: chat.state.phase != "open", "the cut to be seen")
                await kit.act("mend")
                await program.phase("open")
            await answer.ended()
            logged = [event async for event in chat.past()][0]
            assert "".join(grown) == answer.text == logged.text == TEXT, "nothing doubled, nothing missing"
            assert all(grown[1:]), "and nothing told in which nothing is new"
            assert (answer.state, len(ends), program.phases.count("open")) == ("done", 1, 4)
        assert [reason for _, reason in program.stale] == ["first"], "the log was enough"

    world.backend.push(slowly())
    play(scene, world)


def test_what_a_model_thinks_is_put_together_apart_from_its_answer_over_a_cut(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:
            thought = []
            chat.on(AnswerThought, lambda event: thought.append(event.text))
            answer = await chat.ask("Think of actors, at length")
            await until(lambda: len(answer.reasoning) > 40, "the model to think")
            await kit.act("cut")
            await until(lambda: chat.state.phase != "open", "the cut to be seen")
            await kit.act("mend")
            await answer.ended()
            assert "".join(thought) == answer.reasoning == TEXT, "nothing doubled, nothing missing"
            assert (answer.text, answer.reasoning_cut) == ("Yes.", False) and answer.reasoning_ms > 500
            again = [event async for event in chat.past()][0]
            assert (again.text, again.reasoning, again.reasoning_ms) == ("Yes.", TEXT, answer.reasoning_ms)

    # The time is the broker's, from the first thought that it reads: there are to be more also after a pause.
    thoughts = [chunk({"reasoning_content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)]
    world.backend.push(stream(*thoughts, chunk({"content": "Yes."}), chunk({}, "stop"), pause=0.04))
    play(scene, world)


def test_a_message_whose_acknowledgement_was_lost_is_there_once(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat as chat:
            await chat.send("before", assistant=False)
            await kit.act("hush")
            sent = [chat.send(text, assistant=False) for text in ("one", "two", "three")]
            await until(lambda: chat.sending[0].state == "sent", "the message to be sent")
            await kit.act("logged", "one", session=kit.session)
            await kit.act("cut")
            await until(lambda: chat.state.phase != "open", "the cut to be seen")
            assert [(item.text, item.state) for item in chat.sending] == [(text, "queued") for text in ("one", "two", "three")]
            await kit.act("mend")
            assert [ack.seq for ack in await asyncio.gather(*sent)] == [2, 3, 4]
            await until(lambda: len(program.messages) == 4, "each to be seen")
            assert await program.texts() == program.messages == ["before", "one", "two", "three"], "each once, in order"
            assert not chat.sending

    play(scene, world)


def test_a_node_dies_and_the_other_goes_on(world):
    async def scene(kit):
        program = kit.client(groups=[kit.group])
        async with program.chat as chat:
            await until(lambda: kit.group in chat.groups, "the group to be joined")
            await chat.send("before", assistant=False)
            await chat.send("before in the group", group=kit.group, assistant=False)
            await until(lambda: len(program.messages) == 2, "both to be seen")
            await kit.act("kill")
            await until(lambda: chat.state.phase != "open", "the death to be seen")
            await kit.act("say", ["meanwhile"], session=kit.session)
            await kit.act("say", ["meanwhile in the group"], session=kit.session, group=kit.group)
            waiting = chat.send("after", assistant=False)
            await kit.act("lead-to-the-other")
            await waiting
            await until(lambda: len(program.messages) == 5, "what was missed")
        said = ["before", "before in the group", "meanwhile", "meanwhile in the group", "after"]
        assert sorted(program.messages) == sorted(said)
        nodes = [frame["node"] for frame in program.frames if frame["type"] == "session.ready"]
        assert nodes[0] != nodes[-1]
        assert [reason for _, reason in program.stale] == ["first", "first"]

    try:
        play(scene, world)
    finally:
        world.nodes[0].start()


def test_a_client_that_did_not_read_recovers(world):
    async def scene(kit):
        program = kit.client()
        async with program.chat:
            await kit.act("stall")
            said = await kit.act("flood", kit.session)
            await kit.act("mend")
            await until(lambda: len(program.messages) >= said, "all that was said", 40)
        assert program.seqs == list(range(1, said + 1)), "each once, in order"
        codes = {state.code for state, _ in program.states if state.phase == "waiting"}
        # Who does not read answers no ping either: which of the two comes first depends on what the system beneath keeps.
        assert codes and codes <= {4002, 4003, 1006}, codes
        assert [reason for _, reason in program.stale] == ["first"]

    play(scene, world)


def test_a_deployment_is_waited_out_and_groups_are_joined_again(world):
    async def scene(kit):
        program = kit.client(groups=[kit.group])
        async with program.chat as chat:
            await until(lambda: kit.group in chat.groups, "the group to be joined")
            await kit.act("end")
            await program.phase("waiting")
            state, at = next((state, at) for state, at in program.states if state.phase == "waiting")
            closing = next(frame for frame in program.frames if frame["type"] == "session.closing")
            assert (state.code, closing["reconnect"]) == (4001, True)
            assert (state.retry_at - at) * 1_000 >= closing["retry_in_ms"] - 20, "not before it was asked to"
            sent = chat.send("through it", group=kit.group, assistant=False)
            await kit.act("start")
            await sent
            assert await program.texts(kit.group) == ["through it"]
            assert chat.groups == [chat.home, kit.group], "the session was lost with the memory"
        assert (chat.home, "lost") in program.stale

    play(scene, world, world.short)


def test_what_an_operator_closed_stays_closed(world):
    async def scene(kit):
        program = kit.client()
        chat = program.chat
        events = chat.events(MessageSaid)
        await chat.connect()
        await chat.send("before", assistant=False)
        presence = chat.presence()
        await kit.act("close", kit.session)
        await program.phase("closed")
        assert chat.state.code == 4502 and chat.state.reason
        assert [await code(chat.send("after")), await code(chat.members())] == ["closed", "closed"]
        presence.refresh()
        assert [event.message.text async for event in events if isinstance(event, MessageSaid)] == ["before"], "the loop ends with the session"
        dials = program.dials()
        await asyncio.sleep(1)
        assert program.dials() == dials, "it does not come back by itself"
        await chat.connect()
        assert await program.texts() == ["before"], "it does when it is told to"
        await chat.close()

    play(scene, world)


@contextlib.asynccontextmanager
async def relay(kit, passed):
    """The address of something on the way that does not pass on what comes as it comes: `passed` says how often each frame is."""

    async def join(near):
        async with connect(f"{kit.url.replace('http', 'ws')}{near.request.path}", subprotocols=["sophie.v1"]) as far:

            async def up():
                async for frame in near:
                    await far.send(frame)
                await far.close()

            going_up = asyncio.create_task(up())
            async for frame in far:
                for _ in range(passed(json.loads(frame))):
                    await near.send(frame)
            await near.close()
            await going_up

    async with serve(join, "127.0.0.1", 0, subprotocols=["sophie.v1"]) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_a_piece_that_is_missing_is_asked_for(world):
    """The broker leaves none out. The relay loses the second to the sixth."""

    async def scene(kit):
        came = []

        def lossy(frame):
            came.append(frame["type"])
            return 0 if frame["type"] == "answer.delta" and 2 <= came.count("answer.delta") <= 6 else 1

        async with relay(kit, lossy) as url:
            program = kit.client(url=url)
            async with program.chat as chat:
                grown = []
                chat.on(AnswerGrew, lambda grew: grown.append((grew.text, grew.answer.state)))
                answer = await chat.ask("Tell me of actors, at length")
                assert (await answer.ended()).text == "".join(text for text, _ in grown) == TEXT
                assert len(grown) > 5, "it did not wait for the end to have the rest"
                assert program.phases.count("open") == 2, "it was asked for once"
                assert [state.reason for state, _ in program.states if state.phase == "waiting"] == ["A piece of an answer was missing."]
                assert program.stale == [(chat.home, "first")]

    # What the broker reads late it tells as one piece: there are to be more than seven also after a pause.
    world.backend.push(slowly(0.05))
    play(scene, world)


def test_what_comes_twice_is_told_once(world):
    async def scene(kit):
        async with relay(kit, lambda frame: 2) as url:
            program = kit.client(url=url)
            async with program.chat as chat:
                ends = []
                chat.on(AnswerEnded, ends.append)
                answer = await chat.ask("What is an actor?")
                assert "".join([piece async for piece in answer]) == TEXT
                await chat.send("and nothing else", assistant=False)
                await until(lambda: len(program.messages) == 2, "both to be seen")
                await asyncio.sleep(0.2)
                assert program.seqs == [1, 3] and len(ends) == 1 and not program.errors

    world.backend.push(slowly(0.005))
    play(scene, world)


def test_a_message_that_is_lost_on_the_way_is_told_as_missed(world):
    async def scene(kit):
        async with relay(kit, lambda frame: frame.get("seq") != 2 or frame["type"] != "message") as url:
            program = kit.client(url=url)
            async with program.chat as chat:
                for text in ("one", "two", "three"):
                    await chat.send(text, assistant=False)
                await until(lambda: len(program.messages) == 2, "the others to be seen")
                assert program.seqs == [1, 3] and program.stale == [(chat.home, "first"), (chat.home, "missed")]
                assert await program.texts() == ["one", "two", "three"]

    play(scene, world)
