"""The session's groups, and how far each one's log was read: what a new connection has to catch up with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from ._commands import Commands
from ._errors import SophieError
from ._events import MembersChanged, StaleReason
from ._protocol import Frame, LogHead
from ._timers import Timers

# A join that failed for one of these is tried again, after so long if the server does not say.
PASSING = {"rate_limited", "store_unavailable", "internal", "timeout"}
AGAIN = 2.0


class GroupEvents(Protocol):
    def stale(self, group: str, reason: StaleReason) -> None: ...
    def joined(self, group: str) -> None: ...
    def left(self, group: str) -> None: ...
    def stands(self, group: str, frame: Frame) -> None: ...
    def refused(self, error: SophieError) -> None: ...


class Groups:
    def __init__(self, session: str, wanted: Iterable[str], commands: Commands, events: GroupEvents) -> None:
        self.home = f"chat_{session}"
        self._session = session
        self._heads: dict[str, LogHead] = {}
        # In the order in which they were entered.
        self._names: dict[str, None] = {}
        # Those that the program has asked for: joined anew when the server has lost the session.
        self._wanted = set(wanted)
        self._commands = commands
        self._events = events
        self._timers = Timers()

    @property
    def names(self) -> list[str]:
        """The session's groups, its own first."""
        return list(self._names)

    def head(self, group: str) -> LogHead | None:
        return self._heads.get(group)

    def ready(self, frame: Frame) -> None:
        told: dict[str, None] = dict.fromkeys(frame["groups"])
        logs: dict[str, Frame] = frame["logs"]
        home = self._heads.get(self.home)
        # Another life of the session's own log: its memberships may be lost with it. Else who is in no group any more has left it.
        anew = home is None or home.epoch != frame["epoch"]
        for group in self.names:
            if group not in told and not (anew and group in self._wanted):
                self._wanted.discard(group)
                self._forget(group)
        for group in told:
            self._enter(group)
        for group in told:
            self._events.stands(group, logs.get(group, {}))
        if home is None or not frame["recovered"]:
            self._restart(self.home, LogHead(frame["epoch"], frame["seq"]))
        for group, head in logs.items():
            if group != self.home:
                self._recover(group, LogHead(head["epoch"], head["seq"]))
        if anew:
            for group in sorted(self._wanted):
                if group not in told:
                    self._rejoin(group)

    def join(self, group: str) -> asyncio.Future[Frame]:
        known = self._heads.get(group)
        resume = {"since": known.seq, "epoch": known.epoch} if known and known.epoch else {}

        def done(ack: Frame) -> None:
            self._wanted.add(group)
            self._enter(group)
            self._events.stands(group, ack)
            if not ack.get("recovered"):
                self._restart(group, LogHead(ack.get("epoch", ""), ack.get("seq", 0)))

        return self._commands.ask("group.join", {"group": group} | resume, again=True, done=done)

    def disconnected(self) -> None:
        """There is no connection: the next one begins anew."""
        self._timers.clear_all()

    def leave(self, group: str) -> asyncio.Future[Frame]:
        self._wanted.discard(group)
        return self._commands.ask("group.leave", {"group": group}, again=True, done=lambda ack: self._forget(group))

    def membership(self, event: MembersChanged) -> None:
        """Who came and went: perhaps this very session, by another of its connections, or an operator's hand."""
        if all(member.session != self._session for member in event.members):
            return
        if not event.joined:
            self._wanted.discard(event.group)
            self._forget(event.group)
        elif event.group not in self._names:
            self._enter(event.group)
            self._events.stale(event.group, "first")

    def follow(self, group: str, seq: int) -> bool:
        """Takes note of a logged event; says whether it is new. Only events move the point to resume from: an `ack` may overtake events that
        were logged before it."""
        known = self._heads.get(group)
        if known is None:
            self._heads[group] = LogHead("", seq)
            return True
        if seq <= known.seq:
            return False
        gap = seq > known.seq + 1
        known.seq = seq
        if gap:
            self._events.stale(group, "missed")
        return True

    def reset(self, frame: Frame) -> None:
        self._heads[frame["group"]] = LogHead(frame["epoch"], frame["seq"])
        self._events.stale(frame["group"], "lost")

    def _rejoin(self, group: str) -> None:
        def refused(error: SophieError) -> None:
            if error.code == "closed":
                return
            if error.code in PASSING:
                self._timers.set(group, error.retry_after or AGAIN, lambda: self._rejoin(group))
                return
            self._wanted.discard(group)
            self._forget(group)
            self._events.refused(SophieError(error.code, f"{group} could not be joined again: {error}", error.retry_after))

        quiet(self.join(group), refused)

    def _recover(self, group: str, head: LogHead) -> None:
        known = self._heads.get(group)
        if known is None or known.epoch != head.epoch:
            self._restart(group, head)
        elif known.seq < head.seq:

            def refused(error: SophieError) -> None:
                if error.code != "closed" and group in self._names:
                    self._restart(group, head)

            quiet(self.join(group), refused)

    def _restart(self, group: str, head: LogHead) -> None:
        known = self._heads.get(group)
        self._heads[group] = LogHead(head.epoch, head.seq)
        lost = known is not None and known.epoch and known.epoch != head.epoch
        self._events.stale(group, "first" if known is None else "lost" if lost else "missed")

    def _enter(self, group: str) -> None:
        if group not in self._names:
            self._names[group] = None
            self._events.joined(group)

    def _forget(self, group: str) -> None:
        self._heads.pop(group, None)
        if group in self._names:
            del self._names[group]
            self._events.left(group)


def quiet(future: asyncio.Future[Frame], refused: Callable[[SophieError], None]) -> None:
    """Nobody awaits it: what is refused is told here."""

    def done(future: asyncio.Future[Frame]) -> None:
        if not future.cancelled() and isinstance(error := future.exception(), SophieError):
            refused(error)

    future.add_done_callback(done)
