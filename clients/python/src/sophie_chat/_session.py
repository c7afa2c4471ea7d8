"""The parts of a client, put together: what becomes of each frame, of each connection and of each end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from ssl import SSLContext

from ._access import Access, GetToken
from ._address import endpoint
from ._answers import Answers
from ._backoff import Backoff
from ._closing import TOO_LARGE, Ending
from ._commands import Commands, refusal
from ._emitter import Emitter
from ._errors import SophieError
from ._events import (
    AnswerEnded,
    ApplicationEvent,
    AssistantTurned,
    Event,
    FrameCame,
    History,
    Joined,
    Left,
    MessageSaid,
    PersonWanted,
    PresenceChanged,
    Ready,
    Refused,
    SendingChanged,
    Stale,
    StaleReason,
    State,
    Typing,
    history,
    logged,
    membership,
)
from ._groups import Groups
from ._line import Line, encoded
from ._names import random_name
from ._outbox import Outbox
from ._presence import Presence
from ._protocol import Frame, LogHead, ack, taken
from ._replies import Reply
from ._standings import Standings

# How many presences may be kept up to date.
MOST_PRESENCES = 64


class Session:
    def __init__(
        self,
        url: str,
        session: str,
        token: str | None,
        get_token: GetToken | None,
        groups: Iterable[str],
        headers: Mapping[str, str],
        ssl: SSLContext | None,
        backoff: Backoff,
        max_queued: int,
        max_frame_bytes: int,
        timeout: float,
    ) -> None:
        self.emitter = Emitter()
        self.commands = Commands(self._transmit, self.next_id, timeout)
        self.outbox = Outbox(self._transmit, size, self._sending, max_queued, max_frame_bytes)
        self.answers = Answers(self._answered, self._gap)
        self.standings = Standings(self.emitter.emit)
        self.groups = Groups(session, groups, self.commands, self)
        self.presences: dict[str, Presence] = {}
        #: What was told at the last connect.
        self.last: Ready | None = None
        access = Access(token, get_token, lambda token: self.commands.ask("auth.refresh", {"token": token}))
        self.line = Line(endpoint(url, session), access, backoff, headers, ssl, self)
        self._prefix = random_name(8)
        self._counter = 0
        self._connecting: Reply[Ready] = Reply()

    def connect(self) -> asyncio.Future[Ready]:
        future = self._connecting.future()
        if self.line.state.phase == "open" and self.last:
            future.set_result(self.last)
            return future
        # Who does not await it is told by `State`.
        future.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.commands.open()
        self.outbox.open()
        self.line.start()
        return future

    async def history(self, group: str, before: int | None, limit: int | None) -> History:
        return history(await self.commands.ask("history.get", {"group": group, "before": before, "limit": limit}, again=True))

    def presence(self, group: str) -> Presence:
        if known := self.presences.get(group):
            return known
        if len(self.presences) >= MOST_PRESENCES:
            raise SophieError("queue_full", f"{MOST_PRESENCES} presences are kept already: stop() one first.")

        def changed(presence: Presence) -> None:
            self.emitter.emit(PresenceChanged(presence))

        def over() -> None:
            self.presences.pop(group, None)

        presence = Presence(group, self.commands, changed, over)
        self.presences[group] = presence
        return presence

    def next_id(self) -> str:
        self._counter += 1
        return f"{self._prefix}-{self._counter}"

    def all_stale(self) -> Iterator[Stale]:
        """For a reader who was too slow."""
        return (self._missed(group, "slow") for group in self.groups.names)

    # What the line tells.

    def since(self) -> LogHead | None:
        return self.groups.head(self.groups.home)

    def ready(self, frame: Frame) -> None:
        self.last = taken(Ready, frame)
        self.emitter.emit(FrameCame(frame))
        self.answers.ready(frame["answers"])
        self.emitter.emit(self.last)
        self.groups.ready(frame)
        self.answers.resume(frame["answers"])
        for presence in self.presences.values():
            presence.soon()
        self.commands.connected()
        self.outbox.connected()
        self._connecting.give(self.last)

    def heard(self, frame: Frame) -> None:
        emit = self.emitter.emit
        emit(FrameCame(frame))
        match frame.get("type"):
            case "ack":
                if not self.commands.settle(frame):
                    self.outbox.acknowledged(ack(frame))
            case "error":
                if not self.commands.settle(frame) and not self.outbox.refused(frame):
                    emit(Refused(refusal(frame)))
            case "history" | "group.members" | "pong":
                self.commands.settle(frame)
            case "log.reset":
                self.groups.reset(frame)
            case "message":
                said = logged(frame)
                if self.groups.follow(frame["group"], frame["seq"]) and isinstance(said, MessageSaid):
                    emit(said)
            case "answer.start" | "answer.delta" | "answer.reasoning":
                self.answers.take(frame)
            case "answer.end" | "answer.error":
                # One that is still waited for ends, whatever else was heard of its log meanwhile.
                if self.groups.follow(frame["group"], frame["seq"]) or self.answers.is_running(frame["answer"]):
                    self.answers.take(frame)
            case "group.joined" | "group.left":
                change = membership(frame)
                if presence := self.presences.get(change.group):
                    presence.membership(change)
                emit(change)
                self.groups.membership(change)
            case "typing":
                emit(taken(Typing, frame))
            case "assistant":
                self.standings.turned(taken(AssistantTurned, frame))
            case "person":
                self.standings.wanted(taken(PersonWanted, frame))
            case "event":
                emit(taken(ApplicationEvent, frame))
            # What a later version of the server says is seen by `FrameCame` alone.

    def lost(self, end: Ending) -> None:
        if end.code == TOO_LARGE:
            self.outbox.too_large()
        self.commands.disconnected()
        self.outbox.disconnected()
        self.groups.disconnected()

    def changed(self, state: State) -> None:
        if state.phase == "closed":
            self._end(SophieError("closed", state.reason))
        self.emitter.emit(state)
        if state.phase == "closed":
            self.emitter.close()

    # What the groups tell.

    def stale(self, group: str, reason: StaleReason) -> None:
        self.answers.stale(group)
        self.emitter.emit(self._missed(group, reason))

    def joined(self, group: str) -> None:
        self.emitter.emit(Joined(group))

    def left(self, group: str) -> None:
        self.answers.left(group)
        self.standings.left(group)
        if presence := self.presences.get(group):
            presence.stop()
        self.emitter.emit(Left(group))

    def stands(self, group: str, frame: Frame) -> None:
        self.standings.stands(group, frame)

    def refused(self, error: SophieError) -> None:
        self.emitter.emit(Refused(error))

    def _missed(self, group: str, reason: StaleReason) -> Stale:
        async def read(limit: int | None = None) -> History:
            return await self.history(group, None, limit)

        return Stale(group, reason, read)

    def _answered(self, event: Event) -> None:
        self.emitter.emit(event)
        if isinstance(event, AnswerEnded):
            self.outbox.freed()

    def _gap(self) -> None:
        # A new connection is told the whole text of what is being written.
        self.line.again("A piece of an answer was missing.")

    def _transmit(self, frame: Frame) -> None:
        self.line.transmit(frame)

    def _sending(self) -> None:
        self.emitter.emit(SendingChanged(self.outbox.items))

    def _end(self, error: SophieError) -> None:
        self.commands.close(error)
        self.outbox.close(error)
        self.answers.close(error)
        self.groups.disconnected()
        for presence in list(self.presences.values()):
            presence.stop()
        self._connecting.fail(error, quietly=True)
        self._connecting = Reply()


def size(frame: Frame) -> int:
    return len(encoded(frame).encode())
