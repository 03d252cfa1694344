"""An upload goes on to the store while it arrives, in parts, of which a bounded number is in memory.

What a store does is in its module: `Target` with `put` for a small body, and `begin`, `part`, `finish` and `abort` for parts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_here
from typing import Any, Callable

from .request import BrokenUpload, Upload

MEBIBYTE = 1024 * 1024
# the size of a part, as boto3 has it, and what a place in memory is for
PART = 8 * MEBIBYTE
# parts of one upload that are on their way to the store
PARALLEL = 5
# parts of all uploads of this process, filling or on their way: who comes later waits
PLACES = 16
# what an upload may have in memory without a place, so that small ones never wait
FREE = MEBIBYTE
# S3 takes no more; with an unknown length, parts double after each quarter of them
MOST_PARTS = 10_000
# for parts that are on their way when the process has to end
LAST_SECONDS = 10.0

# one for each part, and some for small bodies and for whatever else an upload asks of the store
THREADS = ThreadPoolExecutor(max_workers=PLACES + 8, thread_name_prefix="artifacts")

_logger = logging.getLogger("mlflow.proxied_artifacts")


class Places:
    """Room in memory, given out in the order in which it was asked for. Of one event loop."""

    def __init__(self, count: int) -> None:
        self.count = self.free = count
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> None:
        if not self._waiting and self.free >= count:
            self.free -= count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove((count, turn))
                self._serve()
            else:
                self.give(count)
            raise

    def give(self, count: int) -> None:
        self.free += count
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.free:
            count, turn = self._waiting.popleft()
            if turn.cancelled():
                # its task takes it off itself
                self._waiting.appendleft((count, turn))
                return
            self.free -= count
            turn.set_result(None)


PLACES_LEFT = Places(PLACES)


class Buffers:
    """Memory for parts, which is used again while uploads are under way: new memory costs more than what is written to it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._spare: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """One with room for so much, in which there may be anything."""
        if size > PART:
            # its places are for it, and not for what lies here as well
            self.clear()
        return self._spare.pop() if self._spare else bytearray(size)

    def give(self, buffer: bytearray) -> None:
        if len(buffer) == PART and len(self._spare) < self._most:
            self._spare.append(buffer)

    def clear(self) -> None:
        self._spare.clear()


# what one upload has at a time: parts on their way, and the one that fills
BUFFERS = Buffers(PARALLEL + 1)


def give_back(places: int, *done_with: bytearray) -> None:
    for buffer in done_with:
        BUFFERS.give(buffer)
    PLACES_LEFT.give(places)
    if PLACES_LEFT.free == PLACES_LEFT.count:
        BUFFERS.clear()


def part_size(length: int | None, sent: int) -> int:
    """How large a part is, after so many: equal ones where the length is known, since some stores want them so."""
    if length is None:
        return PART << min(sent // (MOST_PARTS // 4), 3)
    return max(PART, -(-length // (MOST_PARTS * MEBIBYTE)) * MEBIBYTE)


async def upload(chunks: AsyncIterable[bytes], target: Any, request: Upload) -> None:
    """Stores what comes as one object, or nothing of it; an object that is there already stays as it was until then."""
    transfer = request.transfer = Transfer(target, request.length)
    try:
        async for chunk in chunks:
            await transfer.take(chunk)
        await transfer.end()
    except asyncio.CancelledError:
        transfer.break_off_now()
        raise
    except BaseException as error:
        await transfer.break_off()
        if transfer.failed_with(error):
            no_room = getattr(target, "no_room", lambda _: "")(error)
            request.no_room, request.refusal = no_room != "", no_room or f"{type(error).__name__}: {error}"
        raise
    finally:
        transfer.release()


class Transfer:
    def __init__(self, target: Any, length: int | None) -> None:
        self._target = target
        self._length = length
        self._received = 0
        # of a part that has its places all of it is there, and so much of it is filled
        self._buffer = bytearray()
        self._filled = 0
        self._held = 0
        self._begun: Future[None] | None = None
        self._parts: list[Future[Any]] = []
        self._finished: Future[None] | None = None

    async def take(self, chunk: bytes) -> None:
        self._received += len(chunk)
        rest = memoryview(chunk)
        while len(rest) > 0:
            size = part_size(self._length, len(self._parts))
            if self._filled == size:
                await self._send()
                continue
            now = min(len(rest), size - self._filled)
            if self._held == 0 and self._filled + now > FREE:
                # a part of several places is given its own, as far as there are so many
                self._held = min(-(-size // PART), PLACES)
                await self._take_places()
                left = size if self._length is None else self._length - self._received + len(rest)
                begun, self._buffer = self._buffer, BUFFERS.take(min(size, self._filled + left))
                self._buffer[: self._filled] = begun
            if self._held == 0:
                self._buffer += rest[:now]
            else:
                self._buffer[self._filled : self._filled + now] = rest[:now]
            self._filled += now
            rest = rest[now:]

    async def end(self) -> None:
        if self._length is not None and self._received != self._length:
            raise BrokenUpload(f"{self._received} of {self._length} bytes came")
        # the rest may be of another upload
        self._buffer = self._buffer[: self._filled]
        if self._begun is None:
            self._finished = THREADS.submit(self._target.put, self._buffer)
        else:
            if self._buffer:
                await self._send()
            results = [await done(part) for part in self._parts]
            self._finished = THREADS.submit(self._target.finish, results)
        await done(self._finished)

    async def _take_places(self) -> None:
        count, self._held = self._held, 0
        await PLACES_LEFT.take(count)
        self._held = count

    async def _send(self) -> None:
        """Sends what is in the buffer as a part, once there are few enough under way."""
        if self._begun is None:
            self._begun = THREADS.submit(self._target.begin)
            await done(self._begun)
        while True:
            under_way = [part for part in self._parts if not part.done()]
            for part in self._parts:
                if part.done():
                    part.result()
            if len(under_way) < getattr(self._target, "parallel", PARALLEL):
                break
            await settled(under_way, asyncio.FIRST_COMPLETED)
        if len(self._parts) == MOST_PARTS:
            raise BrokenUpload(f"it has more than {MOST_PARTS} parts: send it with a Content-Length")
        buffer, held = self._buffer, self._held
        self._buffer, self._filled, self._held = bytearray(), 0, 0
        part = THREADS.submit(self._target.part, len(self._parts) + 1, buffer)
        self._parts.append(part)
        watched(part).add_done_callback(lambda _: give_back(held, buffer))

    def release(self) -> None:
        give_back(self._held)
        self._buffer, self._filled, self._held = bytearray(), 0, 0

    async def break_off(self) -> None:
        """Takes back what the store has got, once nothing is on its way any more."""
        try:
            await settled(self._running())
            if self._has_parts():
                await in_thread(self._abort)
        except asyncio.CancelledError:
            self.break_off_now()
            raise

    def break_off_now(self) -> None:
        """The same, for a process that ends, in which no task runs to its end: nothing else goes on meanwhile."""
        wait_here(self._running(), timeout=LAST_SECONDS)
        if self._has_parts():
            self._abort()
            self._begun = None

    def failed_with(self, error: BaseException) -> bool:
        """Whether it is the store that says this."""
        return any(future.done() and not future.cancelled() and future.exception() is error for future in self._known())

    def _known(self) -> list[Future[Any]]:
        return [future for future in (self._begun, *self._parts, self._finished) if future is not None]

    def _running(self) -> list[Future[Any]]:
        """What is on its way; what has not started does not start any more."""
        return [future for future in self._known() if not future.cancel() and not future.done()]

    def _has_parts(self) -> bool:
        return succeeded(self._begun) and not succeeded(self._finished)

    def _abort(self) -> None:
        try:
            self._target.abort()
        except Exception as error:
            _logger.error("Parts of %r stay in the store, which has not taken them back: %s", self._target.path, error)


def succeeded(future: Future[Any] | None) -> bool:
    return future is not None and future.done() and not future.cancelled() and future.exception() is None


def watched(future: Future[Any]) -> asyncio.Future[Any]:
    """Work in a thread, to be waited for. Whoever waits asks the work itself how it ended."""
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())
    return waiting


async def settled(futures: list[Future[Any]], return_when: str = asyncio.ALL_COMPLETED) -> None:
    """Waits for work in threads, which goes on where the waiting is cancelled."""
    if futures:
        await asyncio.wait([watched(future) for future in futures], return_when=return_when)


async def done(future: Future[Any]) -> Any:
    await settled([future])
    return future.result()


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    return await done(THREADS.submit(work, *arguments))
