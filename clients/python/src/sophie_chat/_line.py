"""One WebSocket at a time: when to connect, how to tell that it lives, and when to come back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import platform
import ssl
import time
from collections.abc import Mapping
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ._access import Access
from ._address import refused, since
from ._backoff import Backoff
from ._closing import ABNORMAL, BAD_TOKEN, OVERLOADED, Ending, ending
from ._events import State
from ._protocol import Frame, LogHead

LOG = logging.getLogger("sophie_chat")
# What websockets writes at debug level has headers and texts in it: tokens and what people say are not for logs.
SOCKET_LOG = logging.getLogger("sophie_chat.socket")
SOCKET_LOG.setLevel(logging.INFO)

READY_WAIT = 15.0
PING_EVERY = 25.0
PONG_WAIT = 10.0
CLOSE_WAIT = 2.0
# A connection has to last this long before the next failure counts as the first one again.
STABLE_AFTER = 5.0
# The largest frame that is taken in: the longest answer is 1 MiB of text, however it is escaped.
LARGEST = 16 * 1024 * 1024
# Frames that wait to be written: more than commands and messages may ever wait.
MOST_UNSENT = 1_024


class LineEvents(Protocol):
    def since(self) -> LogHead | None: ...
    def ready(self, frame: Frame) -> None: ...
    def heard(self, frame: Frame) -> None: ...
    def lost(self, end: Ending) -> None: ...
    def changed(self, state: State) -> None: ...


class Line:
    def __init__(self, endpoint: str, access: Access, backoff: Backoff, headers: Mapping[str, str], context: ssl.SSLContext | None, events: LineEvents) -> None:
        self.state = State("idle")
        self._endpoint = endpoint
        self._access = access
        self._backoff = backoff
        self._headers = dict(headers)
        self._context = context
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self._unsent: asyncio.Queue[str] | None = None
        self._socket: ClientConnection | None = None
        self._woken: asyncio.Event | None = None
        # Why this connection was ended from here.
        self._again = ""

    def start(self) -> None:
        """Connects at once, however long it was to wait."""
        if self.state.phase in ("open", "connecting"):
            return
        self._backoff.reset()
        if self._task and not self._task.done():
            if self._woken:
                self._woken.set()
        else:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="sophie_chat")

    async def stop(self, reason: str) -> None:
        """Ends the connection, and waits until it has ended."""
        task, self._task = self._task, None
        try:
            # A task does not wait for itself: the function that gives tokens runs in it.
            if task and task is not asyncio.current_task():
                task.cancel()
                await asyncio.wait([task])
        finally:
            self._access.disconnected()
            self._say(State("closed", code=1000, reason=reason))

    def again(self, reason: str) -> None:
        """Ends this connection, and comes back."""
        if self._socket:
            self._again = reason
            self._socket.transport.abort()

    def transmit(self, frame: Frame) -> None:
        if self._unsent is None:
            return
        try:
            self._unsent.put_nowait(encoded(frame))
        except asyncio.QueueFull:
            # The server takes nothing any more; what waits is sent again over the next connection.
            self.again("The server takes nothing any more.")

    async def _run(self) -> None:
        while True:
            self._say(State("connecting", attempt=self._backoff.attempt))
            try:
                end = await self._attempt()
            except Exception as fault:
                LOG.exception("the client of a session failed")
                end = Ending(0, f"This client failed: {fault!r}", final=True)
            self._access.disconnected()
            again = end.bad_token and self._access.renew()
            self._events.lost(end)
            if again and end.code == 401:
                continue
            if end.final and not again:
                self._task = None
                self._say(State("closed", code=end.code, reason=end.reason))
                return
            delay = self._backoff.next(end.retry_in, end.code == OVERLOADED)
            self._woken = asyncio.Event()
            self._say(State("waiting", self._backoff.attempt, time.time() + delay, end.code, end.reason))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._woken.wait(), delay)

    async def _attempt(self) -> Ending:
        try:
            token = await self._access.token()
        except Exception as fault:
            return Ending(0, f"The token could not be got: {fault}")
        if token is None:
            return Ending(BAD_TOKEN, "There is no token for this user.", final=True)
        headers = self._headers | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            socket = await connect(
                since(self._endpoint, self._events.since()),
                subprotocols=[Subprotocol("sophie.v1")],
                additional_headers=headers,
                user_agent_header=f"sophie-chat Python/{platform.python_version()}",
                ssl=self._context,
                open_timeout=READY_WAIT,
                ping_interval=PING_EVERY,
                ping_timeout=PONG_WAIT,
                close_timeout=CLOSE_WAIT,
                max_size=LARGEST,
                logger=SOCKET_LOG,
            )
        except InvalidStatus as refusal:
            return refused(refusal.response)
        except (OSError, asyncio.TimeoutError, WebSocketException) as fault:
            return Ending(ABNORMAL, f"The server cannot be reached: {fault}")
        self._again = ""
        self._socket, self._unsent = socket, asyncio.Queue(MOST_UNSENT)
        writer = asyncio.get_running_loop().create_task(self._write(socket, self._unsent))
        try:
            return await self._read(socket)
        finally:
            self._socket = self._unsent = None
            writer.cancel()
            # A dead one may take minutes to close: its end is waited for two seconds at most.
            await socket.close()

    async def _read(self, socket: ClientConnection) -> Ending:
        loop = asyncio.get_running_loop()
        goodbye: Frame | None = None
        late = False

        def too_late() -> None:
            nonlocal late
            late = True
            socket.transport.abort()

        timer = loop.call_later(READY_WAIT, too_late)
        try:
            while True:
                frame = decoded(await socket.recv())
                kind = frame.get("type")
                if kind == "session.closing":
                    goodbye = frame
                try:
                    if kind == "session.ready":
                        timer.cancel()
                        timer = loop.call_later(STABLE_AFTER, self._backoff.reset)
                        self._ready(frame)
                    else:
                        self._events.heard(frame)
                except (KeyError, TypeError, ValueError, AttributeError) as fault:
                    LOG.warning("a frame of type %s was not understood: %r", kind, fault)
                    if kind == "session.ready":
                        return Ending(0, "The server's first frame was not understood.")
        except ConnectionClosed as closed:
            if late:
                return Ending(0, "The server did not answer in time.")
            if self._again:
                return Ending(ABNORMAL, self._again)
            if closed.rcvd is None and closed.sent is not None and closed.sent.reason == "keepalive ping timeout":
                return Ending(0, "The server does not answer any more.")
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (ABNORMAL, "")
            return ending(code, reason, goodbye)
        finally:
            timer.cancel()

    def _ready(self, frame: Frame) -> None:
        expires = frame.get("expires_in_ms")
        self._access.accepted(None if expires is None else expires / 1_000)
        self.state = State("open")
        # What waits is sent from there on.
        self._events.ready(frame)
        self._events.changed(self.state)

    async def _write(self, socket: ClientConnection, unsent: asyncio.Queue[str]) -> None:
        # That the connection is lost is seen by who reads.
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.send(await unsent.get())

    def _say(self, state: State) -> None:
        self.state = state
        self._events.changed(state)


def encoded(frame: Frame) -> str:
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair is no text: the server would refuse the whole frame.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def decoded(data: str | bytes) -> Frame:
    """One that is no JSON object is none that this client knows."""
    try:
        frame = json.loads(data)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}
