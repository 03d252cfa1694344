"""The head of an answer leaves with the beginning of its body, and a short answer as a whole.

The server may be killed at any moment. A client that has the head of an answer takes its call for answered: it does not send
it again, and fails for want of the body.
"""

from __future__ import annotations

from .asgi import App, Message, Receive, Scope, Send

# what comes of a body before the head goes
MOST = 64 * 1024


class Whole:
    """Keeps the head of an answer, and what comes after it, until there is enough. Whatever has no length goes as it comes."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head: Message | None = None
        enough = 0
        pieces: list[bytes] = []

        async def send_whole(message: Message) -> None:
            nonlocal head, enough
            if message["type"] == "http.response.start" and (length := length_of(message)) is not None:
                head, enough = message, min(length, MOST)
                return
            if head is not None and message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))
                # the end may be long in coming: who refuses a request hears the client out before it
                if message.get("more_body", False) and sum(map(len, pieces)) < enough:
                    return
                start, head = head, None
                message = {**message, "body": b"".join(pieces)}
                pieces.clear()
                await send(start)
            await send(message)

        await self._app(scope, receive, send_whole)


def length_of(start: Message) -> int | None:
    lengths = [value for name, value in start.get("headers", []) if name.lower() == b"content-length"]
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() else None
