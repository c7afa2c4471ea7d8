"""A client: what a program says and hears, whatever becomes of its connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from ssl import SSLContext
from types import TracebackType
from typing import Any, TypeVar, overload

from ._access import GetToken
from ._answer import Answer
from ._backoff import Backoff
from ._events import Event, History, MessageSaid, Ready, Stale, State
from ._feed import Feed
from ._names import random_name
from ._outbox import Sending, Sent, Waits
from ._presence import Presence
from ._protocol import Ack, LogHead, Members, ack, members
from ._session import Session
from ._standings import Standing
from ._typist import Typist

# How long an answer may take to begin.
BEGIN = 30.0
E = TypeVar("E", bound=Event)


class Sophie:
    """`async with Sophie(url) as chat` connects, stays connected, and ends it. All of its methods are for the one event loop that runs it.

    `url` is the service's address, `https://chat.example.com`; `session` the conversation's name, at random by default. `backoff` are the first
    and the longest wait before the next attempt to connect. All times are in seconds."""

    def __init__(
        self,
        url: str,
        *,
        session: str | None = None,
        token: str | None = None,
        get_token: GetToken | None = None,
        groups: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        ssl: SSLContext | None = None,
        backoff: tuple[float, float] = (0.4, 20.0),
        max_queued: int = 100,
        max_waiting: int = 1_000,
        max_frame_bytes: int = 208_384,
        timeout: float = 30.0,
    ) -> None:
        #: Its name. One session is one conversation.
        self.session = random_name(22) if session is None else session
        waits = Backoff(*backoff)
        self._parts = Session(url, self.session, token, get_token, groups, headers or {}, ssl, waits, max_queued, max_frame_bytes, timeout)
        #: The session's own group.
        self.home = self._parts.groups.home
        self._max_waiting = max_waiting
        self._typist = Typist()

    async def __aenter__(self) -> Sophie:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Sophie {self.session} {self.state.phase}>"

    @property
    def state(self) -> State:
        """How the connection is doing."""
        return self._parts.line.state

    @property
    def user(self) -> str:
        """Who this is, as the server says; empty before it was connected."""
        return self._parts.last.user if self._parts.last else ""

    @property
    def groups(self) -> list[str]:
        """The groups that this session is in, its own first."""
        return self._parts.groups.names

    @property
    def answers(self) -> list[Answer]:
        """The answers that are being written."""
        return self._parts.answers.running

    @property
    def sending(self) -> tuple[Sending, ...]:
        """What was said and is not confirmed yet, oldest first."""
        return self._parts.outbox.items

    @overload
    def events(self) -> Feed[Event]: ...
    @overload
    def events(self, *types: type[E]) -> Feed[E | Stale]: ...
    def events(self, *types: type[Any]) -> Feed[Any]:
        """What happens from now on: all but `FrameCame`, or events of these types and `Stale`. Ends when the client is closed."""
        feed: Feed[Any] = Feed(types, self._max_waiting, self._parts.all_stale, self.state.phase == "closed")
        self._parts.emitter.add(feed)
        return feed

    def on(self, type: type[E], handler: Callable[[E], object]) -> Callable[[], None]:
        """Calls the handler for every event of this type, until the function that is returned is called."""
        return self._parts.emitter.on(type, handler)

    def connect(self) -> asyncio.Future[Ready]:
        """Connects, and stays connected: again and again until `close`, or until the server ends the session. To be awaited until the session is
        ready; raises if it ends before that. Need not be awaited. While a next attempt is waited for, it is made at once."""
        return self._parts.connect()

    async def close(self) -> None:
        """Ends all of it: what waits fails with `closed`. `connect` begins anew."""
        if self.state.phase != "closed":
            await self._parts.line.stop("This client was closed.")

    def send(
        self,
        text: str,
        *,
        group: str | None = None,
        assistant: bool = True,
        images: list[dict[str, str]] | None = None,
        metadata: dict[str, Any] | None = None,
        steer: bool = False,
        id: str | None = None,
        wait: bool | Waits = False,
    ) -> asyncio.Future[Sent]:
        """Says something at once; await it to know that it was logged. It is kept until the server has it, over lost connections too, and is said
        once. `wait`: whether a refusal of the moment (`rate_limited`, `busy`) is waited out, or a function of the error that says so."""
        frame: dict[str, Any] = {"type": "message.send", "id": id or self._parts.next_id(), "group": group or self.home}
        frame |= {"text": text, "assistant": assistant}
        if images:
            frame["images"] = images
        if metadata is not None:
            frame["metadata"] = metadata
        if steer:
            frame["steer"] = True
        return self._parts.outbox.add(frame, wait)

    def withdraw(self, id: str) -> bool:
        """Takes back a message that is not under way just now, by its id; says whether it is certain that it was not said. One of which that is not
        known is not sent again, and fails with `unconfirmed`."""
        return self._parts.outbox.withdraw(id)

    async def ask(
        self,
        text: str,
        *,
        group: str | None = None,
        images: list[dict[str, str]] | None = None,
        metadata: dict[str, Any] | None = None,
        steer: bool = False,
        id: str | None = None,
        wait: bool | Waits = False,
        timeout: float = BEGIN,
    ) -> Answer:
        """Asks something: the answer, as soon as it begins. `timeout` is how long it may take to begin."""
        sent = await self.send(text, group=group, images=images, metadata=metadata, steer=steer, id=id, wait=wait)
        return await self._parts.answers.to(sent.message, timeout)

    async def cancel(self, answer: Answer | str) -> Ack:
        """Ends an answer; what was written stays."""
        return await self._ask("answer.cancel", again=True, answer=identity(answer))

    async def retry(self, message: str) -> Ack:
        """Asks for another answer to a message."""
        return await self._ask("answer.retry", message=message)

    async def join(self, group: str) -> Ack:
        """Becomes a member of a group, and stays one."""
        return ack(await self._parts.groups.join(group))

    async def leave(self, group: str) -> Ack:
        return ack(await self._parts.groups.leave(group))

    async def members(self, group: str | None = None) -> Members:
        """Who is in a group just now."""
        return members(await self._parts.commands.ask("group.members", {"group": group or self.home}, again=True))

    def presence(self, group: str | None = None) -> Presence:
        """Who is in a group, kept up to date: `PresenceChanged` tells of each change. `stop()` it when it is no longer needed."""
        return self._parts.presence(group or self.home)

    def typing(self, group: str | None = None) -> None:
        """Tells the others that somebody is typing here. To be called as often as one likes."""
        if self._typist.may(group or self.home):
            self._parts.commands.tell("group.typing", {"group": group or self.home})

    async def history(self, group: str | None = None, *, before: int | None = None, limit: int | None = None) -> History:
        """What was logged, oldest first: the newest `limit` (1 to 100, 50 by default), or those before a `seq`."""
        return await self._parts.history(group or self.home, before, limit)

    async def past(self, group: str | None = None) -> AsyncIterator[MessageSaid | Answer]:
        """All of what is logged, newest first, read as it is asked for."""
        before: int | None = None
        while True:
            page = await self._parts.history(group or self.home, before, 100)
            for event in reversed(page.events):
                yield event
            if not page.more or not page.events:
                return
            before = page.events[0].seq

    async def feedback(self, rating: int, *, answer: Answer | str | None = None, text: str | None = None) -> Ack:
        """What somebody thinks of an answer (-1 or 1), or of the whole chat (1 to 5)."""
        return await self._ask("feedback", again=True, rating=rating, answer=identity(answer), text=text)

    async def ask_for_person(self, *, group: str | None = None, text: str | None = None) -> Ack:
        """Asks for a person, where the service offers that."""
        return await self._ask("person.ask", again=True, group=group, text=text)

    def standing(self, group: str | None = None) -> Standing:
        """Who answers in a group: the assistant, or a person who has taken over; and whether the group waits for one."""
        return self._parts.standings.of(group or self.home)

    async def command(self, type: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any command of the protocol, for what has no method here: the frame that answers it. It is not sent again after a lost connection."""
        return await self._parts.commands.ask(type, fields or {})

    def position(self, group: str | None = None) -> LogHead | None:
        """Where a group's log was read to."""
        head = self._parts.groups.head(group or self.home)
        return head and replace(head)

    async def _ask(self, type: str, again: bool = False, **fields: Any) -> Ack:
        return ack(await self._parts.commands.ask(type, fields, again=again))


def identity(answer: Answer | str | None) -> str | None:
    return answer.id if isinstance(answer, Answer) else answer
