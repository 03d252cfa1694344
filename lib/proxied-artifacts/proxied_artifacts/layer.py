"""In front of MLflow's app: sends the object where MLflow would send a file, and gives the repository what is to be stored.

Who may have which file, or put one, is MLflow's to say, which gets each request as it is. What MLflow has allowed, the
repository learns. It answers MLflow with an empty file, and that answer goes no further; and it takes the body of an upload
from here, if nobody has read of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any, Callable

from app_layers.asgi import App, Message, Receive, Scope, Send, error_body, header_values

from .in_flight import InFlight
from .opened import Changed, Missing, NotModified, NotSatisfiable, Opened, Wanted
from .precedence import Calls, Courtesy
from .request import DOWNLOAD, UPLOAD, BrokenUpload, Download, Upload

# versions of MLflow whose routes are known to send the file that a repository names, and nothing else of it
TRIED = ("3.17", "3.18")
UPLOADS = re.compile(r"/mlflow-artifacts/artifacts/.")
DOWNLOADS = re.compile(r"/mlflow-artifacts/artifacts/.|/get-artifact$|/logged-models/[^/]+/artifacts/files$")
# what MLflow gets at one time, where it reads an upload itself: each of its middlewares costs time for each piece
PIECE = 1024 * 1024
# a client that sends nothing for so long has gone, and MLflow's own has given up
SILENCE_SECONDS = 120.0
# what of a download is read while the piece before is on its way
CHUNK = 512 * 1024
READERS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="artifacts-down")
# how the protocol lets a connection be broken off
RESET = "tracking_server.reset"

CONDITIONS = (b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
REPLACED = (b"content-length", b"etag", b"last-modified", b"accept-ranges", b"content-range")
RANGE = re.compile(r"bytes=(\d+-\d*|-\d+)")
ETAG = re.compile(r'"[^",]*"')

_logger = logging.getLogger("mlflow.proxied_artifacts")


def wrap(app: App) -> App:
    return Transfers(app, STREAMS, InFlight())


def mlflow_version() -> str:
    for distribution in ("mlflow", "mlflow-skinny"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(distribution)
    return "of an unknown version"


if sys.version_info >= (3, 11):

    async def within(seconds: float, work: Awaitable[Message]) -> Message:
        """As wait_for, which makes a task for each piece of a file before 3.12."""
        async with asyncio.timeout(seconds):
            return await work

else:

    async def within(seconds: float, work: Awaitable[Message]) -> Message:
        return await asyncio.wait_for(work, seconds)


class Transfers:
    """Uploads and downloads of artifacts; everything else goes by."""

    def __init__(self, app: App, tried: bool, in_flight: InFlight) -> None:
        self._app = app
        self._tried = tried
        self._in_flight = in_flight
        self._calls = Calls()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["type"] == "http" else ""
        if method == "PUT" and UPLOADS.search(scope["path"]):
            with self._in_flight.counted("upload"):
                await self._upload(scope, receive, send)
        elif method in ("GET", "HEAD") and DOWNLOADS.search(scope["path"]):
            with self._in_flight.counted("download"):
                await (self._download if self._tried else self._app)(scope, receive, send)
        elif scope["type"] == "http":
            with self._calls.counted():
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = header(scope, b"content-length")
        body = Body(receive, Courtesy(self._calls))
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            # to a client that has gone, MLflow answers with an error of its own, and of what the store says it does not speak
            if not body.gone and not upload.refusal:
                started = True
                await send(message)

        upload = Upload(int(length) if length is not None and length.isdigit() else None)
        if self._tried:
            upload.straight = body.straight
        token = UPLOAD.set(upload)
        # in a task of its own, since a middleware of MLflow would take some time to hear that the process ends
        app = asyncio.ensure_future(self._app(scope, body.receive, note))
        UPLOAD.reset(token)
        try:
            await asyncio.wait([app])
            app.result()
        except asyncio.CancelledError:
            if upload.transfer is not None:
                upload.transfer.break_off_now()
            app.cancel()
            raise
        except Exception:
            if not body.gone and not upload.refusal:
                raise
        if body.gone:
            _logger.warning(
                "Upload of %r broke off after %d of %s bytes: nothing of it is stored",
                scope["path"][:200],
                body.size,
                length or "some",
            )
        if upload.refusal and not body.gone and not started:
            _logger.error("The artifact store does not take %r: %s", scope["path"][:200], upload.refusal)
            if upload.no_room:
                # not one of the codes after which clients try again for minutes
                await answer(send, 507, "RESOURCE_EXHAUSTED", f"The artifact store has no room left ({upload.refusal})", [])
            else:
                await answer(send, 500, "INTERNAL_ERROR", f"The artifact store does not take the file ({upload.refusal})", [])
        if body.silent and not started:
            await answer(
                send, 408, "REQUEST_TIMEOUT", f"nothing came for {SILENCE_SECONDS:.0f} seconds", [(b"connection", b"close")]
            )

    async def _download(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[tuple[bytes, bytes]] | None = None
        with tempfile.TemporaryDirectory() as folder:
            download = Download(folder)

            async def hold(message: Message) -> None:
                nonlocal headers
                if message["type"] == "http.response.start" and message["status"] == 200 and download.repository is not None:
                    headers = list(message["headers"])
                elif headers is None:
                    await send(message)

            plain = [(name, value) for name, value in scope["headers"] if name.lower() not in CONDITIONS]
            token = DOWNLOAD.set(download)
            try:
                await self._app({**scope, "headers": plain}, receive, hold)
            finally:
                DOWNLOAD.reset(token)
        if headers is not None:
            kept = [(name, value) for name, value in headers if name.lower() not in REPLACED]
            await Object(download, kept, Courtesy(self._calls)).send(scope, receive, send)


class Body:
    """The body of an upload: as it comes for a repository that stores it, and in pieces that are worth their way for MLflow."""

    def __init__(self, receive: Receive, courtesy: Courtesy) -> None:
        self._receive = receive
        self._courtesy = courtesy
        self._ended = False
        self._taken = False
        self.size = 0
        self.gone = False
        self.silent = False

    def straight(self) -> AsyncIterator[bytes] | None:
        """All of it, past MLflow's middlewares, or nothing where some of it has gone their way."""
        if self._taken:
            raise BrokenUpload("it is stored once")
        self._taken = self.size == 0 and not self.gone and not self._ended
        return self._chunks() if self._taken else None

    async def receive(self) -> Message:
        if self._taken and not self._ended:
            raise BrokenUpload("two would share it")
        if self._ended and not self._taken:
            return await self._receive()
        # who comes after a repository finds the end, and then what comes behind it
        self._taken = False
        pieces: list[bytes] = []
        size = 0
        while size < PIECE and not self._ended:
            message = await self._next()
            if message["type"] != "http.request":
                return message
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
        return {"type": "http.request", "body": b"".join(pieces), "more_body": not self._ended}

    async def _chunks(self) -> AsyncIterator[bytes]:
        while not self._ended:
            message = await self._next()
            if message["type"] != "http.request":
                raise BrokenUpload(f"it broke off after {self.size} bytes")
            yield message.get("body", b"")

    async def _next(self) -> Message:
        await self._courtesy.show()
        try:
            message = await within(SILENCE_SECONDS, self._receive())
        except asyncio.TimeoutError:
            self.gone = self.silent = True
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        else:
            self.gone = True
        return message


class Object:
    """What is sent in place of MLflow's empty file."""

    def __init__(self, download: Download, headers: list[tuple[bytes, bytes]], courtesy: Courtesy) -> None:
        self._courtesy = courtesy
        self._source = download.repository.source
        self._path = download.path
        self._headers = headers

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            opened = await self._open(scope)
        except Missing:
            await self._answer(send, 404, "RESOURCE_DOES_NOT_EXIST", f"No such artifact: {self._path!r}")
        except NotModified as known:
            headers = [*self._headers, (b"etag", str(known).encode("latin-1"))]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        except NotSatisfiable as error:
            extent = (b"content-range", f"bytes */{error.length}".encode())
            await self._answer(send, 416, "INVALID_PARAMETER_VALUE", f"{self._path!r} has {error.length} bytes", extent)
        except Exception as error:
            _logger.error("The artifact store does not give %r: %s", self._path, error)
            await self._answer(send, 500, "INTERNAL_ERROR", f"The artifact store does not give {self._path!r}: {error}")
        else:
            await self._send(opened, scope, receive, send)

    async def _answer(self, send: Send, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
        kept = [(name, value) for name, value in self._headers if name.lower() not in (b"content-type", b"content-disposition")]
        await answer(send, status, code, message, [*kept, *headers])

    async def _open(self, scope: Scope) -> Opened:
        source = await in_reader(self._source, self._path)
        if scope["method"] == "HEAD":
            described: Opened = await in_reader(source.describe)
            return described
        wanted = wanted_of(scope)
        try:
            opened: Opened = await in_reader(source.open, wanted)
        except Changed:
            opened = await in_reader(source.open, Wanted())
        return opened

    async def _send(self, opened: Opened, scope: Scope, receive: Receive, send: Send) -> None:
        modified = opened.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
        own = [
            ("content-length", str(opened.length)),
            ("etag", opened.etag),
            ("last-modified", modified),
            ("accept-ranges", "bytes"),
        ]
        if opened.content_range is not None:
            own.append(("content-range", opened.content_range))
        headers = [*self._headers, *((name.encode(), value.encode("latin-1")) for name, value in own)]
        await send({"type": "http.response.start", "status": 200 if opened.content_range is None else 206, "headers": headers})
        if opened.read is None:
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.ensure_future(disconnected(receive))
        sent = 0
        try:
            reading = asyncio.ensure_future(in_reader(opened.read, CHUNK))
            while chunk := await reading:
                sent += len(chunk)
                await self._courtesy.show()
                reading = asyncio.ensure_future(in_reader(opened.read, CHUNK))
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if gone.done():
                    break
            if not gone.done() and sent != opened.length:
                raise EOFError(f"it ended after {sent} of {opened.length} bytes")
            await send({"type": "http.response.body", "body": b""})
        except BaseException as error:
            # a connection that ends in good order would look like the end of the file to some clients
            _logger.error("Download of %r broke off after %d of %d bytes: %r", self._path, sent, opened.length, error)
            if reset := scope.get("extensions", {}).get(RESET):
                reset()
            if not isinstance(error, Exception):
                raise
        finally:
            gone.cancel()
            with contextlib.suppress(Exception):
                await asyncio.wait([reading])
            if opened.close is not None:
                await in_reader(opened.close)


def wanted_of(scope: Scope) -> Wanted:
    """What of the conditions of a request the stores know; the others leave out what they would spare."""
    wanted = header(scope, b"range")
    wanted = wanted if wanted is not None and RANGE.fullmatch(wanted) else None
    part_of, known = header(scope, b"if-range"), header(scope, b"if-none-match")
    if wanted is not None and part_of is not None and not ETAG.fullmatch(part_of):
        # a date, which is not exact enough
        wanted = part_of = None
    return Wanted(wanted, part_of if wanted is not None else None, known if known is not None and ETAG.fullmatch(known) else None)


def header(scope: Scope, name: bytes) -> str | None:
    """A header that is there once."""
    values = header_values(scope, name)
    return values[0] if len(values) == 1 else None


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def in_reader(work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(READERS, work, *arguments)


async def answer(send: Send, status: int, code: str, message: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = error_body(code, message)
    described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": described})
    await send({"type": "http.response.body", "body": body})


VERSION = mlflow_version()
STREAMS = ".".join(VERSION.split(".")[:2]) in TRIED
if not STREAMS:
    _logger.warning(
        "MLflow %s downloads by the scratch disk, as it does: streaming is tried with %s", VERSION, " and ".join(TRIED)
    )
