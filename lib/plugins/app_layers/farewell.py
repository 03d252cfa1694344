"""How a server that is about to stop parts from its clients, so that none of their requests is lost."""

from __future__ import annotations

import contextlib
import os
import time

from .asgi import App, Message, Receive, Scope, Send

# seconds in which a server that ends still reads the requests that have arrived
LAST_REQUESTS = 0.2
CLOSE = (b"connection", b"close")


class Stop:
    """Whether the pod is asked to stop: its preStop hook leaves a file, which is older than a server that came after it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._started = time.time()
        self._asked = False

    def ask(self) -> None:
        self._asked = True

    @property
    def asked(self) -> bool:
        if not self._asked:
            with contextlib.suppress(OSError):
                self._asked = os.stat(self._file).st_mtime > self._started
        return self._asked


STOP = Stop(os.environ.get("STOPPING_FILE", "/tmp/stopping"))  # noqa: S108


class Farewell:
    """Tells clients of a server that is about to stop not to send one more request on a connection that will close.

    Without it the next request may be on its way when the connection closes, and fails where nobody sends it again.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_farewell(message: Message) -> None:
            if message["type"] == "http.response.start" and STOP.asked:
                message["headers"] = [*message.get("headers", []), CLOSE]
            await send(message)

        await self._app(scope, receive, send_farewell)
