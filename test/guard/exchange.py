"""A request to the guard, in front of an app that tells what reached it."""

import asyncio
import json

from mlflow_guard.guard import Guard
from mlflow_guard.settings import Settings


class Exchange:
    def __init__(self, guard, path, method="POST", headers=(), chunks=(b"",), **scope):
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "headers": list(headers),
            "client": ("10.0.0.1", 1),
            **scope,
        }
        self._chunks = list(chunks)
        self.asked = 0
        self.sent = []
        self.failed = None
        guard.app.seen = None
        try:
            asyncio.run(guard(self.scope, self._receive, self._send))
        except Exception as error:
            self.failed = error
        self.seen = guard.app.seen
        start = next((message for message in self.sent if message["type"] == "http.response.start"), {})
        self.status = start.get("status")
        self.headers = dict(start.get("headers", []))
        self.body = b"".join(message.get("body", b"") for message in self.sent)

    @property
    def error(self):
        return json.loads(self.body)

    async def _receive(self):
        if self.asked == len(self._chunks):
            return {"type": "http.disconnect"}
        self.asked += 1
        return {"type": "http.request", "body": self._chunks[self.asked - 1], "more_body": self.asked < len(self._chunks)}

    async def _send(self, message):
        self.sent.append(message)


class App:
    """Reads its body as MLflow does, and answers an error of its own where that fails."""

    seen = None

    async def __call__(self, scope, receive, send):
        body = b""
        try:
            while scope["type"] == "http":
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    break
        except Exception:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"broken"})
            raise
        self.seen = (scope["path"], body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well"})


def guard(prefix="", **settings):
    app = App()
    made = Guard(app, Settings(**settings), prefix)
    made.app = app
    return made
