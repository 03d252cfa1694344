import argparse
import contextlib
import datetime
import io
import os
import types
import unittest
from unittest import mock

from preflight.database import Database
from preflight.orphans import FOLDER, ROWS, Orphans, Owners, age, orphans, readable
from preflight.problem import Problem
from preflight.s3 import S3Store

NOW = datetime.datetime(2026, 11, 26, tzinfo=datetime.timezone.utc)
RUN, GONE, MODEL, TRACE = "a" * 32, "b" * 32, "m-" + "c" * 32, "tr-" + "d" * 32


class Bucket:
    """What boto3 gives, with objects and the days since they were written."""

    def __init__(self, **objects):
        self.objects = {key.replace("__", "/"): days for key, days in objects.items()}
        self.deleted = []

    def get_paginator(self, _):
        return types.SimpleNamespace(paginate=self.pages)

    def pages(self, Bucket, Prefix):
        self.bucket = Bucket
        for key, days in self.objects.items():
            if key.startswith(Prefix):
                yield {"Contents": [{"Key": key, "Size": 1024, "LastModified": NOW - datetime.timedelta(days=days)}]}
        yield {}

    def delete_objects(self, Bucket, Delete):
        self.deleted += [entry["Key"] for entry in Delete["Objects"]]
        return {}


def bucket(**days):
    """With a prefix, folders of all kinds and what MLflow does not make."""
    objects = {
        f"team/1/{RUN}/artifacts/a": 99,
        f"team/1/{GONE}/artifacts/b/c": 99,
        f"team/1/{GONE}/artifacts/d": 99,
        f"team/1/models/{MODEL}/artifacts/MLmodel": 99,
        f"team/1/traces/{TRACE}/artifacts/traces.json": 99,
        "team/notes.txt": 99,
        f"other/1/{GONE}/artifacts/x": 99,
        "team/.mlflow-preflight/x": 99,
    }
    made = Bucket()
    made.objects = {**objects, **days}
    return made


class Search(unittest.TestCase):
    def find(self, client, rows, versions=(), before=NOW - datetime.timedelta(days=30), later=None):
        store = S3Store("s3://bucket/team")
        store.client = client
        given = [[*rows], [*versions], [*(rows if later is None else later)], [*versions]]

        def read(owners, _database, _statements):
            for row in given.pop(0):
                owners.add(row)

        with mock.patch.object(Owners, "read", read):
            self.search = Orphans(store, Database(""), Database(""))
            return self.search.find(before)

    def test_finds_the_folders_of_no_row(self):
        found = self.find(bucket(), [RUN])
        self.assertEqual(
            {folder: (facts.kind, facts.files, facts.size) for folder, facts in found.items()},
            {
                f"1/{GONE}/artifacts/": ("run", 2, 2048),
                f"1/models/{MODEL}/artifacts/": ("model", 1, 1024),
                f"1/traces/{TRACE}/artifacts/": ("trace", 1, 1024),
            },
        )
        self.assertEqual((self.search.owned, self.search.others), (1, 1))

    def test_finds_nothing_where_all_have_rows(self):
        self.assertEqual(self.find(bucket(), [RUN, GONE, MODEL, TRACE]), {})

    def test_leaves_what_a_version_of_a_registered_model_needs_however_it_says_so(self):
        for source in (
            f"mlflow-artifacts:/1/models/{MODEL}/artifacts",
            f"models:/{MODEL}",
            f"s3://bucket/team/1/models/{MODEL}/artifacts/model",
            f"http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/1/models/{MODEL}/artifacts",
        ):
            with self.subTest(source):
                self.assertNotIn(f"1/models/{MODEL}/artifacts/", self.find(bucket(), [RUN], [source]))
        self.assertNotIn(f"1/{GONE}/artifacts/", self.find(bucket(), [RUN], [f"runs:/{GONE}/model"]))
        for source in ("mlflow-artifacts:/1", "mlflow-artifacts:/", "s3://bucket/team/1"):
            with self.subTest(source):
                self.assertEqual(self.find(bucket(), [RUN], [source]), {})
        for source in ("mlflow-artifacts:/11", "s3://elsewhere/team/1", "s3://bucket/1", "mlflow-artifacts:/2/x", "http://[bad"):
            with self.subTest(source):
                self.assertEqual(len(self.find(bucket(), [RUN], [source])), 3)

    def test_leaves_what_is_young_be_it_one_file_of_many(self):
        found = self.find(bucket(**{f"team/1/{GONE}/artifacts/e": 29}), [RUN])
        self.assertEqual(len(found), 2)
        self.assertNotIn(f"1/{GONE}/artifacts/", found)

    def test_leaves_what_was_made_meanwhile(self):
        self.assertEqual(len(self.find(bucket(), [RUN], later=[RUN, GONE])), 2)

    def test_takes_a_bucket_of_which_the_database_knows_nothing_for_another_one(self):
        with self.assertRaises(Problem) as met:
            self.find(bucket(), ["e" * 32])
        self.assertEqual(met.exception.name, "orphans-all")
        self.assertIn("4 folders", met.exception.title)
        self.assertIn("comparing s3://bucket/team/ with", str(vars(met.exception)))

    def test_deletes_a_folder_unless_somebody_wrote_to_it(self):
        client = bucket()
        before = NOW - datetime.timedelta(days=30)
        self.find(client, [RUN])
        self.assertTrue(self.search.delete(f"1/{GONE}/artifacts/", before))
        self.assertEqual(client.deleted, [f"team/1/{GONE}/artifacts/b/c", f"team/1/{GONE}/artifacts/d"])
        client.objects[f"team/1/models/{MODEL}/artifacts/new"] = 0
        self.assertFalse(self.search.delete(f"1/models/{MODEL}/artifacts/", before))
        self.assertEqual(len(client.deleted), 2)


class Names(unittest.TestCase):
    def test_of_folders_are_those_that_mlflow_makes(self):
        for key, name in (
            (f"1/{RUN}/artifacts/{GONE}/artifacts/x", RUN),
            (f"{RUN}/artifacts/x", RUN),
            (f"workspaces/a/1/{RUN}/artifacts/x", RUN),
            (f"1/models/{MODEL}/artifacts/x", MODEL),
            (f"1/traces/{TRACE}/artifacts/x", TRACE),
            (f"1/traces/{RUN}/artifacts/x", RUN),
        ):
            match = FOLDER.match(key)
            self.assertEqual(match[match.lastgroup], name)
        for key in ("1/abc/artifacts/x", f"1/{RUN}/x", f"1/{RUN}x/artifacts/x", f"1/models/{RUN[:-1]}/artifacts/x", "a.txt"):
            self.assertIsNone(FOLDER.match(key), key)

    def test_of_times_are_those_of_mlflow_gc(self):
        self.assertEqual(age("30d"), datetime.timedelta(days=30))
        self.assertEqual(age("1d2h3m4s"), datetime.timedelta(days=1, hours=2, minutes=3, seconds=4))
        for text in ("", "d", "30", "1h1d", "-1d"):
            self.assertRaises(argparse.ArgumentTypeError, age, text)

    def test_of_sizes_are_short(self):
        self.assertEqual([readable(size) for size in (1, 2048, 3 << 20, 1 << 50)], ["1 B", "2.0 KiB", "3.0 MiB", "1024.0 TiB"])

    def test_of_tables_are_asked_for_in_all_workspaces(self):
        self.assertEqual([statement for statement in ROWS if "workspace" in statement.lower()], [])


class Command(unittest.TestCase):
    def test_is_for_buckets_of_s3(self):
        with (
            mock.patch.dict(os.environ, {}, clear=True),
            mock.patch.dict("sys.modules", {"botocore": mock.Mock(), "botocore.exceptions": mock.Mock()}),
            self.assertRaises(Problem) as met,
        ):
            orphans(["--orphans", "--artifacts-destination=gs://bucket"], Database(""))
        self.assertEqual(met.exception.name, "orphans-unsupported")
        self.assertIn("gs://bucket", met.exception.title)

    def run_with(self, *flags):
        """What is said, and what is deleted."""
        client = bucket()
        exceptions = types.SimpleNamespace(BotoCoreError=KeyError, ClientError=IndexError)
        with (
            mock.patch.dict(os.environ, {}, clear=True),
            mock.patch.dict("sys.modules", {"botocore": mock.Mock(), "botocore.exceptions": exceptions}),
            mock.patch.object(S3Store, "connect", lambda store: setattr(store, "client", client)),
            mock.patch.object(Owners, "read", lambda owners, *_: owners.add(RUN)),
            contextlib.redirect_stdout(io.StringIO()) as output,
        ):
            self.assertEqual(orphans(["--orphans", *flags, "--artifacts-destination=s3://bucket/team"], Database("")), 0)
        return output.getvalue().splitlines(), client.deleted

    def test_deletes_nothing_unless_it_is_told_to(self):
        said, deleted = self.run_with()
        self.assertRegex(said[0], rf"^1/{GONE}/artifacts/  2 files, 2\.0 KiB, last written 2026-08-19: no run {GONE}$")
        self.assertEqual(said[-1], "Nothing was deleted: --delete deletes them")
        self.assertEqual(deleted, [])

    def test_deletes_with_a_flag_and_counts(self):
        said, deleted = self.run_with("--delete")
        self.assertEqual(said[-1], "3 folders were deleted")
        self.assertEqual(len(deleted), 4)


if __name__ == "__main__":
    unittest.main()
