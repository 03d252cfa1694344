"""How a request is refused: an answer that MLflow's clients read, a line in the log, and a count."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Any

from app_layers.asgi import Receive, Scope, Send, error_body

MAX_LOGGED = 200
# a client that is cut off while it still sends sees a broken connection, and no answer
LISTEN_SECONDS = 5.0

_logger = logging.getLogger("mlflow.guard")
_counter: Any = None


class Refusal(Exception):
    """Why a request goes no further. `reason` is the label of the metric."""

    def __init__(self, status: int, error_code: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.reason = reason
        self.message = message

    @property
    def body(self) -> bytes:
        return error_body(self.error_code, self.message)


def denied(reason: str, message: str) -> Refusal:
    return Refusal(403, "PERMISSION_DENIED", reason, message)


def invalid(reason: str, message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", reason, message)


def tell(refusal: Refusal, scope: Scope) -> None:
    """One line without the query, in which there may be a token, and one more in the metric."""
    asked = f"{scope.get('method', 'WEBSOCKET')} {scope.get('path', '')}"
    client: tuple[str, int] | None = scope.get("client")
    sender = client[0] if client else "somebody"
    _logger.warning(
        "Refused %r from %s (%d, %s): %s",
        asked[:MAX_LOGGED],
        sender,
        refusal.status,
        refusal.reason,
        refusal.message[:MAX_LOGGED],
    )
    _count(refusal.reason)


def _count(reason: str) -> None:
    """In the files of MLflow's exporter, where there is one: its page then has the refusals of all processes."""
    global _counter
    # what the exporter sets; only after it has may the library be imported, which decides then where it counts
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ and "prometheus_multiproc_dir" not in os.environ:
        return
    if _counter is None:
        from prometheus_client import Counter

        _counter = Counter("mlflow_guard_refusals", "Requests that the guard has refused", ["reason"])
    _counter.labels(reason=reason).inc()


async def answer(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers, and hears out for a while a client that is still sending, so that it comes to read the answer."""
    body = refusal.body
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    if refusal.status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # one that waits for "100 Continue" has sent nothing, and asking for its body would invite it to
    if all(name != b"expect" for name, _ in scope["headers"]):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_hear_out(receive), LISTEN_SECONDS)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hear_out(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass
