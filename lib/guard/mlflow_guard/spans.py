"""A request of OpenTelemetry, which comes packed, and of which MLflow makes objects and tags before it asks who sends it."""

from __future__ import annotations

import gzip
import re
import zlib

from app_layers.asgi import Scope, header_words

from .parts import MOST, count_json, count_spans, too_many
from .places import Check, check_spans
from .refusal import invalid

_SPANS = re.compile(r"/v1/traces$")


def is_spans(path: str) -> bool:
    return _SPANS.search(path) is not None


def spans_check(scope: Scope, own_places: bool) -> Check:
    is_json = any("json" in kind for kind in header_words(scope, b"content-type"))
    encodings = header_words(scope, b"content-encoding")

    def check(body: bytes) -> None:
        body = unpack(body, encodings)
        if (count_json if is_json else count_spans)(body) > MOST:
            raise too_many()
        if own_places:
            check_spans(body, is_json)

    return check


def unpack(body: bytes, encodings: list[str]) -> bytes:
    """As MLflow unpacks it. Its size has been counted on the way."""
    if len(encodings) > 1:
        raise invalid("encodings", "a request has one Content-Encoding")
    try:
        if encodings == ["gzip"]:
            return gzip.decompress(body)
        if encodings == ["deflate"]:
            try:
                return zlib.decompress(body)
            except zlib.error:
                return zlib.decompress(body, -zlib.MAX_WBITS)
    except (OSError, EOFError, zlib.error):
        # MLflow answers so itself
        return b""
    return body
