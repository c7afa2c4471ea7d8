"""The client library in Python, and who may come in: tokens that are wrong, that end, that are not there."""

import asyncio
import contextlib
import logging

import pytest
from broker import held_port
from python_client import code, play, until
from sophie_chat import Sophie, SophieError
from websockets.asyncio.server import serve
from world import World, token


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield World(tmp_path_factory, stack)


def test_a_wrong_token_is_the_end_and_why_is_told(world):
    async def scene(kit):
        program = kit.client(token="not.a.token")
        with pytest.raises(SophieError) as refused:
            async with program.chat:
                pass
        assert refused.value.code == "closed" and "token" in str(refused.value)
        state = program.chat.state
        assert (state.phase, state.code, state.reason) == ("closed", 401, str(refused.value))
        await asyncio.sleep(0.5)
        assert program.dials() == 1

    play(scene, world, world.guarded)


def test_tokens_are_replaced_before_they_end(world):
    asked = []

    async def get_token():
        asked.append("")
        if len(asked) == 1:
            return "not.a.token"
        # A third of its time is left when the next one is asked for: more than a busy machine pauses.
        return None if len(asked) > 3 else token("alice", 12)

    async def scene(kit):
        program = kit.client(get_token=get_token)
        chat = program.chat
        ready = await chat.connect()
        assert ready.user == chat.user == "alice" and 0 < ready.expires_in_ms <= 12_000
        answered = []
        for _ in range(52):
            answered.append(await code(chat.members()))
            await asyncio.sleep(0.25)
        assert answered == ["done"] * 52 and not program.errors
        assert program.phases.count("open") == 1, "one connection outlived its first token"
        await program.phase("closed")
        assert chat.state.code == 4500 and len(asked) >= 4, "nothing is left to connect with"

    play(scene, world, world.guarded)


def test_a_function_that_fails_is_asked_again(world):
    asked = []

    def get_token():
        asked.append("")
        if len(asked) == 1:
            raise OSError("the directory is away")
        return token("bob", 60)

    async def scene(kit):
        program = kit.client(get_token=get_token)
        async with program.chat as chat:
            assert chat.user == "bob"
        [failed] = [state for state, _ in program.states if state.phase == "waiting"]
        assert failed.reason == "The token could not be got: the directory is away"

    play(scene, world, world.guarded)


def test_a_session_of_somebody_else_is_the_end(world):
    async def scene(kit):
        async with kit.client(token=token("alice", 60)).chat:
            other = kit.client(token=token("mallory", 60))
            assert await code(other.chat.connect()) == "closed"
            assert (other.chat.state.phase, other.chat.state.code, other.dials()) == ("closed", 403, 1)

    play(scene, world, world.guarded)


def test_no_token_and_no_text_gets_into_a_log(world, caplog):
    async def scene(kit):
        program = kit.client(token=token("carol", 60))
        async with program.chat as chat:
            await chat.send("what nobody is to read", assistant=False)
            await kit.act("cut")
            await until(lambda: chat.state.phase != "open", "the cut to be seen")
            await kit.act("mend")
            await program.phase("open")

    caplog.set_level(logging.DEBUG)
    play(scene, world, world.guarded)
    assert "eyJ" not in caplog.text and "nobody" not in caplog.text, caplog.text


def test_a_server_that_cannot_be_reached_is_tried_until_it_is_closed(world):
    async def scene(kit):
        nobody = held_port()
        program = kit.client(url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        chat = program.chat
        lost = [asyncio.create_task(code(each)) for each in (chat.connect(), chat.send("never"), chat.join("team"), chat.history())]
        await until(lambda: program.phases.count("waiting") >= 2, "two attempts to fail")
        assert chat.state.attempt >= 2 and "cannot be reached" in chat.state.reason
        await chat.close()
        assert [await each for each in lost] == ["closed"] * 4
        nobody.close()

    play(scene, world)


def test_what_is_no_broker_is_no_end_of_the_program(world):
    """Frames that make no sense, refusals that are no JSON, a socket that says nothing."""

    async def scene(kit):
        async def nonsense(socket):
            for frame in ("no json", "[]", "null", '{"type": "ack"}', '{"type": "message", "group": 7}', '{"type": ["odd"]}'):
                await socket.send(frame)
            if "odd" in socket.request.path:
                await socket.send('{"type": "session.ready"}')
                await socket.wait_closed()
            await socket.close(4001, "go on")

        async def refuse(connection, request):
            if "refused" in request.path:
                return connection.respond(503, "<html>")

        async with serve(nonsense, "127.0.0.1", 0, process_request=refuse) as server:
            at = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for url, told in ((at, (4001, "go on")), (f"{at}/odd", (0, "The server's first frame was not understood.")), (f"{at}/refused", (503, "The server answered 503."))):
                program = kit.client(url=url)
                connecting = program.chat.connect()
                await until(lambda program=program: program.phases.count("waiting") >= 2, "to be tried again")
                assert (program.chat.state.code, program.chat.state.reason) == told
                await program.chat.close()
                assert await code(connecting) == "closed"

    play(scene, world)


def test_addresses_and_names_are_looked_at_at_once():
    for session in ("", "a b", "x" * 65, "a\n"):
        with pytest.raises(ValueError, match="no name of a session"):
            Sophie("http://127.0.0.1:8080", session=session)
    for url in ("", "127.0.0.1:8080", "ftp://127.0.0.1"):
        with pytest.raises(ValueError, match="no address of a service"):
            Sophie(url)
    assert len({Sophie("https://chat.example.com/below/").session for _ in range(10)}) == 10
