import contextlib
import io
import sys
import types
import unittest
from unittest import mock

from preflight import lost as module
from preflight import orphans
from preflight.database import Database
from preflight.lost import Search, check_not_emptied, lost
from preflight.problem import Problem
from preflight.s3 import S3Store
from preflight.store import ArtifactStore

RUN, OTHER, MODEL, TRACE = "a" * 32, "b" * 32, "m-" + "c" * 32, "tr-" + "d" * 32
ROWS = {
    module.RUNS: [("fit", RUN, f"mlflow-artifacts:/1/{RUN}/artifacts"), ("old", OTHER, f"s3://elsewhere/1/{OTHER}/artifacts")],
    module.MODELS: [("forest", MODEL, f"mlflow-artifacts:/1/models/{MODEL}/artifacts")],
    module.TRACES: [("trace", TRACE, f"mlflow-artifacts:/1/traces/{TRACE}/artifacts")],
    module.VERSIONS: [("iris", 3, f"models:/{MODEL}"), ("prompt", 1, "prompt-template")],
}


class Bucket:
    def __init__(self, *keys):
        self.keys = keys

    def get_paginator(self, _):
        return types.SimpleNamespace(paginate=lambda Bucket, Prefix: [self.list_objects_v2(Bucket, Prefix, 1000), {}])

    def list_objects_v2(self, Bucket, Prefix, MaxKeys):
        return {"Contents": [{"Key": key} for key in self.keys if key.startswith(Prefix)][:MaxKeys]}


def store(*keys):
    made = S3Store("s3://bucket/team")
    made.client = Bucket(*keys)
    return made


def rows(_, statement):
    return ROWS[statement]


@mock.patch.object(module, "read", rows)
class Lost(unittest.TestCase):
    def find(self, *keys):
        return [one.line() for one in Search(store(*keys), Database("x"), Database("x")).find()]

    def test_is_what_has_rows_and_no_file(self):
        self.assertEqual(
            self.find(),
            [
                f"run {RUN} of fit at mlflow-artifacts:/1/{RUN}/artifacts",
                f"logged model {MODEL} of forest at mlflow-artifacts:/1/models/{MODEL}/artifacts",
                f"trace {TRACE} at mlflow-artifacts:/1/traces/{TRACE}/artifacts",
                f"version 3 of iris at models:/{MODEL}",
            ],
        )

    def test_is_not_what_has_one(self):
        keys = (
            f"team/1/{RUN}/artifacts/a",
            f"team/1/models/{MODEL}/artifacts/MLmodel",
            f"team/1/traces/{TRACE}/artifacts/traces.json",
        )
        self.assertEqual(self.find(*keys), [])
        self.assertEqual(len(self.find(keys[1].replace("team/", "other/"))), 4)

    def setUp(self):
        errors = types.SimpleNamespace(BotoCoreError=KeyError, ClientError=KeyError)
        patch = mock.patch.dict(
            sys.modules, {"botocore": types.SimpleNamespace(exceptions=errors), "botocore.exceptions": errors}
        )
        patch.start()
        self.addCleanup(patch.stop)

    def test_is_told_by_its_command(self):
        output = io.StringIO()
        with (
            mock.patch.object(orphans, "artifact_store", lambda _: store()),
            mock.patch.object(S3Store, "connect"),
            contextlib.redirect_stdout(output),
        ):
            self.assertEqual(lost(["--lost"], Database("x")), 0)
        self.assertIn(f"Lost: version 3 of iris at models:/{MODEL}\n4 have no file in s3://bucket any more\n", output.getvalue())

    def test_is_looked_for_in_buckets_of_s3(self):
        with (
            mock.patch.object(orphans, "artifact_store", lambda _: ArtifactStore("gs://b")),
            self.assertRaises(Problem) as raised,
        ):
            lost(["--lost"], Database("x"))
        self.assertEqual(raised.exception.name, "orphans-unsupported")

    def test_is_everything_where_the_bucket_is_empty(self):
        for keys in ((), ("team/.mlflow-preflight/x",), ("other/1/x",)):
            with self.assertRaises(Problem) as raised:
                check_not_emptied(store(*keys), Database("x"))
            self.assertEqual(
                (raised.exception.name, raised.exception.answer), ("artifacts-lost", "3 of them in the database, and no file")
            )
        self.assertIsNone(check_not_emptied(store("team/1/x"), Database("x")))
        self.assertIsNone(check_not_emptied(ArtifactStore("/folder"), Database("x")))
        with mock.patch.object(module, "read", lambda *_: []):
            self.assertIsNone(check_not_emptied(store(), Database("x")))


if __name__ == "__main__":
    unittest.main()
