"""Timers by name: setting one again replaces it, and all can be cleared at once."""

import asyncio
from collections.abc import Callable


class Timers:
    def __init__(self) -> None:
        self._running: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, delay: float, action: Callable[[], object]) -> None:
        self.clear(name)

        def run() -> None:
            self._running.pop(name, None)
            action()

        self._running[name] = asyncio.get_running_loop().call_later(max(0.0, delay), run)

    def has(self, name: str) -> bool:
        return name in self._running

    def clear(self, name: str) -> None:
        if running := self._running.pop(name, None):
            running.cancel()

    def clear_all(self) -> None:
        for name in list(self._running):
            self.clear(name)
