import gzip
import json
import logging
import unittest
from unittest import mock

from exchange import Exchange, guard
from mlflow_guard import places
from mlflow_guard.refusal import Refusal

CREATE = "/api/2.0/mlflow/experiments/create"
EXISTING = ["mlflow-artifacts:/1", "mlflow-artifacts:/team/a", "mlflow-artifacts://host:5000/b", "s3://bucket/old", "file:///x"]


class Case(unittest.TestCase):
    def setUp(self):
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        patch = mock.patch.object(places, "experiment_locations", lambda: iter(EXISTING))
        patch.start()
        self.addCleanup(patch.stop)

    def status(self, path, request, method="POST", headers=(), **settings):
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        exchange = Exchange(guard(**settings), path, method, headers, (body[:7], body[7:]))
        self.assertEqual(exchange.seen, (path, body) if exchange.status == 200 else None)
        return exchange.status


class Experiments(Case):
    def test_are_at_a_place_of_their_own(self):
        for location in (
            "",
            None,
            "mlflow-artifacts:/new",
            "mlflow-artifacts:/team/b",
            "mlflow-artifacts:///new/folder/",
            "mlflow-artifacts:/team/ab",
        ):
            self.assertEqual(self.status(CREATE, {"name": "x", "artifact_location": location}), 200, location)

    def test_are_not_elsewhere(self):
        for location in (
            "s3://mlflow-bucket/1",
            "file:///tmp",
            "/metrics/x.db",
            "MLFLOW-ARTIFACTS:/new",
            " mlflow-artifacts:/new",
            "http://host/api/2.0/mlflow-artifacts/artifacts/1",
            "mlflow-artifacts://host/new",
            "mlflow-artifacts:/",
            "mlflow-artifacts:new",
            "mlflow-artifacts:/1",
            "mlflow-artifacts:/1/run",
            "mlflow-artifacts:/999",
            "mlflow-artifacts:/workspaces/x",
            "mlflow-artifacts:/team",
            "mlflow-artifacts:/team/a",
            "mlflow-artifacts:/team//a/b",
            "mlflow-artifacts:/new/../1",
            "mlflow-artifacts:/%31",
            "mlflow-artifacts:/b",
            "mlflow-artifacts:/new?x",
            "mlflow-artifacts:/new#x",
            "mlflow-artifacts:/new\\x",
            5,
            ["s3://b"],
        ):
            for name in ("artifact_location", "artifactLocation"):
                self.assertEqual(self.status(CREATE, {"name": "x", name: location}), 400, location)

    def test_are_refused_however_the_request_is_written(self):
        request = {"name": "x", "artifact_location": "s3://b"}
        for path in ("/ajax-api/2.0/mlflow/experiments/create", f"/mlflow{CREATE}", f"/{CREATE}/"):
            self.assertEqual(self.status(path, request), 400)
        escaped = json.dumps(request).replace("artifact", "\\u0061rtifact").encode()
        for body in (json.dumps(json.dumps(request)).encode(), json.dumps(request).encode("utf-16"), escaped):
            self.assertEqual(self.status(CREATE, body), 400)

    def test_may_be_anywhere_where_that_is_asked_for(self):
        self.assertEqual(self.status(CREATE, {"artifact_location": "s3://b"}, own_places=False), 200)

    def test_that_are_no_json_are_left_to_mlflow(self):
        for body in (b"", b"{", b"[]", b"1", b'"x"', b"\xff\xff"):
            self.assertEqual(self.status(CREATE, body), 200)

    def test_are_refused_where_the_others_cannot_be_looked_up(self):
        with mock.patch.object(places, "experiment_locations", side_effect=ImportError("no store")):
            exchange = Exchange(guard(), CREATE, chunks=(b'{"artifact_location":"mlflow-artifacts:/new"}',))
        self.assertEqual((str(exchange.failed), exchange.seen), ("no store", None))


class Workspaces(Case):
    def test_have_their_artifacts_here(self):
        for request, status in (
            ({"name": "w"}, 200),
            ({"default_artifact_root": "mlflow-artifacts:/w"}, 200),
            ({"default_artifact_root": "/data"}, 400),
            ({"defaultArtifactRoot": "s3://b"}, 400),
            ({"trace_archival_config": {"location": "s3://b"}}, 400),
            ({"trace_archival_config": {"retention": "1d"}}, 200),
        ):
            self.assertEqual(self.status("/api/3.0/mlflow/workspaces", request), status, request)
            self.assertEqual(self.status("/api/3.0/mlflow/workspaces/w", request, "PATCH"), status, request)


class Traces(Case):
    def test_are_where_the_server_puts_them(self):
        for tag in ("mlflow.artifactLocation", "mlflow.trace.archiveLocation"):
            for method, path, request in (
                ("PATCH", "/api/3.0/mlflow/traces/tr-1/tags", {"key": tag, "value": "s3://b"}),
                ("PATCH", "/ajax-api/2.0/mlflow/traces/tr-1/tags", {"key": tag, "value": "s3://b"}),
                ("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": {"tags": {tag: "s3://b"}}}}),
                ("POST", "/api/2.0/mlflow/traces", {"experiment_id": "1", "tags": [{"key": tag, "value": "s3://b"}]}),
                ("PATCH", "/api/2.0/mlflow/traces/tr-1", {"tags": [{"key": tag, "value": "s3://b"}]}),
            ):
                self.assertEqual(self.status(path, request, method), 400, path)

    def test_have_any_other_tag_and_any_text(self):
        text = "mlflow.artifactLocation"
        for method, path, request in (
            ("PATCH", "/api/3.0/mlflow/traces/tr-1/tags", {"key": "mine", "value": text}),
            (
                "POST",
                "/api/3.0/mlflow/traces",
                {"trace": {"trace_info": {"tags": {"a": text}, "request_preview": text, "trace_metadata": {text: "x"}}}},
            ),
        ):
            self.assertEqual(self.status(path, request, method), 200, path)


class Spans(Case):
    ATTRIBUTE = "mlflow.traceTag.mlflow.artifactLocation"
    JSON = ((b"content-type", b"application/json; charset=utf-8"),)

    def spans(self, key):
        return json.dumps(
            {"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": [{"key": key, "value": {"stringValue": "s3://b"}}]}]}]}]}
        ).encode()

    def test_set_no_location_in_json(self):
        escaped = self.spans(self.ATTRIBUTE).replace(b"mlflow", b"ml\\u0066low")
        for body, status in (
            (self.spans(self.ATTRIBUTE), 400),
            (b" " * 50 + escaped, 400),
            (self.spans("mlflow.traceTag.mine"), 200),
        ):
            self.assertEqual(self.status("/v1/traces", body, headers=self.JSON), status)

    def test_set_no_location_in_protobuf(self):
        name = self.ATTRIBUTE.encode()
        body = b"\x0a" + bytes([len(name)]) + name
        gzipped = [(b"content-encoding", b"gzip")]
        for path in ("/v1/traces", "/mlflow/v1/traces", "/v1/traces/"):
            self.assertEqual(self.status(path, body), 400)
            self.assertEqual(self.status(path, gzip.compress(body), headers=gzipped), 400)
        self.assertEqual(self.status("/v1/traces", body, own_places=False), 200)
        self.assertEqual(self.status("/v1/traces", gzip.compress(b"\x0a\x01x"), headers=gzipped), 200)

    def test_come_in_one_packing(self):
        self.assertEqual(
            self.status("/v1/traces", b"x", headers=[(b"content-encoding", b"gzip"), (b"content-encoding", b"deflate")]), 400
        )

    def test_that_cannot_be_unpacked_are_left_to_mlflow(self):
        for encoding in (b"gzip", b"deflate", b"br"):
            self.assertEqual(self.status("/v1/traces", b"nonsense", headers=[(b"content-encoding", encoding)]), 200)


class Location(unittest.TestCase):
    def test_is_told_with_a_way_out(self):
        with self.assertRaises(Refusal) as met:
            places.check_location("s3://bucket/" + "x" * 500, lambda: [])
        self.assertIn("leave the location out", met.exception.message)
        self.assertLess(len(met.exception.message), 400)


if __name__ == "__main__":
    unittest.main()
