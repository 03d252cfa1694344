"""How many parts a body has: MLflow makes an object of each, so that 30 MB of "{}," take 3 GB, and of '"ab",' 1.3 GB."""

from __future__ import annotations

from .refusal import Refusal

MOST = 300_000
# a text or a number in a list or an object takes a quarter of what an object does
VALUE = 0.25
# a span has some ten fields besides, and an attribute two: more than these on average is work without a purpose
FIELDS_EACH = 5

# Messages of ExportTraceServiceRequest by the number of their field, as far as they have messages in them
# (https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto)
Fields = dict[int, str]
MESSAGES: dict[str, Fields] = {
    "request": {1: "resource spans"},
    "resource spans": {1: "resource", 2: "scope spans"},
    "resource": {1: "attribute", 3: "entity"},
    "entity": {},
    "scope spans": {1: "scope", 2: "span"},
    "scope": {3: "attribute"},
    "span": {9: "attribute", 11: "event", 13: "link", 15: "status"},
    "status": {},
    "event": {3: "attribute"},
    "link": {4: "attribute"},
    "attribute": {2: "value"},
    "value": {5: "list", 6: "map"},
    "list": {1: "value"},
    "map": {1: "attribute"},
}


def too_many() -> Refusal:
    return Refusal(
        413,
        "BAD_REQUEST",
        "too-many-parts",
        f"the body of this request has more than {MOST} objects and lists (four values count as one): "
        "each costs memory, so send it in smaller parts",
    )


def count_json(text: bytes) -> float:
    """Objects, lists and values, and what looks like one in a text, which MLflow may take apart as well."""
    return text.count(b"{") + text.count(b"[") + VALUE * text.count(b",")


def count_spans(body: bytes, most: int = MOST) -> int:
    """Messages in a request of OpenTelemetry, no further than the most."""
    count = fields_read = 0
    waiting = [("request", 0, len(body))]
    while waiting and count <= most:
        name, at, end = waiting.pop()
        fields = MESSAGES[name]
        try:
            while at < end and count <= most:
                tag, at = _number(body, at, end)
                kind = tag & 7
                fields_read += 1
                if fields_read > FIELDS_EACH * most:
                    return most + 1
                if kind == 0:
                    _, at = _number(body, at, end)
                elif kind == 1:
                    at += 8
                elif kind == 5:
                    at += 4
                elif kind == 2:
                    size, at = _number(body, at, end)
                    if (inner := fields.get(tag >> 3)) is not None:
                        count += 1
                        waiting.append((inner, at, min(at + size, end)))
                    at += size
                elif kind in (3, 4):
                    # a group, which this format has not: what is behind it would go uncounted
                    return most + 1
                else:
                    raise ValueError
        except ValueError:
            # MLflow has made objects of all that stands before the error
            continue
    return count


def _number(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError
