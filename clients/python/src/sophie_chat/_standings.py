"""Who answers in each group: the assistant, or a person who has taken over; and whether a person was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ._events import AssistantTurned, Event, PersonWanted
from ._protocol import Frame


class Standing(NamedTuple):
    """How a group stands."""

    #: Whether the assistant answers there, or a person has taken over.
    assistant: bool
    #: Whether the group waits for a person.
    asked: bool


class Standings:
    def __init__(self, emit: Callable[[Event], None]) -> None:
        # Those in which it is not as it mostly is.
        self._off: set[str] = set()
        self._asked: set[str] = set()
        self._emit = emit

    def of(self, group: str) -> Standing:
        return Standing(group not in self._off, group in self._asked)

    def stands(self, group: str, frame: Frame) -> None:
        """How a group stands, as a connect or a join tells: what has changed meanwhile is told."""
        on = frame.get("assistant") is not False
        asked = frame.get("person") == "asked"
        known = self.of(group)
        if on != known.assistant:
            self.turned(AssistantTurned(group, on))
        if asked != known.asked:
            self.wanted(PersonWanted(group, "asked" if asked else "dismissed" if on else "taken"))

    def turned(self, event: AssistantTurned) -> None:
        (self._off.discard if event.on else self._off.add)(event.group)
        self._emit(event)

    def wanted(self, event: PersonWanted) -> None:
        (self._asked.add if event.state == "asked" else self._asked.discard)(event.group)
        self._emit(event)

    def left(self, group: str) -> None:
        self._off.discard(group)
        self._asked.discard(group)
