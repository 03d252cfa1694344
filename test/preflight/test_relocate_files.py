import hashlib
import io
import os
import unittest
from unittest import mock

from preflight import relocate_files as module
from preflight.problem import Problem
from preflight.relocate_files import Bucket, Copy, File


class Body(io.BytesIO):
    def iter_chunks(self, size):
        while chunk := self.read(size):
            yield chunk


class Client:
    """What boto3 gives, with two buckets in one dictionary. It may write other content than it is given."""

    def __init__(self, objects, spoil=b""):
        self.objects, self.spoil = objects, spoil

    def get_paginator(self, _):
        return self

    def paginate(self, Bucket, Prefix):
        found = sorted((key, content) for (bucket, key), content in self.objects.items() if bucket == Bucket)
        yield {"Contents": [self.entry(key, content) for key, content in found if key.startswith(Prefix)]}
        yield {}

    def entry(self, key, content):
        return {"Key": key, "Size": len(content), "ETag": hashlib.sha256(content).hexdigest()}

    def get_object(self, Bucket, Key):
        return {"Body": Body(self.objects[Bucket, Key])}

    def head_object(self, Bucket, Key):
        entry = self.entry(Key, self.objects[Bucket, Key])
        return {"ContentLength": entry["Size"], "ETag": entry["ETag"]}

    def copy(self, source, bucket, key, ExtraArgs):
        self.objects[bucket, key] = self.objects[source["Bucket"], source["Key"]] + self.spoil

    def upload_fileobj(self, body, bucket, key, ExtraArgs):
        self.objects[bucket, key] = body.read() + self.spoil


class Copies(unittest.TestCase):
    def copy(self, objects, spoil=b"", **variables):
        client = Client({tuple(key.split("/", 1)): content for key, content in objects.items()}, spoil)
        with (
            mock.patch.object(module, "s3_client", return_value=client) as made,
            mock.patch.object(module, "say"),
            mock.patch.dict(os.environ, variables, clear=True),
        ):
            copy = Copy("s3://old/team", Bucket("s3://new", client))
            self.made = made.call_args[0][0]
            missing = copy.missing()
            copy.copy(missing)
        return client.objects, missing

    def test_what_is_not_there_yet(self):
        for variables in ({}, {"COPY_FROM_AWS_ACCESS_KEY_ID": "id\n"}):
            objects, missing = self.copy(
                {"old/team/1/a": b"a", "old/team/1/b": b"b", "old/else": b"c", "new/1/b": b"b"}, **variables
            )
            self.assertEqual([file.path for file in missing], ["1/a"])
            self.assertEqual(objects["new", "1/a"], b"a")
            self.assertNotIn(("new", "else"), objects)
        self.assertEqual(self.made, {"AWS_ACCESS_KEY_ID": "id"})

    def test_another_file_at_the_same_path_stops_all_of_it(self):
        with self.assertRaises(Problem) as caught:
            self.copy({"old/team/1/a": b"a", "old/team/1/b": b"bb", "new/1/b": b"cc"})
        self.assertEqual((caught.exception.name, caught.exception.answer), ("relocate-taken", "1/b"))

    def test_a_copy_that_is_not_what_was_copied_is_told(self):
        for variables in ({}, {"COPY_FROM_AWS_ACCESS_KEY_ID": "id"}):
            with self.assertRaises(Problem) as caught:
                self.copy({"old/team/1/a": b"a"}, spoil=b"!", **variables)
            self.assertEqual(caught.exception.name, "relocate-copy")

    def test_files_of_the_library_are_no_artifacts(self):
        client = Client({("b", "p/.mlflow-preflight/x"): b"", ("b", "p/.mlflow-relocations/y"): b"", ("b", "p/1/a"): b"a"})
        files = list(Bucket("s3://b/p/", client).files())
        self.assertEqual([(file.path, file.size) for file in files], [("1/a", 1)])
        self.assertEqual(list(Bucket("s3://b/p", client).files("2/")), [])
        self.assertEqual(Bucket("s3://b/p", client).sha256("1/a"), hashlib.sha256(b"a").hexdigest())

    def test_a_file_is_what_the_table_counts(self):
        self.assertEqual(File("a", 1, "e").size, 1)


if __name__ == "__main__":
    unittest.main()
