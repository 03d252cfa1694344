"""Pages for Kubernetes and Prometheus by HTTP, from a small pod that anybody may connect to."""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import threading
from typing import Callable

Page = Callable[[], tuple[int, str]]

# of open connections; the oldest makes room for a new one, since an honest one is answered within milliseconds
MOST = 128
# from the first byte to the last
SECONDS = 5
LONGEST_HEAD = 8192


def listen(port: int) -> socket.socket:
    """At IPv6 and IPv4, where the machine has both."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both, backlog=MOST)


class Pages:
    """One thread for all connections, which are few and short."""

    def __init__(self, pages: dict[str, Page], port: int) -> None:
        self.pages = pages
        self.socket = listen(port)
        self.port: int = self.socket.getsockname()[1]
        # in the order in which they came
        self.open: dict[asyncio.Task[None], None] = {}
        self.started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()
        self.started.wait()

    async def serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.end = asyncio.Event()
        async with await asyncio.start_server(self.connected, sock=self.socket, limit=LONGEST_HEAD, backlog=MOST):
            self.started.set()
            await self.end.wait()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.end.set)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self.loop.create_task(self.answer_in_time(reader, writer))
        self.open[task] = None
        # a task that is cancelled before it begins does nothing at all, so it is not the one that hangs up
        task.add_done_callback(lambda done: self.hang_up(done, writer))
        if len(self.open) > MOST:
            oldest = next(iter(self.open))
            del self.open[oldest]
            oldest.cancel()

    def hang_up(self, done: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self.open.pop(done, None)
        writer.transport.abort()

    async def answer_in_time(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # what is no request, or does not come in time, gets no answer
        with contextlib.suppress(OSError, EOFError, ValueError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            await asyncio.wait_for(self.answer(reader, writer), SECONDS)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        status, text = 405, "only GET\n"
        if method == "GET":
            status, text = self.pages.get(target.partition("?")[0], lambda: (404, "no such page\n"))()
        content = text.encode()
        writer.write(
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n"
            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()
            + content
        )
        writer.write_eof()
        await writer.drain()
        # what is left in the socket when it is closed would reset the connection, and take the answer along
        await reader.read(LONGEST_HEAD)
