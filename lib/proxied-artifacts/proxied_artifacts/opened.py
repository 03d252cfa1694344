"""What a store has opened for a download, and why it has not. It needs nothing installed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Callable, NamedTuple


class Wanted(NamedTuple):
    """What a client has asked for, as in the headers of HTTP."""

    range: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None


class Opened(NamedTuple):
    """An object, or a range of it."""

    length: int
    etag: str
    modified: datetime
    # as in the header of HTTP, where it is a range
    content_range: str | None = None
    # up to so many bytes, fewer at the end only
    read: Callable[[int], bytes] | None = None
    close: Callable[[], Any] | None = None


class Missing(Exception):
    """There is no such object."""


class NotModified(Exception):
    """The object is the one that the client has, with this ETag."""


class NotSatisfiable(Exception):
    """The object has no such range; how long it is."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length


class Changed(Exception):
    """The object is not the one that the client has a part of."""


def extent(wanted: Wanted, length: int, etag: str) -> tuple[int, int] | None:
    """The first byte and the last one that a client gets of an object; nothing where it gets all."""
    if wanted.if_none_match == etag:
        raise NotModified(etag)
    if wanted.range is None or wanted.if_match not in (None, etag):
        return None
    first, _, last = wanted.range.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, length - int(last))
    end = min(int(last), length - 1) if first and last else length - 1
    if start > end:
        raise NotSatisfiable(length)
    return start, end


def content_range(bounds: tuple[int, int] | None, length: int) -> str | None:
    return None if bounds is None else f"bytes {bounds[0]}-{bounds[1]}/{length}"
