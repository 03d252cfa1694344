import asyncio
import contextlib
import json
import os
import unittest
from datetime import datetime, timezone
from unittest import mock

from proxied_artifacts import layer
from proxied_artifacts.in_flight import InFlight
from proxied_artifacts.layer import RESET, Transfers
from proxied_artifacts.opened import Changed, Missing, NotModified, NotSatisfiable, Opened
from proxied_artifacts.request import DOWNLOAD, UPLOAD, BrokenUpload

FILE = "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/a.txt"
CONTENT = b"0123456789" * 200_000


class Source:
    """An object of a store, which may end too early, or not be there."""

    def __init__(self, content=CONTENT, ends=None, error=None):
        self.content, self.ends, self.error = content, len(content) if ends is None else ends, error
        self.wanted, self.read_bytes, self.closed = [], 0, False

    def __call__(self, path):
        self.path = path
        return self

    def open(self, wanted):
        self.wanted.append(wanted)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self._opened(self._read, "bytes 0-9/2000000" if wanted.range else None)

    def describe(self):
        return self._opened(None)

    def _opened(self, read, extent=None):
        return Opened(len(self.content), '"e"', datetime(2026, 1, 2, tzinfo=timezone.utc), extent, read, self._close)

    def _read(self, size):
        data = self.content[self.read_bytes : min(self.read_bytes + size, self.ends)]
        self.read_bytes += len(data)
        return data

    def _close(self):
        self.closed = True


class App:
    """MLflow: asks the repository for a file where it allows a request, and sends that."""

    def __init__(self, source=None, status=200, path="1/r/artifacts/a.txt"):
        self.source, self.status, self.path = source, status, path
        self.seen = None

    async def __call__(self, scope, receive, send):
        self.seen = scope
        # in a task of its own, as behind a middleware
        await asyncio.create_task(self._answer(send))

    async def _answer(self, send):
        download = DOWNLOAD.get()
        self.asked = download is not None
        if self.status == 200 and download is not None:
            download.repository, download.path = mock.Mock(source=self.source), self.path
            with open(os.path.join(download.placeholder, "a.txt"), "wb"):
                self.placeholder = download.placeholder
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"0"),
            (b"etag", b'"empty"'),
            (b"x-frame-options", b"DENY"),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"of MLflow" if self.status != 200 else b""})


class Exchange:
    def __init__(self, app, path=FILE, method="GET", headers=(), streams=True, messages=(), gone_after=None, in_flight=None):
        self.sent, self.resets, self.error = [], 0, None
        self.in_flight = in_flight or InFlight()
        self._messages, self._gone_after = list(messages), gone_after
        scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "extensions": {RESET: self._reset}}

        async def main():
            self._gone = asyncio.Event()
            try:
                await Transfers(app, streams, self.in_flight)(scope, self._receive, self._send)
            except Exception as error:
                self.error = error

        asyncio.run(main())
        start = self.sent[0] if self.sent else {}
        self.status = start.get("status")
        self.headers = {name.decode(): value.decode() for name, value in start.get("headers", [])}
        self.body = b"".join(message.get("body", b"") for message in self.sent[1:])
        self.ended = bool(self.sent) and not self.sent[-1].get("more_body", False)

    async def _receive(self):
        if self._messages:
            message = self._messages.pop(0)
            await asyncio.sleep(message.pop("after", 0))
            return message
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        self.sent.append(message)
        if self._gone_after is not None and len(self.sent) > self._gone_after:
            self._gone.set()
            await asyncio.sleep(0)

    def _reset(self):
        self.resets += 1


class Downloads(unittest.TestCase):
    def test_are_the_object_with_what_mlflow_says_of_the_file(self):
        app = App(source := Source())
        got = Exchange(app)
        self.assertEqual((got.status, got.body == CONTENT, got.ended, got.resets), (200, True, True, 0))
        expected = {
            "content-type": "text/plain",
            "x-frame-options": "DENY",
            "content-length": "2000000",
            "etag": '"e"',
            "last-modified": "Fri, 02 Jan 2026 00:00:00 GMT",
            "accept-ranges": "bytes",
        }
        self.assertEqual((got.headers, source.path, source.closed), (expected, "1/r/artifacts/a.txt", True))
        self.assertFalse(os.path.exists(app.placeholder))

    def test_come_by_all_routes_that_send_a_file(self):
        for path in (
            "/ml" + FILE,
            "/get-artifact",
            "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files",
            "/model-versions/get-artifact",
        ):
            self.assertEqual((path, Exchange(App(Source()), path).body == CONTENT), (path, True))
        for path in ("/api/2.0/mlflow-artifacts/artifacts", "/ajax-api/3.0/mlflow/get-trace-artifact", "/get-artifact/x"):
            app = App(Source())
            self.assertEqual((path, Exchange(app, path).status, app.asked), (path, 200, False))

    def test_are_nothing_that_mlflow_has_not_allowed(self):
        for status in (302, 400, 401, 403, 404, 500):
            got = Exchange(App(source := Source(), status))
            self.assertEqual((got.status, got.body, source.wanted), (status, b"of MLflow", []))

    def test_may_be_a_part(self):
        asked = [(b"Range", b"bytes=0-9"), (b"if-range", b'"e"'), (b"if-none-match", b'"x"'), (b"cookie", b"c")]
        app = App(source := Source(CONTENT[:10]))
        got = Exchange(app, headers=asked)
        self.assertEqual((got.status, got.headers["content-range"], got.body), (206, "bytes 0-9/2000000", CONTENT[:10]))
        self.assertEqual(source.wanted, [("bytes=0-9", '"e"', '"x"')])
        # MLflow would answer for its empty file
        self.assertEqual(app.seen["headers"], [(b"cookie", b"c")])

    def test_leave_out_what_the_stores_do_not_know(self):
        for name, value in (
            (b"range", b"bytes=0-1,3-4"),
            (b"range", b"lines=1-2"),
            (b"if-none-match", b"*"),
            (b"if-none-match", b'W/"x"'),
        ):
            Exchange(App(source := Source()), headers=[(name, value)])
            self.assertEqual(source.wanted, [(None, None, None)])
        Exchange(App(source := Source()), headers=[(b"range", b"bytes=0-1"), (b"if-range", b"Fri, 02 Jan 2026 00:00:00 GMT")])
        self.assertEqual(source.wanted, [(None, None, None)])

    def test_are_whole_where_the_client_has_a_part_of_another_object(self):
        got = Exchange(App(source := Source(error=Changed())), headers=[(b"range", b"bytes=0-9"), (b"if-range", b'"old"')])
        self.assertEqual((got.status, got.body == CONTENT, source.wanted[-1]), (200, True, (None, None, None)))

    def test_say_why_there_is_none(self):
        for error, status, code in (
            (Missing(), 404, "RESOURCE_DOES_NOT_EXIST"),
            (NotSatisfiable(7), 416, "INVALID_PARAMETER_VALUE"),
            (OSError("no route"), 500, "INTERNAL_ERROR"),
        ):
            with mock.patch.object(layer._logger, "error"):
                got = Exchange(App(Source(error=error)))
            self.assertEqual(
                (got.status, json.loads(got.body)["error_code"], got.headers["x-frame-options"]), (status, code, "DENY")
            )
            if status == 416:
                self.assertEqual(got.headers["content-range"], "bytes */7")
        got = Exchange(App(Source(error=NotModified('"e"'))))
        self.assertEqual((got.status, got.headers["etag"], got.body), (304, '"e"', b""))

    def test_that_are_only_described_read_nothing(self):
        got = Exchange(App(source := Source()), method="HEAD")
        self.assertEqual((got.status, got.headers["content-length"], got.body, source.wanted), (200, "2000000", b"", []))

    def test_that_end_too_early_break_the_connection(self):
        for source in (Source(ends=1_500_000), Source(ends=0)):
            with self.assertLogs("mlflow.proxied_artifacts", "ERROR") as logs:
                got = Exchange(App(source))
            self.assertEqual((got.resets, got.ended and len(got.sent) > 1, source.closed), (1, False, True))
            self.assertIn(f"after {source.ends} of 2000000 bytes", logs.output[0])

    def test_that_nobody_waits_for_are_not_read_on(self):
        got = Exchange(App(source := Source(CONTENT * 10)), gone_after=2)
        self.assertLess(source.read_bytes, 4 * 1024 * 1024)
        self.assertEqual((source.closed, got.resets), (True, 0))

    def test_go_mlflows_way_with_a_version_that_is_not_known(self):
        app = App(source := Source())
        self.assertEqual((Exchange(app, streams=False).status, app.asked, source.wanted), (200, False, []))


class Reader:
    """MLflow, reading an upload."""

    def __init__(self):
        self.pieces, self.length = [], None

    async def __call__(self, scope, receive, send):
        self.length = UPLOAD.get().length
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                await send({"type": "http.response.start", "status": 500, "headers": []})
                raise ConnectionError
            self.pieces.append(len(message["body"]))
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Repository:
    """MLflow, whose repository takes an upload that MLflow has not read, or has read a piece of."""

    def __init__(self, piece_by_mlflow=False):
        self.piece_by_mlflow, self.pieces, self.rest, self.refused = piece_by_mlflow, [], [], 0

    async def __call__(self, scope, receive, send):
        if self.piece_by_mlflow:
            await receive()
        self.straight = UPLOAD.get().straight()
        if self.straight is not None:
            # nobody else gets a part of it
            try:
                UPLOAD.get().straight()
            except BrokenUpload:
                self.refused += 1
            try:
                await receive()
            except BrokenUpload:
                self.refused += 1
            async for piece in self.straight:
                self.pieces.append(len(piece))
            # a middleware that reads on
            self.rest = [await receive(), await receive()]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def chunk(size, more=True, after=0):
    return {"type": "http.request", "body": b"x" * size, "more_body": more, "after": after}


class UploadsInPieces(unittest.TestCase):
    def test_come_in_fewer_pieces_with_their_length(self):
        app = Reader()
        messages = [chunk(65_536) for _ in range(40)] + [chunk(5, more=False)]
        got = Exchange(app, method="PUT", headers=[(b"content-length", b"2621445")], messages=messages)
        self.assertEqual((got.status, app.pieces, app.length), (200, [1048576, 1048576, 524293], 2621445))

    def test_come_straight_to_a_repository_and_mlflow_finds_an_empty_rest(self):
        app = Repository()
        behind = {"type": "http.disconnect"}
        got = Exchange(app, method="PUT", messages=[chunk(65_536), chunk(7), chunk(5, more=False), dict(behind)])
        self.assertEqual((got.status, app.pieces, app.refused), (200, [65_536, 7, 5], 2))
        self.assertEqual(app.rest, [{"type": "http.request", "body": b"", "more_body": False}, behind])

    def test_come_by_mlflow_where_it_has_read_of_them(self):
        app = Repository(piece_by_mlflow=True)
        Exchange(app, method="PUT", messages=[chunk(2_000_000), chunk(5, more=False)])
        self.assertIsNone(app.straight)

    def test_come_by_mlflow_with_a_version_that_is_not_known(self):
        app = Repository()
        Exchange(app, method="PUT", streams=False, messages=[chunk(5, more=False)])
        self.assertIsNone(app.straight)

    def test_that_break_off_or_fall_silent_break_off_for_a_repository_too(self):
        for last, status in (({"type": "http.disconnect"}, None), (chunk(5, after=1), 408)):
            with (
                mock.patch.object(layer, "SILENCE_SECONDS", 0.05),
                self.assertLogs("mlflow.proxied_artifacts", "WARNING") as logs,
            ):
                got = Exchange(Repository(), method="PUT", headers=[(b"content-length", b"9")], messages=[chunk(5), last])
            self.assertEqual((got.error, got.status), (None, status))
            self.assertIn("broke off after 5 of 9 bytes: nothing of it is stored", logs.output[0])

    def test_have_no_length_where_none_is_given(self):
        for headers in ([], [(b"content-length", b"x")]):
            app = Reader()
            Exchange(app, method="PUT", headers=headers, messages=[chunk(5, more=False)])
            self.assertIsNone(app.length)

    def test_that_break_off_are_a_line_in_the_log_and_no_answer(self):
        with self.assertLogs("mlflow.proxied_artifacts", "WARNING") as logs:
            got = Exchange(
                Reader(), method="PUT", headers=[(b"content-length", b"9")], messages=[chunk(5), {"type": "http.disconnect"}]
            )
        self.assertEqual((got.error, got.sent), (None, []))
        self.assertIn("of 9 bytes: nothing of it is stored", logs.output[0])

    def test_that_fall_silent_end(self):
        with mock.patch.object(layer, "SILENCE_SECONDS", 0.05), self.assertLogs("mlflow.proxied_artifacts", "WARNING"):
            got = Exchange(Reader(), method="PUT", messages=[chunk(5), chunk(5, after=1)])
        self.assertEqual((got.status, json.loads(got.body)["error_code"]), (408, "REQUEST_TIMEOUT"))

    def test_are_taken_back_at_once_when_the_process_ends_whatever_mlflow_does(self):
        class Deaf:
            async def __call__(self, scope, receive, send):
                UPLOAD.get().transfer = self.transfer = mock.Mock()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(10)
                await asyncio.sleep(0.01)

        async def main():
            scope = {"type": "http", "method": "PUT", "path": FILE, "headers": []}
            task = asyncio.create_task(Transfers(app, True, InFlight())(scope, None, None))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            app.transfer.break_off_now.assert_called_once_with()

        app = Deaf()
        asyncio.run(main())

    def test_for_which_the_store_has_no_room_are_told_so(self):
        async def full(scope, receive, send):
            UPLOAD.get().no_room, UPLOAD.get().refusal = True, "XMinioAdminBucketQuotaExceeded: Bucket quota exceeded"
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"Internal Server Error"})
            raise OSError("store")

        with self.assertLogs("mlflow.proxied_artifacts", "ERROR"):
            got = Exchange(full, method="PUT", messages=[chunk(5, more=False)])
        told = json.loads(got.body)
        self.assertEqual((got.error, got.status, told["error_code"]), (None, 507, "RESOURCE_EXHAUSTED"))
        self.assertIn("no room left (XMinioAdminBucketQuotaExceeded: Bucket quota exceeded)", told["message"])

    def test_that_the_store_refuses_are_told_why(self):
        async def refused(scope, receive, send):
            UPLOAD.get().refusal = "ClientError: InvalidAccessKeyId"
            await send({"type": "http.response.start", "status": 500, "headers": []})
            raise OSError("store")

        with self.assertLogs("mlflow.proxied_artifacts", "ERROR") as logs:
            got = Exchange(refused, method="PUT", messages=[chunk(5, more=False)])
        told = json.loads(got.body)
        self.assertEqual((got.error, got.status, told["error_code"]), (None, 500, "INTERNAL_ERROR"))
        self.assertIn("does not take the file (ClientError: InvalidAccessKeyId)", told["message"])
        self.assertIn("InvalidAccessKeyId", logs.output[0])

    def test_that_mlflow_cannot_store_are_its_error(self):
        async def fails(scope, receive, send):
            raise OSError("store")

        self.assertIsInstance(Exchange(fails, method="PUT", messages=[chunk(5, more=False)]).error, OSError)


if __name__ == "__main__":
    unittest.main()
