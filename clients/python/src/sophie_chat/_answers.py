"""The answers that are being written, and the last ones that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ._answer import Answer
from ._errors import SophieError
from ._events import AnswerBegan, AnswerEnded, AnswerGrew, AnswerThought, Event
from ._protocol import Frame
from ._replies import Reply

# How many that have ended are remembered, for who asks late.
REMEMBERED = 32
# How many may be waited for.
MOST = 256


class Answers:
    """`gap` is called where a piece of an answer is missing: once for each answer, since its end brings all of it anyway."""

    def __init__(self, emit: Callable[[Event], None], gap: Callable[[], None]) -> None:
        self._running: dict[str, Answer] = {}
        self._ended: dict[str, Answer] = {}
        # By the message that they wait for an answer to.
        self._expected: dict[str, Reply[Answer]] = {}
        # Those that the server no longer writes: their ends are in the log, if it still has them.
        self._orphans: set[str] = set()
        self._emit = emit
        self._gap = gap

    @property
    def running(self) -> list[Answer]:
        return list(self._running.values())

    def is_running(self, answer: str) -> bool:
        return answer in self._running

    def ready(self, told: list[Frame]) -> None:
        """What a server that was just connected to is writing: the others have ended, and how is in their logs, if it is there."""
        self._orphans = set(self._running) - {each["answer"] for each in told}

    def resume(self, told: list[Frame]) -> None:
        """Those that it is writing, when it is known which logs go on."""
        for each in told:
            answer = self._answer(each)
            self._think(answer, 0, each.get("reasoning") or "")
            self._grow(answer, 0, each["text"])

    def take(self, frame: Frame) -> None:
        known = frame["answer"] in self._ended
        if frame["type"] == "answer.start":
            if not known:
                self._answer(frame, frame["model"], frame["cache"])
        elif frame["type"] == "answer.delta":
            if not known:
                self._grow(self._answer(frame), frame["offset"], frame["text"])
        elif frame["type"] == "answer.reasoning":
            if not known:
                self._think(self._answer(frame), frame["offset"], frame["text"])
        else:
            answer = self._answer(frame)
            thought = (frame.get("reasoning") or {}).get("text", "")
            if thought.startswith(answer.reasoning):
                self._think(answer, 0, thought)
            # Who goes by the pieces is to have all of them, also those that were written while there was no connection.
            if frame["text"].startswith(answer.text):
                self._grow(answer, 0, frame["text"])
            answer.finish(frame)
            self._over(answer)

    def stale(self, group: str) -> None:
        """What is known of a group's log no longer connects to what follows: the ends of its orphans are not told any more."""
        for answer in self.running:
            if answer.group == group and answer.id in self._orphans:
                self._lose(answer, SophieError("interrupted", "The server stopped before this was finished."))

    def left(self, group: str) -> None:
        """The session has left a group: nothing more is told of its answers."""
        for answer in self.running:
            if answer.group == group:
                self._lose(answer, SophieError("not_member", "The group was left."))

    async def to(self, message: str, timeout: float) -> Answer:
        """The answer to a message, when it begins."""
        for answer in (*self._running.values(), *self._ended.values()):
            if answer.message == message:
                return answer
        if len(self._expected) >= MOST and message not in self._expected:
            raise SophieError("queue_full", f"{MOST} answers are waited for already.")
        reply = self._expected.setdefault(message, Reply())
        try:
            return await asyncio.wait_for(reply.future(), timeout)
        except asyncio.TimeoutError:
            raise SophieError("no_answer", "No answer began. Perhaps a person has taken over from the assistant.") from None
        finally:
            if not reply.is_awaited() and self._expected.get(message) is reply:
                del self._expected[message]

    def close(self, error: SophieError) -> None:
        for reply in self._expected.values():
            reply.fail(error, quietly=True)
        self._expected.clear()
        for answer in self.running:
            self._lose(answer, error)

    def _answer(self, told: Frame, model: str = "", cache: str = "") -> Answer:
        message = told.get("message", "")
        answer = self._running.get(told["answer"])
        if answer:
            answer.message = answer.message or message
            if model:
                answer.begin(model, cache)
        else:
            answer = Answer(told["answer"], told["group"], message)
            answer.begin(model, cache)
            self._ended.pop(answer.id, None)
            self._running[answer.id] = answer
            self._emit(AnswerBegan(answer))
        if expected := self._expected.pop(message, None):
            expected.give(answer)
        return answer

    def _grow(self, answer: Answer, offset: int, text: str) -> None:
        fresh = answer.delta(offset, text)
        if fresh:
            self._emit(AnswerGrew(answer, fresh))
        elif fresh is None and not answer.was_asked_for:
            answer.was_asked_for = True
            self._gap()

    def _think(self, answer: Answer, offset: int, text: str) -> None:
        if fresh := answer.think(offset, text):
            self._emit(AnswerThought(answer, fresh))

    def _lose(self, answer: Answer, error: SophieError) -> None:
        answer.lose(error)
        self._over(answer)
        # Should it be told of again, it is another one.
        self._ended.pop(answer.id, None)

    def _over(self, answer: Answer) -> None:
        self._running.pop(answer.id, None)
        self._orphans.discard(answer.id)
        self._ended[answer.id] = answer
        while len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]
        self._emit(AnswerEnded(answer))
