"""The client of Sophie, a message broker for AI chat: reconnects, resumes, sends once, puts answers together."""

from ._answer import Answer
from ._errors import SophieError
from ._events import (
    AnswerBegan,
    AnswerEnded,
    AnswerGrew,
    AnswerThought,
    ApplicationEvent,
    AssistantTurned,
    Event,
    FrameCame,
    History,
    Joined,
    Left,
    MembersChanged,
    MessageSaid,
    PersonWanted,
    PresenceChanged,
    Ready,
    Refused,
    SendingChanged,
    Stale,
    State,
    Typing,
)
from ._feed import Feed
from ._outbox import Sending, Sent
from ._presence import Presence
from ._protocol import Ack, LogHead, Member, Members, Message, Quota, Usage
from ._sophie import Sophie
from ._standings import Standing

__all__ = [
    "Ack",
    "Answer",
    "AnswerBegan",
    "AnswerEnded",
    "AnswerGrew",
    "AnswerThought",
    "ApplicationEvent",
    "AssistantTurned",
    "Event",
    "Feed",
    "FrameCame",
    "History",
    "Joined",
    "Left",
    "LogHead",
    "Member",
    "Members",
    "MembersChanged",
    "Message",
    "MessageSaid",
    "PersonWanted",
    "Presence",
    "PresenceChanged",
    "Quota",
    "Ready",
    "Refused",
    "Sending",
    "SendingChanged",
    "Sent",
    "Sophie",
    "SophieError",
    "Stale",
    "Standing",
    "State",
    "Typing",
    "Usage",
]
