"""What the end of a connection means: whether to come back, when, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BAD_TOKEN = 4500
OVERLOADED = 4004
TOO_LARGE = 1009
#: The connection was lost without a goodbye.
ABNORMAL = 1006

# 1000 is an application's last word; of the others the same would come of the same again.
FINAL = {1000, 1002, 1003, 1007, 1008, TOO_LARGE}

WORDS = {
    1000: "The server ended this session.",
    1002: "The server did not understand this client.",
    1003: "The server did not understand this client.",
    1007: "The server did not understand this client.",
    1008: "The server refuses this client.",
    1009: "A message was larger than the server takes.",
}


@dataclass
class Ending:
    #: The close code; or the HTTP status, when the server refused to connect.
    code: int
    reason: str
    #: Whether the client is not to come back by itself.
    final: bool = False
    #: The server's wish, in seconds.
    retry_in: float = 0.0
    #: The token is not good: another one may be.
    bad_token: bool = False


def ending(code: int, reason: str, goodbye: dict[str, Any] | None) -> Ending:
    """By the goodbye that came before, if one did; else by the close code: 4000 to 4499 come back, 4500 to 4999 do not."""
    goodbye = goodbye or {}
    final = not goodbye.get("reconnect") if goodbye else code in FINAL or 4500 <= code <= 4999
    words = goodbye.get("reason") or reason or WORDS.get(code, "") or ("The server ended this session." if final else "")
    code = goodbye.get("code", code)
    return Ending(code, words, final, (goodbye.get("retry_in_ms") or 0) / 1_000, code == BAD_TOKEN)
