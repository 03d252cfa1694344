"""How large a body may be: MLflow keeps one in memory as a whole, and unpacks what is packed, before it asks who sends it."""

from __future__ import annotations

import asyncio
import zlib
from typing import Callable

from app_layers.asgi import Message, Receive, Scope, header_words

from .parts import MOST, count_json, too_many
from .refusal import Refusal

PIECE = 1024 * 1024
# what each request may have in memory besides, so that a few large ones do not shut out the rest
FREE = 1024 * 1024
# window sizes of zlib: with the header of gzip, with that of zlib, and without one
GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


def query_too_large(size: int) -> Refusal:
    return Refusal(
        413,
        "BAD_REQUEST",
        "query-too-large",
        f"a search has at most {size} bytes on this server: ask for less, or in several searches",
    )


def too_large(size: int, unpacked: bool = False) -> Refusal:
    what = "unpacked, the body of this request has more than" if unpacked else "the body of this request has more than"
    return Refusal(
        413,
        "BAD_REQUEST",
        "body-too-large-unpacked" if unpacked else "body-too-large",
        f"{what} {size} bytes, which is the most that this server takes (guard.maxBodySize); "
        "send it in smaller parts, or large data as an artifact",
    )


class Unpacked:
    """Counts what a packed body unpacks to, of which it keeps nothing."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._broken = False
        self.size = 0

    def feed(self, data: bytes, limit: int) -> None:
        """Stops once there is more than the limit."""
        while data and not self._broken and self.size <= limit:
            try:
                self.size += len(self._stream.decompress(data, PIECE))
            except zlib.error:
                # MLflow meets the same error at the same place
                self._broken = True
                return
            data = self._stream.unconsumed_tail
            if self._stream.eof and self._window == GZIP:
                # a file of gzip may have several members, one behind the other, with zeros between
                data = self._stream.unused_data.lstrip(b"\0")
                self._stream = zlib.decompressobj(self._window)


class Memory:
    """What the bodies of all requests of this process take together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class BoundedBody:
    """Hands the body of a request on, and ends it where it gets too large."""

    def __init__(
        self, scope: Scope, receive: Receive, limit: int, memory: Memory, counts: bool = True, query_limit: int | None = None
    ) -> None:
        self._receive = receive
        self._limit = limit if query_limit is None else min(limit, query_limit)
        self._is_query = self._limit < limit
        self._memory = memory
        self._size = 0
        self._held = 0
        self._counts = counts
        self._parts = 0.0
        encodings = header_words(scope, b"content-encoding")
        gzip = [Unpacked(GZIP)] if any("gzip" in encoding for encoding in encodings) else []
        # MLflow tries both
        deflate = [Unpacked(ZLIB), Unpacked(RAW)] if any("deflate" in encoding for encoding in encodings) else []
        self._unpacked = [*gzip, *deflate]
        self.refusal: Refusal | None = None

    def _too_large(self) -> Refusal:
        return query_too_large(self._limit) if self._is_query else too_large(self._limit)

    def check_length(self, lengths: list[str]) -> None:
        """What a client says itself is refused before it is sent."""
        if any(length.isdigit() and int(length) > self._limit for length in lengths):
            raise self._too_large()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            try:
                await self._take(message.get("body", b""))
            except Refusal as refusal:
                self.refusal = refusal
                raise
        return message

    async def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise self._too_large()
        if self._counts:
            self._parts += count_json(data)
            if self._parts > MOST:
                raise too_many()
        held = max(0, self._size - FREE)
        self._memory.used += held - self._held
        self._held = held
        if held and self._memory.used > self._memory.limit:
            raise Refusal(
                503,
                "TEMPORARILY_UNAVAILABLE",
                "bodies-too-large-together",
                "too many large requests at one time: try again in a moment",
            )
        for unpacked in self._unpacked:
            # a small piece may unpack to a thousand times its size, for which other requests do not wait
            await asyncio.get_running_loop().run_in_executor(None, unpacked.feed, data, self._limit)
            if unpacked.size > self._limit:
                raise too_large(self._limit, unpacked=True)

    def release(self) -> None:
        self._memory.used -= self._held
        self._held = 0


async def checked(receive: Receive, check: Callable[[bytes], None]) -> Receive:
    """Reads a body, which is bounded, and hands it on once it has passed the check."""
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    # the check may ask the database
    await asyncio.get_running_loop().run_in_executor(None, check, b"".join(message.get("body", b"") for message in messages))
    messages.reverse()

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
