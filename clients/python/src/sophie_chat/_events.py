"""What a program is told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ._answer import Answer
from ._errors import SophieError
from ._protocol import Frame, Member, Message, taken

if TYPE_CHECKING:
    from ._outbox import Sending
    from ._presence import Presence

Phase = Literal["idle", "connecting", "open", "waiting", "closed"]
#: Why the history of a group is to be read: `first`, nothing of it was read yet; `missed`, there is more than can be told again; `lost`, a new
#: log has begun; `slow`, this program did not read its events.
StaleReason = Literal["first", "missed", "lost", "slow"]


class Event:
    """All of them."""


@dataclass(frozen=True)
class State(Event):
    """How the connection is doing."""

    phase: Phase
    #: How many attempts in a row have failed.
    attempt: int = 0
    #: When the next attempt comes, in seconds since 1970.
    retry_at: float = 0.0
    #: The close code of the last connection; or the HTTP status, when the server refused to connect; else 0.
    code: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Ready(Event):
    """Connected: where everything stands."""

    session: str
    user: str
    node: str
    epoch: str
    seq: int
    recovered: bool
    groups: list[str]
    ping_interval_ms: int = 25_000
    expires_in_ms: int | None = None


@dataclass(frozen=True)
class MessageSaid(Event):
    group: str
    seq: int
    message: Message


@dataclass(frozen=True)
class AnswerBegan(Event):
    """An answer begins, or one that is being written is heard of."""

    answer: Answer


@dataclass(frozen=True)
class AnswerGrew(Event):
    """It has grown by `text`."""

    answer: Answer
    text: str


@dataclass(frozen=True)
class AnswerThought(Event):
    """The model has thought more of it: `text`, which is no part of the answer."""

    answer: Answer
    text: str


@dataclass(frozen=True)
class AnswerEnded(Event):
    """It has ended: its `state` tells how."""

    answer: Answer


@dataclass(frozen=True)
class History:
    """A page of what was said."""

    group: str
    #: Oldest first.
    events: list[MessageSaid | Answer]
    #: There is more before these.
    more: bool


@dataclass(frozen=True)
class Stale(Event):
    """The history of a group is to be read, and what was shown of it to be forgotten: what follows does not connect to it."""

    group: str
    reason: StaleReason
    #: Reads the newest part of it; takes how many events, 1 to 100.
    read: Callable[..., Coroutine[Any, Any, History]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Joined(Event):
    """This session is in a group."""

    group: str


@dataclass(frozen=True)
class Left(Event):
    """This session is in a group no longer."""

    group: str


@dataclass(frozen=True)
class MembersChanged(Event):
    """Others came or went, as it was told: named in `members`, or `count` of them."""

    group: str
    joined: bool
    members: list[Member]
    count: int
    #: How many members the group has now; None of a single change.
    total: int | None


@dataclass(frozen=True)
class PresenceChanged(Event):
    presence: Presence


@dataclass(frozen=True)
class Typing(Event):
    group: str
    user: str


@dataclass(frozen=True)
class AssistantTurned(Event):
    """A person took over from the assistant, or handed back."""

    group: str
    on: bool


@dataclass(frozen=True)
class PersonWanted(Event):
    """Somebody asked for a person, or what came of it."""

    group: str
    #: The group waits; a person has taken over; it waits no more, and nobody has.
    state: Literal["asked", "taken", "dismissed"]


@dataclass(frozen=True)
class ApplicationEvent(Event):
    """What an application sent to the group, as it is."""

    group: str
    event: Any


@dataclass(frozen=True)
class SendingChanged(Event):
    """What waits to be sent has changed."""

    sending: tuple[Sending, ...]


@dataclass(frozen=True)
class Refused(Event):
    """Something that nobody waits for was refused."""

    error: SophieError


@dataclass(frozen=True)
class FrameCame(Event):
    """Every frame, as it came."""

    frame: Frame


def logged(frame: Frame) -> MessageSaid | Answer:
    """What stands in a group's log."""
    if frame["type"] != "message":
        return Answer.of(frame)
    return MessageSaid(frame["group"], frame["seq"], taken(Message, frame["message"]))


def history(frame: Frame) -> History:
    return History(frame["group"], [logged(each) for each in frame["events"]], frame["more"])


def membership(frame: Frame) -> MembersChanged:
    named = frame.get("members") or ([frame] if "session" in frame else [])
    who = [Member(each["session"], each.get("user", "")) for each in named]
    return MembersChanged(frame["group"], frame["type"] == "group.joined", who, frame.get("count") or len(who), frame.get("total"))
