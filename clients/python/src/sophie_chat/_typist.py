"""How often it is told that somebody types: the server passes on one a second and group."""

import time

EVERY = 1.0
MOST = 64


class Typist:
    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def may(self, group: str) -> bool:
        """Whether it is time to tell it again."""
        now = time.monotonic()
        if now - self._told.get(group, -EVERY) < EVERY:
            return False
        if len(self._told) >= MOST:
            self._told.clear()
        self._told[group] = now
        return True
