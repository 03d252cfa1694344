"""Puts layers in front of whatever app uvicorn serves: its setting `http` (UVICORN_HTTP) names this class, APP_LAYERS the layers.

MLflow has no setting for a middleware, and its own `--app-name` is taken by logins. Where this module cannot do its work,
uvicorn does not start.
"""

from __future__ import annotations

import asyncio
import copy
import importlib
import os
import socket
import struct
import sys
from typing import Any, Callable

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from .asgi import App, Receive, Scope, Send
from .farewell import LAST_REQUESTS, STOP, Farewell
from .whole import Whole

# uvicorn's own code for an app that cannot be loaded: a worker that ends with it is not started again
STARTUP_FAILURE = 3
# in the extensions of a request: breaks the connection off, so that nobody takes what has come for the whole
RESET = "tracking_server.reset"


def layered(config: Config) -> Config:
    """The configuration of a server with the layers around its app, made once."""
    known: Config | None = getattr(config, "_layered", None)
    if known is None:
        known = copy.copy(config)
        for layer in LAYERS:
            known.loaded_app = layer(known.loaded_app)
        known.loaded_app = Farewell(Whole(known.loaded_app))
        config._layered = known
    return known


class LayeredProtocol(H11Protocol):  # type: ignore[misc]
    """A connection, whose requests (and those of a WebSocket that comes of it) meet the layers.

    Not by httptools, where an image has it: it takes the head of a request into memory however large, before any app.
    """

    app: App

    def __init__(self, config: Config, *args: Any, **kwargs: Any) -> None:
        if not config.loaded:
            config.load()
        super().__init__(layered(config), *args, **kwargs)
        taken: App = self.app
        if taken is not layered(config).loaded_app:
            raise RuntimeError("this version of uvicorn does not take its app from the configuration")
        self.app = self._resettable(taken)

    def connection_made(self, transport: Any) -> None:
        """Sends each answer at once.

        With several workers uvicorn's listening socket is one that asyncio does not know for TCP, and the second part of an
        answer waits for 40 ms: https://github.com/Kludex/uvicorn/issues/3149.
        """
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def shutdown(self) -> None:
        """Ends a connection on which no request is under way, a moment later: one that has arrived is answered first."""
        STOP.ask()
        self.loop.call_later(LAST_REQUESTS, super().shutdown)

    def _resettable(self, app: App) -> App:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**(scope.get("extensions") or {}), RESET: self._reset}
            await app({**scope, "extensions": extensions}, receive, send)

        return call

    def _reset(self) -> None:
        """Ends the connection without its regular end, and without what has not been sent."""
        if (connection := self.transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _stop(why: object) -> None:
    print(f"ERROR: what belongs in front of MLflow cannot be put there: {why}", file=sys.stderr, flush=True)
    sys.exit(STARTUP_FAILURE)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app for the check below."""


def _check() -> None:
    """Whether this version of uvicorn takes its app from the configuration, before it takes a connection."""
    config = Config(_nothing, http=LayeredProtocol, log_config=None, lifespan="off")
    loop = asyncio.new_event_loop()
    try:
        LayeredProtocol(config, ServerState(), {}, loop)
    finally:
        loop.close()


def _find(name: str) -> Callable[[App], App]:
    module, _, function = name.partition(":")
    found: Callable[[App], App] = getattr(importlib.import_module(module), function)
    return found


# the first is the innermost
LAYERS: list[Callable[[App], App]] = []
try:
    LAYERS += [_find(name) for name in os.environ["APP_LAYERS"].split(",")]
    _check()
except Exception as error:
    _stop(error)
