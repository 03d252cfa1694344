"""A short answer leaves in one piece, and a long one with the beginning of its body.

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
        body = bytearray()

        async def send_whole(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start" and has_length(message):
                head = message
                return
            if head is not None and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if message.get("more_body", False) and len(body) < MOST:
                    return
                start, head = head, None
                message = {**message, "body": bytes(body)}
                await send(start)
            await send(message)

        await self._app(scope, receive, send_whole)


def has_length(start: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in start.get("headers", []))
