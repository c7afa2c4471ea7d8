"""What was said and is not confirmed yet. One message of a group is under way at a time, so that their order holds whatever fails; each is sent
again with the same id until it is acknowledged or refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ._commands import refusal
from ._errors import SophieError
from ._protocol import Ack, Frame, Quota
from ._replies import Reply, failed

RESEND = 20.0
LONGEST_BACKOFF = 15.0
# The server knows an id for ten minutes: after that, sending again might say it twice.
SAFE_RETRY = 9.5 * 60
# Faults of the server that are tried again at most.
MOST_FAULTS = 5
Waits = Callable[[SophieError], bool]


@dataclass(frozen=True)
class Sent:
    """A message was logged."""

    id: str
    group: str
    seq: int
    #: Its id in the log.
    message: str
    #: The limits that near their end.
    limits: dict[str, Quota] | None = None


@dataclass(frozen=True)
class Sending:
    """A message that is not confirmed yet."""

    id: str
    group: str
    text: str
    assistant: bool
    #: `queued` waits for the connection, for the one before it, or for `delayed_by`.
    state: Literal["queued", "sent"]
    #: Why it was not taken at the last attempt; it is sent again.
    delayed_by: SophieError | None
    #: When it is sent again, in seconds since 1970; 0 if that waits for something else than time.
    retry_at: float


class _Item:
    def __init__(self, frame: Frame, waits: Waits, held: bool) -> None:
        self.id: str = frame["id"]
        self.group: str = frame["group"]
        self.frame = frame
        self.waits = waits
        # Whether the server is asked even while it is known to take nothing.
        self.held = held
        self.state: Literal["queued", "sent"] = "queued"
        self.delayed_by: SophieError | None = None
        # Times are of the monotonic clock, but for the one that is shown.
        self.not_before = 0.0
        self.retry_at = 0.0
        self.first_sent_at = 0.0
        self.failures = 0
        self.reply: Reply[Sent] = Reply()

    def shown(self) -> Sending:
        text, assistant = self.frame["text"], self.frame["assistant"]
        return Sending(self.id, self.group, text, assistant, self.state, self.delayed_by, self.retry_at)


class Outbox:
    def __init__(self, transmit: Callable[[Frame], None], size: Callable[[Frame], int], changed: Callable[[], None], most: int, max_bytes: int) -> None:
        self._items: list[_Item] = []
        self._online = False
        self._closed: SophieError | None = None
        # Until then the server takes nothing from this user: asking would only be refused.
        self._held_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._transmit = transmit
        self._size = size
        self._tell = changed
        self._most = most
        self._max_bytes = max_bytes

    @property
    def items(self) -> tuple[Sending, ...]:
        """What waits, in the order in which it was said."""
        return tuple(item.shown() for item in self._items)

    def add(self, frame: Frame, wait: bool | Waits) -> asyncio.Future[Sent]:
        if known := self._find(frame["id"]):
            return known.reply.future()
        if self._closed:
            return failed(self._closed)
        if len(self._items) >= self._most:
            return failed(SophieError("queue_full", f"{self._most} messages wait to be sent already."))
        if self._size(frame) > self._max_bytes:
            return failed(SophieError("too_large", "This message is too long. Send it in parts."))
        waits = wait if callable(wait) else lambda error: bool(wait)
        item = _Item(frame, waits, wait is not False)
        self._items.append(item)
        future = item.reply.future()
        self._changed()
        return future

    def withdraw(self, id: str) -> bool:
        item = self._find(id)
        if item is None or item.state == "sent":
            return False
        self._items.remove(item)
        unsaid = not item.first_sent_at
        item.reply.fail(SophieError("withdrawn", "This message was taken back.") if unsaid else unconfirmed())
        self._changed()
        return unsaid

    def connected(self) -> None:
        self._online = True
        self._pump()

    def disconnected(self) -> None:
        self._online = False
        self._clear()
        for item in self._items:
            if item.state == "sent":
                item.state, item.not_before = "queued", 0.0

    def acknowledged(self, ack: Ack) -> None:
        if item := self._find(ack.id):
            self._items.remove(item)
            item.reply.give(Sent(ack.id, item.group, ack.seq, ack.message, ack.limits))
            self._changed()

    def refused(self, frame: Frame) -> bool:
        """Takes note of a refusal; says whether it was one of a message that waits."""
        item = self._find(frame.get("id"))
        if item is None:
            return False
        error = refusal(frame)
        limited = error.code == "rate_limited"
        passing = error.code == "store_unavailable" or (error.code == "internal" and item.failures < MOST_FAULTS)
        if limited:
            self._held_until = time.monotonic() + error.retry_after
        if passing or ((limited or error.code == "busy") and item.waits(error)):
            backoff = error.retry_after or min(LONGEST_BACKOFF, 0.5 * 2 ** min(item.failures, 10))
            item.failures += 1
            if not passing:
                # Nothing was logged: its ten minutes have not begun.
                item.first_sent_at = 0.0
            item.state, item.delayed_by = "queued", error
            item.not_before, item.retry_at = time.monotonic() + backoff, time.time() + backoff
        else:
            self._items.remove(item)
            item.reply.fail(error)
        self._changed()
        return True

    def freed(self) -> None:
        """An answer has ended: there may be a place for the next one."""
        for item in self._items:
            if item.state == "queued" and item.delayed_by and item.delayed_by.code == "busy":
                item.not_before = item.retry_at = 0.0
        self._pump()

    def too_large(self) -> None:
        """The server closed because a frame was too large: sending it again would end every connection."""
        sent = [item for item in self._items if item.first_sent_at]
        if sent:
            item = max(sent, key=lambda item: self._size(item.frame))
            self._items.remove(item)
            item.reply.fail(SophieError("too_large", "This message is too long. Send it in parts."))
            self._changed()

    def open(self) -> None:
        """Messages may wait for a connection again."""
        self._closed = None

    def close(self, error: SophieError) -> None:
        """Nothing is sent any more."""
        self._closed = error
        self.disconnected()
        items, self._items = self._items, []
        for item in items:
            item.reply.fail(error, quietly=True)
        if items:
            self._tell()

    def _find(self, id: object) -> _Item | None:
        return next((item for item in self._items if item.id == id), None)

    def _clear(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _changed(self) -> None:
        self._pump()
        self._tell()

    def _pump(self) -> None:
        self._clear()
        if not self._online:
            return
        now = time.monotonic()
        following: list[float] = []
        seen: set[str] = set()
        for item in list(self._items):
            if item.group in seen:
                continue
            seen.add(item.group)
            since = max(item.not_before, self._held_until if item.held else 0.0)
            if since > now:
                following.append(since)
            elif self._send(item, now):
                following.append(now + RESEND)
            else:
                seen.discard(item.group)
        if following:
            self._timer = asyncio.get_running_loop().call_later(max(0.001, min(following) - now), self._pump)

    def _send(self, item: _Item, now: float) -> bool:
        if item.first_sent_at and now - item.first_sent_at > SAFE_RETRY:
            self._items.remove(item)
            item.reply.fail(unconfirmed())
            asyncio.get_running_loop().call_soon(self._tell)
            return False
        item.state, item.retry_at = "sent", 0.0
        item.first_sent_at = item.first_sent_at or now
        item.not_before = now + RESEND
        self._transmit(item.frame)
        return True


def unconfirmed() -> SophieError:
    return SophieError("unconfirmed", "It is not known whether this was delivered.")
