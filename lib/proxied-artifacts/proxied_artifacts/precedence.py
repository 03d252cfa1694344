"""Calls before transfers: a transfer waits for a moment while a call is under way, which takes milliseconds by itself.

They share one event loop and one interpreter, in which each call takes several turns behind whatever the transfers have.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

# a call that takes longer than this is waited for no more
SOON = 0.1


class Calls:
    """The calls of a process that are under way, and have been for a moment only."""

    def __init__(self) -> None:
        self._young: set[object] = set()
        self._none = asyncio.Event()
        self._none.set()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        call = object()
        self._young.add(call)
        self._none.clear()
        timer = asyncio.get_running_loop().call_later(SOON, self._leave, call)
        try:
            yield
        finally:
            timer.cancel()
            self._leave(call)

    def _leave(self, call: object) -> None:
        self._young.discard(call)
        if not self._young:
            self._none.set()

    @property
    def under_way(self) -> bool:
        return not self._none.is_set()

    async def gone(self) -> None:
        """Until there are none, or others have come for too long."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._none.wait(), SOON)


class Courtesy:
    """Of one transfer: it waits for calls, and at most for half of its time, however many they are."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._owed = 0.0

    async def show(self) -> None:
        started = time.monotonic()
        if not self._calls.under_way or started < self._owed:
            return
        await self._calls.gone()
        ended = time.monotonic()
        self._owed = ended + (ended - started)
