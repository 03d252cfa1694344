"""What layers share: the types of ASGI, headers, and the form of an error."""

from __future__ import annotations

import json
from collections.abc import Awaitable, MutableMapping
from typing import Any, Callable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header_values(scope: Scope, name: bytes) -> list[str]:
    """All headers of a name, which is in lower case."""
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]


def header_words(scope: Scope, name: bytes) -> list[str]:
    """The same, of a header whose values have no case."""
    return [value.lower() for value in header_values(scope, name)]


def error_body(error_code: str, message: str) -> bytes:
    """As MLflow's own errors are, which its clients read."""
    return json.dumps({"error_code": error_code, "message": message}).encode()
