"""One answer as it grows. Offsets count Unicode scalar values, as Python's strings do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

from ._errors import SophieError
from ._protocol import Frame, Usage, taken

AnswerState = Literal["running", "done", "cancelled", "failed"]


class Answer:
    """An answer. Iterate over it for its pieces: `async for piece in answer`."""

    def __init__(self, id: str, group: str, message: str) -> None:
        self.id = id
        self.group = group
        #: The id of the message that it answers.
        self.message = message
        #: Empty if it is not known: an answer that began before this client came, or that was read from the history.
        self.model = ""
        #: `hit`, `miss`, `coalesced` or `bypass`.
        self.cache = ""
        #: All of it so far.
        self.text = ""
        #: What the model thought so far, if the service shows that; no part of the answer.
        self.reasoning = ""
        #: How long it thought, when it has ended and that is known.
        self.reasoning_ms: int | None = None
        #: It thought more than is kept.
        self.reasoning_cut = False
        self.state: AnswerState = "running"
        #: Its place in the log, when it has ended.
        self.seq: int | None = None
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.latency_ms: int | None = None
        #: Why it failed.
        self.error: SophieError | None = None
        self._wakes: set[asyncio.Future[None]] = set()
        # A piece of it was missing, and its text was asked for.
        self.was_asked_for = False

    def __repr__(self) -> str:
        return f"<Answer {self.id} {self.state}, {len(self.text)} characters>"

    @classmethod
    def of(cls, frame: Frame) -> Answer:
        """The answer that an event of the history tells of."""
        answer = cls(frame["answer"], frame["group"], frame.get("message", ""))
        answer.finish(frame)
        return answer

    def __aiter__(self) -> AsyncIterator[str]:
        """Its text piece by piece, from the beginning. Ends with the answer; raises if that fails."""
        return self._pieces()

    async def ended(self) -> Answer:
        """Waits until it has ended, however it ended: its `state` tells how."""
        while self.state == "running":
            await self._change()
        return self

    async def _pieces(self) -> AsyncIterator[str]:
        at = 0
        while True:
            if len(self.text) > at:
                piece = self.text[at:]
                at = len(self.text)
                yield piece
            elif self.state != "running":
                if self.error:
                    raise self.error
                return
            else:
                await self._change()

    async def _change(self) -> None:
        wake = asyncio.get_running_loop().create_future()
        self._wakes.add(wake)
        try:
            await wake
        finally:
            self._wakes.discard(wake)

    # What follows is the library's.

    def begin(self, model: str, cache: str) -> None:
        self.model = model
        self.cache = cache

    def delta(self, offset: int, text: str) -> str | None:
        """A piece of it. What is new of that: a piece may overlap with what is known. None where a piece before it is missing."""
        if self.state != "running":
            return ""
        if offset > len(self.text):
            return None
        fresh = text[len(self.text) - offset :]
        if fresh:
            self.text += fresh
            self._changed()
        return fresh

    def think(self, offset: int, text: str) -> str:
        """As `delta`, of what the model thinks. After a hole nothing is new: all of it comes with the end."""
        if self.state != "running" or offset > len(self.reasoning):
            return ""
        fresh = text[len(self.reasoning) - offset :]
        self.reasoning += fresh
        return fresh

    def finish(self, frame: Frame) -> None:
        """It has ended, as it is logged."""
        self.seq = frame["seq"]
        self.text = frame["text"]
        thought: dict[str, Any] = frame.get("reasoning") or {}
        self.reasoning = thought.get("text", "")
        self.reasoning_ms = thought.get("ms")
        self.reasoning_cut = bool(thought.get("cut"))
        self.message = frame.get("message") or self.message
        if frame["type"] == "answer.end":
            self.finish_reason = frame["finish_reason"]
            self.state = "cancelled" if self.finish_reason == "cancelled" else "done"
            usage: dict[str, Any] | None = frame.get("usage")
            self.usage = taken(Usage, usage) if usage else None
            self.latency_ms = frame.get("latency_ms")
            self.model = frame.get("model") or self.model
            self.cache = frame.get("cache") or self.cache
        else:
            self.state = "failed"
            self.error = SophieError(frame["code"], frame["reason"], frame.get("retry_after_ms", 0) / 1_000)
        self._changed()

    def lose(self, error: SophieError) -> None:
        """Its end is not to be known."""
        self.state = "failed"
        self.error = error
        self._changed()

    def _changed(self) -> None:
        wakes, self._wakes = self._wakes, set()
        for wake in wakes:
            if not wake.done():
                wake.set_result(None)
