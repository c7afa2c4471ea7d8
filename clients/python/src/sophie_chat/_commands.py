"""Commands that wait for their one reply, and before it for a connection. What does no harm twice is sent again after a lost one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ._errors import SophieError
from ._protocol import Frame
from ._replies import Reply, failed

# How many may wait.
MOST = 256


class _Waiting:
    def __init__(self, frame: Frame, again: bool, done: Callable[[Frame], None] | None) -> None:
        self.frame = frame
        self.again = again
        self.done = done
        self.sent = False
        self.reply: Reply[Frame] = Reply()
        self.timer: asyncio.TimerHandle | None = None


class Commands:
    def __init__(self, transmit: Callable[[Frame], None], next_id: Callable[[], str], timeout: float) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._online = False
        self._closed: SophieError | None = None
        self._transmit = transmit
        self._next_id = next_id
        self._timeout = timeout

    def ask(self, type: str, fields: Frame, again: bool = False, done: Callable[[Frame], None] | None = None) -> asyncio.Future[Frame]:
        """`again`: whether it may be carried out twice. `done` is called before any event that follows the reply: a future is told later."""
        if self._closed:
            return failed(self._closed)
        if len(self._waiting) >= MOST:
            return failed(SophieError("queue_full", f"{MOST} commands wait already."))
        id = self._next_id()
        frame = {"type": type, "id": id} | {name: value for name, value in fields.items() if value is not None}
        waiting = _Waiting(frame, again, done)
        waiting.timer = asyncio.get_running_loop().call_later(self._timeout, self._expire, id)
        self._waiting[id] = waiting
        future = waiting.reply.future()
        if self._online:
            self._send(waiting)
        return future

    def tell(self, type: str, fields: Frame) -> None:
        """A command whose loss does no harm, and that nobody waits for."""
        if self._online:
            self._transmit({"type": type} | fields)

    def connected(self) -> None:
        self._online = True
        for waiting in list(self._waiting.values()):
            if not waiting.sent:
                self._send(waiting)

    def disconnected(self) -> None:
        self._online = False
        for id, waiting in list(self._waiting.items()):
            if not waiting.sent:
                continue
            if waiting.again:
                waiting.sent = False
            elif ended := self._end(id):
                ended.reply.fail(SophieError("disconnected", "The connection was lost before the reply came."))

    def settle(self, frame: Frame) -> bool:
        """Hands an event to who waits for it; says whether anybody did."""
        waiting = self._end(frame.get("id"))
        if waiting is None:
            return False
        if frame["type"] == "error":
            waiting.reply.fail(refusal(frame))
        else:
            if waiting.done:
                waiting.done(frame)
            waiting.reply.give(frame)
        return True

    def open(self) -> None:
        """Commands may wait for a connection again."""
        self._closed = None

    def close(self, error: SophieError) -> None:
        """None is answered any more."""
        self._online = False
        self._closed = error
        for id in list(self._waiting):
            if waiting := self._end(id):
                waiting.reply.fail(error, quietly=True)

    def _send(self, waiting: _Waiting) -> None:
        waiting.sent = True
        self._transmit(waiting.frame)

    def _expire(self, id: str) -> None:
        if waiting := self._end(id):
            waiting.reply.fail(SophieError("timeout", f"No reply to {waiting.frame['type']} came in time."))

    def _end(self, id: Any) -> _Waiting | None:
        waiting = self._waiting.pop(id, None) if isinstance(id, str) else None
        if waiting and waiting.timer:
            waiting.timer.cancel()
        return waiting


def refusal(frame: Frame) -> SophieError:
    return SophieError(frame["code"], frame["message"], frame.get("retry_after_ms", 0) / 1_000)
