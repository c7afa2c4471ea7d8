"""The token: got before it is needed, replaced before it ends, asked for anew once when the server refuses it."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ._backoff import Backoff
from ._timers import Timers

GetToken = Callable[[], "str | None | Awaitable[str | None]"]

# How much of a token's life is left when the next one is asked for: a third, and a minute at most.
MARGIN = 60.0


class Access:
    def __init__(self, token: str | None, get_token: GetToken | None, refresh: Callable[[str], Awaitable[object]]) -> None:
        self._token = token or ""
        self._get_token = get_token
        self._refresh = refresh
        self._timers = Timers()
        self._backoff = Backoff(1.0, 30.0)
        # Whether another token was asked for because the server refused the last one: not again before one was good.
        self._renewed = False
        self._ends_at = math.inf
        self._lifetime = 0.0
        self._replacing: asyncio.Task[None] | None = None

    async def token(self) -> str | None:
        """The token to connect with; None if there is none for this user."""
        if self._get_token and (not self._token or time.monotonic() >= self._ends_at):
            token = await self._ask()
            if token is None:
                return None
            self._token = token
            self._ends_at = math.inf
        return self._token

    def renew(self) -> bool:
        """The server refuses the token. Whether another one is worth an attempt."""
        if not self._get_token or self._renewed:
            return False
        self._renewed = True
        self._ends_at = 0.0
        return True

    def accepted(self, expires_in: float | None) -> None:
        """The server took the token, which is good for so long, in seconds."""
        self._renewed = False
        if expires_in is None:
            self._ends_at = math.inf
            return
        self._ends_at = time.monotonic() + expires_in
        self._lifetime = max(self._lifetime, expires_in)
        self._backoff.reset()
        if self._get_token:
            self._timers.set("refresh", expires_in - min(MARGIN, expires_in / 3), self._begin)

    def disconnected(self) -> None:
        """There is no connection: the next one asks for what it needs."""
        self._timers.clear_all()
        if self._replacing:
            self._replacing.cancel()
        self._replacing = None

    async def _ask(self) -> str | None:
        assert self._get_token
        got = self._get_token()
        return await got if inspect.isawaitable(got) else got

    def _begin(self) -> None:
        self._replacing = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        ends_at = self._ends_at
        try:
            token = await self._ask()
            if token is None:
                return
            await self._refresh(token)
            self._token = token
            self.accepted(lifetime(token) or self._lifetime)
        except Exception:
            # Tried again until the old one has ended: then the server closes, and the next connection brings a new one.
            if time.monotonic() < ends_at:
                self._timers.set("refresh", self._backoff.next(), self._begin)


def lifetime(token: str) -> float:
    """How long a JWT that was just issued is good for, in seconds; 0 if it does not say."""
    try:
        part = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        left = float(claims["exp"]) - time.time()
        # This machine's clock may be wrong: `iat` tells the length of the life without one.
        whole = float(claims["exp"]) - float(claims["iat"]) if "iat" in claims else left
    except (IndexError, ValueError, KeyError, TypeError):
        return 0.0
    return min(left, whole) if left > 0 else max(whole, 0.0)
