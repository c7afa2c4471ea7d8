"""What a program waits for: told once, to everybody who asked for it."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from ._errors import SophieError

T = TypeVar("T")


class Reply(Generic[T]):
    """Who asks gets a future of their own: one that gives up waiting changes nothing for the others."""

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[T]] = []

    def future(self) -> asyncio.Future[T]:
        self._futures = [future for future in self._futures if not future.done()]
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def is_awaited(self) -> bool:
        return any(not future.done() for future in self._futures)

    def give(self, result: T) -> None:
        for future in self._futures:
            if not future.done():
                future.set_result(result)

    def fail(self, error: SophieError, quietly: bool = False) -> None:
        """`quietly`: who did not wait for it has nothing to hear of its end."""
        for future in self._futures:
            if not future.done():
                # Of its own: where it is raised twice, each has its own traceback.
                future.set_exception(SophieError(error.code, error.message, error.retry_after))
                if quietly:
                    future.exception()


def failed(error: SophieError) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
