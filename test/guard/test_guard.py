import logging
import unittest
import zlib

from exchange import Exchange, guard
from mlflow_guard.guard import MAX_QUERY

ASSISTANT = "/ajax-api/3.0/mlflow/assistant"


class Case(unittest.TestCase):
    def setUp(self):
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)


class Assistant(Case):
    PATHS = (
        ASSISTANT,
        f"{ASSISTANT}/",
        f"{ASSISTANT}/config",
        f"/mlflow{ASSISTANT}/message",
        "//ajax-api/3.0//mlflow/assistant/config",
        "/ajax-api/3.0/mlflow/%61ssistant/config",
        "/ajax-api/3.0/mlflow/%2561ssistant/config",
        "/ajax-api/3.0/mlflow/x/../assistant/config",
        "/ajax-api/3.0/mlflow/./assistant",
        "/api/4.0/mlflow/Assistant/config",
    )

    def test_is_closed_whoever_asks(self):
        for path in self.PATHS:
            for client in (("127.0.0.1", 1), ("127.0.0.6", 1), ("::1", 1), None):
                exchange = Exchange(guard(), path, "PUT", client=client)
                self.assertEqual(
                    (exchange.status, exchange.error["error_code"], exchange.seen), (403, "PERMISSION_DENIED", None), path
                )

    def test_is_closed_to_websockets(self):
        exchange = Exchange(guard(), ASSISTANT, type="websocket")
        self.assertEqual((exchange.sent, exchange.seen), ([{"type": "websocket.close", "code": 1008}], None))

    def test_answers_where_it_is_asked_for(self):
        for path in self.PATHS:
            self.assertEqual(Exchange(guard(assistant=True), path).seen, (path, b""))

    def test_leaves_others_alone(self):
        for path in ("/", "/health", "/ajax-api/3.0/mlflow/assistants", "/api/2.0/mlflow-artifacts/artifacts/0/mlflow/assistant"):
            self.assertEqual(Exchange(guard(), path, "GET").seen, (path, b""))
        self.assertEqual(Exchange(guard(), "/", type="lifespan").seen, ("/", b""))


class Bodies(Case):
    def test_come_as_they_are_up_to_the_bound(self):
        exchange = Exchange(guard(max_body=6), "/api/2.0/mlflow/runs/create", chunks=(b"abc", b"def"))
        self.assertEqual((exchange.status, exchange.seen), (200, ("/api/2.0/mlflow/runs/create", b"abcdef")))

    def test_end_at_the_bound(self):
        exchange = Exchange(guard(max_body=5), "/api/2.0/mlflow/runs/create", chunks=(b"abc", b"def", b"ghi"))
        self.assertEqual((exchange.status, exchange.seen, exchange.failed), (413, None, None))
        self.assertIn("more than 5 bytes", exchange.error["message"])
        self.assertEqual(exchange.headers[b"connection"], b"close")
        # it is heard out, so that it comes to read the answer
        self.assertEqual(exchange.asked, 3)

    def test_are_refused_by_their_length_before_they_come(self):
        headers = [(b"content-length", b"9"), (b"expect", b"100-continue")]
        exchange = Exchange(guard(max_body=5), "/x", headers=headers, chunks=(b"123456789",))
        self.assertEqual((exchange.status, exchange.seen, exchange.asked), (413, None, 0))

    def test_of_artifacts_have_no_bound(self):
        for path, prefix in (
            ("/api/2.0/mlflow-artifacts/artifacts/0/a", ""),
            ("/ajax-api/2.0/mlflow-artifacts/artifacts/0/a", ""),
            ("/mlflow/api/2.0/mlflow-artifacts/artifacts/0/a", "/mlflow"),
        ):
            exchange = Exchange(guard(prefix, max_body=5), path, "PUT", [(b"content-length", b"9")], (b"12345", b"6789"))
            # MLflow has its streaming route without the prefix only
            self.assertEqual(exchange.seen, (path[len(prefix) :], b"123456789"))

    def test_of_what_only_looks_like_one_have_it(self):
        for method, path in (
            ("POST", "/api/2.0/mlflow-artifacts/artifacts/0/a"),
            ("PUT", "/other/api/2.0/mlflow-artifacts/artifacts/0/a"),
            ("PUT", "//api/2.0/mlflow-artifacts/artifacts/0/a"),
            ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/\na"),
            ("PUT", "/api/2.0/mlflow-artifacts/mpu/create/0/a"),
        ):
            self.assertEqual(Exchange(guard("/mlflow", max_body=5), path, method, chunks=(b"123456",)).status, 413, path)

    def test_have_their_bound_unpacked_too(self):
        # one field of protobuf that has 9,999,995 bytes
        large = b"\x12" + b"\xfb\xac\xe2\x04" + b"\0" * 9_999_995
        raw = zlib.compressobj(wbits=-15)
        for encoding, body in (
            (b"gzip", gzip_of(large)),
            (b"GZIP", gzip_of(large[:6_000_000]) + gzip_of(large[6_000_000:])),
            (b"deflate", zlib.compress(large)),
            (b"deflate", raw.compress(large) + raw.flush()),
        ):
            for path in ("/v1/traces", "/mlflow/v1/traces", "/other"):
                exchange = Exchange(
                    guard(max_body=9_000_000), path, headers=[(b"content-encoding", encoding)], chunks=(body[:100], body[100:])
                )
                self.assertEqual((exchange.status, exchange.seen), (413, None), (encoding, path))
                self.assertIn("unpacked", exchange.error["message"])
                self.assertEqual(
                    Exchange(guard(max_body=13_000_000), path, headers=[(b"content-encoding", encoding)], chunks=(body,)).status,
                    200,
                )

    def test_have_a_bound_together(self):
        made = guard(max_body=4 << 20)
        made._memory.used = 6 << 20
        exchange = Exchange(made, "/x", chunks=(b"x" * (3 << 20), b"x" * (1 << 19)))
        self.assertEqual((exchange.status, exchange.headers[b"retry-after"], exchange.seen), (503, b"1", None))
        self.assertEqual(Exchange(made, "/x", chunks=(b"x" * (1 << 20),)).status, 200)
        self.assertEqual(made._memory.used, 6 << 20)

    def test_have_no_more_objects_than_memory_has_room_for(self):
        body = b'{"tags":[' + b"{}," * 300_000 + b"{}]}"
        exchange = Exchange(guard(), "/api/2.0/mlflow/experiments/create", chunks=(body[:100_000], body[100_000:]))
        self.assertEqual((exchange.status, exchange.seen), (413, None))
        self.assertEqual(
            Exchange(guard(), "/api/2.0/mlflow/runs/create", chunks=(b'{"tags":[' + b"{}," * 230_000 + b"{}]}",)).status, 200
        )

    def test_have_no_more_values_than_memory_has_room_for(self):
        for value in (b'"ab",', b"7,"):
            body = b'{"tags":[' + value * 1_200_000 + b"1]}"
            # the pieces in which it comes do not matter
            for chunks in ((body,), (body[:9], *(body[at : at + 90_001] for at in range(9, len(body), 90_001)))):
                self.assertEqual(Exchange(guard(), "/api/2.0/mlflow/runs/create", chunks=chunks).status, 413)
            self.assertEqual(Exchange(guard(), "/api/2.0/mlflow/runs/create", chunks=(body[: len(body) // 2],)).status, 200)

    def test_of_searches_are_small(self):
        body = b"x" * (MAX_QUERY + 1)
        for path in (
            "/graphql",
            "/mlflow/graphql/",
            "/api/2.0/mlflow/runs/search",
            "//ajax-api/3.0/mlflow/traces//Search",
            "/ajax-api/2.0/mlflow/experiments/search-datasets",
            "/api/3.0/mlflow/traces/calculate-filter-correlation",
            "/api/3.0/mlflow/traces/metrics",
            "/mlflow/ajax-api/3.0/jobs/search",
        ):
            exchange = Exchange(guard("/mlflow"), path, chunks=(body,))
            self.assertEqual((exchange.status, exchange.seen), (413, None), path)
            self.assertIn(f"a search has at most {MAX_QUERY} bytes", exchange.error["message"])
            self.assertEqual(Exchange(guard("/mlflow"), path, chunks=(body[1:],)).status, 200, path)
        for path in (
            "/api/2.0/mlflow/runs/log-batch",
            "/api/2.0/mlflow-artifacts/artifacts/0/search",
            "/api/2.0/mlflow/researcher/x",
        ):
            self.assertEqual(Exchange(guard("/mlflow"), path, chunks=(body,)).status, 200, path)

    def test_of_spans_have_their_bound_as_artifacts_too(self):
        for name in ("traces.json", "traces.pb", "./traces.json", "x/../traces.json", "traces%2ejson"):
            path = f"/api/2.0/mlflow-artifacts/artifacts/0/traces/tr-1/artifacts/{name}"
            self.assertEqual(Exchange(guard(max_body=5), path, "PUT", chunks=(b"123456",)).status, 413, name)
            self.assertEqual(Exchange(guard(max_body=6), path, "PUT", chunks=(b"123456",)).status, 200, name)


class Prefix(Case):
    def test_is_no_part_of_what_is_asked_for(self):
        for prefix in ("/mlflow-artifacts", "/api/2.0/mlflow-artifacts", "/A", "/mlflow/assistant"):
            made = guard(prefix)
            self.assertEqual(Exchange(made, f"{prefix}{ASSISTANT}/config", "PUT").status, 403, prefix)
            self.assertEqual(Exchange(made, f"{ASSISTANT}/config", "PUT").status, 403, prefix)
            self.assertEqual(Exchange(made, f"{prefix}/health", "GET").status, 200, prefix)

    def test_is_added_to_what_a_job_asks_for(self):
        made = guard("/mlflow")
        for path in ("/api/2.0/mlflow/runs/create", "/gateway/chat/mlflow/invocations", "/v1/traces", "/get-artifact"):
            self.assertEqual(Exchange(made, path, client=("127.0.0.1", 1)).seen, (f"/mlflow{path}", b""))
            self.assertEqual(Exchange(made, path).seen, (path, b""))
            self.assertEqual(Exchange(guard(), path, client=("127.0.0.1", 1)).seen, (path, b""))
        for path in ("/", "/health", "/apis/x", "/mlflow/api/2.0/mlflow/runs/create", "/api/2.0/mlflow-artifacts/artifacts/0/a"):
            self.assertEqual(Exchange(made, path, client=("::1", 1)).seen, (path, b""))
        self.assertEqual(Exchange(made, f"{ASSISTANT}/config", "PUT", client=("127.0.0.1", 1)).status, 403)


class Refusals(Case):
    def test_are_told_in_one_short_line_without_the_query(self):
        logging.disable(logging.NOTSET)
        with self.assertLogs("mlflow.guard", logging.WARNING) as logs:
            Exchange(guard(), f"{ASSISTANT}/\n{'x' * 1000}", "GET", query_string=b"token=secret")
        (line,) = logs.output
        self.assertIn(f"Refused 'GET {ASSISTANT}/\\n", line)
        self.assertIn("from 10.0.0.1 (403, assistant)", line)
        self.assertNotIn("secret", line.replace("run programs and read", ""))
        self.assertNotIn("\n", line)
        self.assertLess(len(line), 600)

    def test_of_the_app_itself_are_its_own(self):
        made = guard()

        async def failing(scope, receive, send):
            raise ValueError("of the app")

        made._app = failing
        self.assertEqual(str(Exchange(made, "/").failed), "of the app")


def gzip_of(data):
    stream = zlib.compressobj(wbits=31)
    return stream.compress(data) + stream.flush()


if __name__ == "__main__":
    unittest.main()
