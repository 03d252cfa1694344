"""The page of Prometheus for whoever has its token. MLflow's own page wants the administrator where there is a login."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path

from app_layers.asgi import Scope, Send


def is_scrape(scope: Scope, token_file: str) -> bool:
    """Whether a request is one of Prometheus, which has the token that is in the file now."""
    if token_file == "" or scope["path"] != "/metrics" or scope["method"] != "GET":
        return False
    try:
        token = Path(token_file).read_text("utf-8").strip()
    except OSError:
        return False
    wanted = f"Bearer {token}".encode()
    return token != "" and any(
        name.lower() == b"authorization" and hmac.compare_digest(value, wanted) for name, value in scope["headers"]
    )


def page() -> tuple[bytes, str]:
    """What all processes of the pod have counted, as MLflow's exporter shows it."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST


async def show(send: Send) -> None:
    body, kind = await asyncio.to_thread(page)
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
