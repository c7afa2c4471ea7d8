"""Events on their way to a program that iterates over them, with a bound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from ._answer import Answer
from ._events import AnswerGrew, Event, FrameCame, Stale

E = TypeVar("E", bound=Event)


class _Pieces:
    """What an answer has grown by while nobody looked."""

    def __init__(self, event: AnswerGrew) -> None:
        self.answer = event.answer
        self.texts = [event.text]

    def event(self) -> AnswerGrew:
        return AnswerGrew(self.answer, "".join(self.texts))


class Feed(Generic[E]):
    """The events of a client: `async for event in chat.events()`. It ends when the client is closed.

    Who reads slower than events come misses nothing in silence: the pieces of an answer that wait become one, and when more than `most` events
    wait, they are dropped and a `Stale` with the reason `slow` stands for them, one for each group."""

    def __init__(self, types: tuple[type[Event], ...], most: int, stale: Callable[[], Iterable[Stale]], over: bool) -> None:
        self._types = types
        self._most = most
        self._stale = stale
        self._waiting: deque[Event | _Pieces] = deque()
        self._growing: dict[Answer, _Pieces] = {}
        self._wakes: set[asyncio.Future[None]] = set()
        self._over = over

    def __aiter__(self) -> Feed[E]:
        return self

    async def __anext__(self) -> E:
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            wake = asyncio.get_running_loop().create_future()
            self._wakes.add(wake)
            try:
                await wake
            finally:
                self._wakes.discard(wake)
        event = self._waiting.popleft()
        if isinstance(event, _Pieces):
            self._growing.pop(event.answer, None)
            event = event.event()
        return event  # type: ignore[return-value]

    def close(self) -> None:
        """No more of it: what waits is still given, then the loop ends."""
        self._over = True
        self._wake()

    def offer(self, event: Event) -> None:
        """An event happened."""
        if self._over or not self._wants(event):
            return
        if isinstance(event, AnswerGrew):
            if known := self._growing.get(event.answer):
                known.texts.append(event.text)
                return
            self._make_room()
            pieces = self._growing[event.answer] = _Pieces(event)
            self._waiting.append(pieces)
        else:
            self._make_room()
            self._waiting.append(event)
        self._wake()

    def _wants(self, event: Event) -> bool:
        if not self._types:
            return not isinstance(event, FrameCame)
        return isinstance(event, (*self._types, Stale))

    def _make_room(self) -> None:
        if len(self._waiting) < self._most:
            return
        self._waiting.clear()
        self._growing.clear()
        self._waiting.extend(self._stale())

    def _wake(self) -> None:
        wakes, self._wakes = self._wakes, set()
        for wake in wakes:
            if not wake.done():
                wake.set_result(None)
