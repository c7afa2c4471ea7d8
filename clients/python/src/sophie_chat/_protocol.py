"""The frames of `sophie.v1` as they are written: the parts of them that a program sees. `/asyncapi.json` of a node says the same."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

Frame = dict[str, Any]
Role = Literal["user", "operator", "system", "assistant"]
T = TypeVar("T")


@functools.lru_cache(maxsize=64)
def names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def taken(cls: type[T], frame: Frame) -> T:
    """What a frame says of it. What a later version of the server adds is left out; a TypeError where something is missing."""
    known: Any = cls
    return cls(**{name: frame[name] for name in names(known) if name in frame})


@dataclass
class LogHead:
    """Where a group's log stands: `epoch` names the log, `seq` its last event."""

    epoch: str
    seq: int


@dataclass(frozen=True)
class Message:
    id: str
    role: Role
    author: str
    text: str
    #: RFC 3339, in UTC.
    created_at: str
    metadata: dict[str, Any] | None = None
    #: Each with `url`, a `data:` URL, and perhaps `name`.
    images: list[dict[str, str]] | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class Quota:
    """A limit that nears its end."""

    limit: int
    remaining: int
    reset_ms: int


@dataclass(frozen=True)
class Member:
    """Who is in a group. `node` and `since` are empty where somebody was just heard of."""

    session: str
    user: str
    node: str = ""
    since: str = ""


@dataclass(frozen=True)
class Members:
    group: str
    #: At most 1,000 of them.
    members: list[Member]
    total: int


@dataclass(frozen=True)
class Ack:
    """A command was carried out."""

    id: str
    pending: bool = False
    epoch: str = ""
    seq: int = 0
    message: str = ""
    recovered: bool = False
    #: False where a person has taken over from the assistant.
    assistant: bool = True
    #: `asked` where the group waits for a person.
    person: str = ""
    limits: dict[str, Quota] | None = None


def ack(frame: Frame) -> Ack:
    limits = {name: taken(Quota, quota) for name, quota in frame.get("limits", {}).items()}
    return taken(Ack, frame | {"limits": limits or None})


def members(frame: Frame) -> Members:
    return Members(frame["group"], [taken(Member, each) for each in frame["members"]], frame["total"])
