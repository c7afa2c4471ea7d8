"""Programs that use clients/python, and what they write down."""

import asyncio
import secrets
import time

import pytest
from sophie_chat import FrameCame, MessageSaid, Refused, Sophie, SophieError, Stale, State
from wire import Wire


class Kit:
    """A session of its own, and a line to a broker that can be cut."""

    def __init__(self, world, broker, wire):
        self.acts = world.acts(broker, wire)
        self.url = wire.url
        self.session = secrets.token_hex(8)
        self.group = f"team-{self.session}"

    async def act(self, what, *more, **named):
        """Does something from outside, while the program goes on."""
        return await asyncio.to_thread(self.acts[what], *more, **named)

    def client(self, **more):
        return Program(**({"url": self.url, "session": self.session, "backoff": (0.05, 0.5)} | more))


class Program:
    """A client, and what it heard."""

    def __init__(self, url, **options):
        self.chat = Sophie(url, **options)
        self.states, self.stale, self.messages, self.seqs, self.frames, self.errors = [], [], [], [], [], []
        self.chat.on(State, lambda state: self.states.append((state, time.time())))
        self.chat.on(Stale, lambda stale: self.stale.append((stale.group, stale.reason)))
        self.chat.on(MessageSaid, lambda said: self.messages.append(said.message.text) or self.seqs.append(said.seq))
        self.chat.on(FrameCame, lambda came: self.frames.append(came.frame))
        self.chat.on(Refused, lambda refused: self.errors.append(refused.error.code))

    @property
    def phases(self):
        return [state.phase for state, _ in self.states]

    def dials(self):
        return self.phases.count("connecting")

    async def phase(self, phase):
        await until(lambda: self.chat.state.phase == phase, f"to be {phase}")

    async def texts(self, group=None):
        """Of the messages in the log, oldest first."""
        return [event.message.text async for event in self.chat.past(group) if isinstance(event, MessageSaid)][::-1]


async def until(condition, what, seconds=20):
    """As `waiting.until`, in a program that goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(0.01)


async def code(awaitable):
    """What came of it: `done`, or the code of why not."""
    try:
        await awaitable
    except SophieError as error:
        return error.code
    return "done"


def play(scene, world, broker=None):
    """Plays a scene at a broker, over a line. Nothing may be left running, and no error untold, when its clients are closed."""
    broker = broker or world.nodes[0]
    untold = []

    async def whole(kit):
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: untold.append(context))
        await asyncio.wait_for(scene(kit), 60)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, f"these are left running: {left}"
        # No loop tells of its timers but by this.
        timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled() and "sophie_chat" in repr(timer)]
        assert not timers, f"these timers are left: {timers}"

    with Wire(broker.port) as wire:
        asyncio.run(whole(Kit(world, broker, wire)))
    assert not untold, untold
