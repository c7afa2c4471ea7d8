"""Who is told of events: handlers, at once, and feeds, when their programs read."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from ._events import Event
from ._feed import Feed

E = TypeVar("E", bound=Event)


class Emitter:
    def __init__(self) -> None:
        self._handlers: dict[type[Event], dict[int, Callable[[Any], object]]] = {}
        self._number = 0
        # Who has broken off a loop has let go of its feed: nothing is kept for it.
        self._feeds: weakref.WeakSet[Feed[Any]] = weakref.WeakSet()

    def on(self, type: type[E], handler: Callable[[E], object]) -> Callable[[], None]:
        if inspect.iscoroutinefunction(handler):
            raise TypeError("A handler is called, not awaited: iterate over chat.events() to await something for each event")
        self._number += 1
        number = self._number
        handlers = self._handlers.setdefault(type, {})
        handlers[number] = handler

        def off() -> None:
            handlers.pop(number, None)

        return off

    def add(self, feed: Feed[Any]) -> None:
        self._feeds.add(feed)

    def emit(self, event: Event) -> None:
        for handler in list(self._handlers.get(type(event), {}).values()):
            try:
                handler(event)
            except Exception as fault:
                # The fault of one handler is its own: it is told where uncaught errors are, and the others are still called.
                asyncio.get_running_loop().call_exception_handler({"message": "A handler of sophie_chat failed", "exception": fault})
        for feed in list(self._feeds):
            feed.offer(event)

    def close(self) -> None:
        """The client has ended: so does each loop over its events."""
        for feed in list(self._feeds):
            feed.close()
        self._feeds = weakref.WeakSet()
