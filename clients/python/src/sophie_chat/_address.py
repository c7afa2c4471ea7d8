"""Where a session is connected to, and why a server refuses it."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.http11 import Response

from ._closing import Ending
from ._protocol import LogHead

SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def endpoint(url: str, session: str) -> str:
    """The address of a session: `url` is the service's (`https://chat.example.com`, with a path if it has one)."""
    if not SESSION.match(session):
        raise ValueError(f"{session!r} is no name of a session: 1 to 64 of A-Z a-z 0-9 _ -")
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError(f"{url!r} is no address of a service: it begins with http, https, ws or wss")
    path = f"{parts.path.rstrip('/')}/ws/chat/{session}"
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, path, "", ""))


def since(address: str, head: LogHead | None) -> str:
    """The address of one attempt, which resumes where the last one ended."""
    if head is None or not head.epoch:
        return address
    return f"{address}?{urlencode({'since': head.seq, 'epoch': head.epoch})}"


def refused(response: Response) -> Ending:
    """Why the server refuses to connect. 401 and 403 are its last word; all else may pass."""
    status = response.status_code
    reason = f"The server answered {status}."
    try:
        error = json.loads(response.body or b"{}")["error"]
        reason = str(error["message"])
    except (ValueError, KeyError, TypeError):
        pass
    try:
        retry_in = max(0.0, float(response.headers.get("Retry-After", "0")))
    except ValueError:
        retry_in = 0.0
    return Ending(status, reason, status in (401, 403), retry_in, status == 401)
