"""How long to wait before the next attempt to connect."""

import random

# No server's word keeps a client away for longer.
LONGEST_ASKED = 10 * 60.0
# What a server that has too much to do is spared, at least.
OVERLOADED_ATTEMPT = 3


class Backoff:
    """Waits that double, in seconds."""

    def __init__(self, first: float = 0.4, longest: float = 20.0) -> None:
        #: How many attempts in a row have failed.
        self.attempt = 0
        self._first = first
        self._longest = longest

    def next(self, asked: float = 0, overloaded: bool = False) -> float:
        """The next wait: half of it is random so that many clients do not come at once, and what was asked for is kept."""
        if overloaded:
            self.attempt = max(self.attempt, OVERLOADED_ATTEMPT)
        spread = min(self._longest, self._first * 2.0 ** min(self.attempt, 30))
        self.attempt += 1
        return max(min(asked, LONGEST_ASKED), spread / 2 + random.random() * spread / 2)

    def reset(self) -> None:
        self.attempt = 0
