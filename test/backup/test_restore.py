import unittest
from unittest import mock

from fake_bucket import FakeBucket
from mlflow_backup import causes, restore
from mlflow_backup.bucket import Found
from preflight.problem import Problem

ONE, TWO = "20261125T020000Z", "20261126T020000Z"


def vault():
    bucket = FakeBucket({"objects/a": "aaaa", "objects/b": "bbbb", f"kept/{TWO}/a": "cccc"})
    bucket.write_json(f"backups/{ONE}/objects.json.gz", [["a", 4, "other parts"], ["b", 4, "etag of bbbb"]])
    return bucket


class WantedObjects(unittest.TestCase):
    def test_the_same_etag_will_do_and_another_one_is_looked_into(self):
        bucket = FakeBucket({"a": "cccc", "b": "bbbb"})
        wanted = restore.Wanted(bucket, vault(), ONE)
        self.assertEqual([wanted.is_there(found) for found in bucket.listing()], [True, True])

    def test_what_is_another_file_or_of_no_backup_is_not_there(self):
        bucket = FakeBucket({"a": "aaaa", "b": "longer", "c": "cccc"})
        wanted = restore.Wanted(bucket, vault(), ONE)
        self.assertEqual([wanted.is_there(found) for found in bucket.listing()], [False, False, False])


class Revision(unittest.TestCase):
    def judge(self, own, backed_up):
        causes.register()
        manifest = {"mlflow": "3.10.1", "database": {"revision": backed_up, "login_revision": ""}}
        with mock.patch.object(restore, "package_revisions", return_value=(set(), own)):
            restore.judge_revision(ONE, manifest)

    def test_the_same_is_good_and_nobody_knows_without_mlflow(self):
        self.judge("abc", "abc")
        self.judge(None, "abc")

    def test_another_is_told(self):
        with self.assertRaises(Problem) as caught:
            self.judge("abc", "def")
        self.assertIn("Give the stack the image of MLflow 3.10.1", "\n".join(caught.exception.lines()))


class Chosen(unittest.TestCase):
    def test_the_newest_or_the_one_of_the_name(self):
        bucket = vault()
        for name in (ONE, TWO):
            bucket.write_json(f"backups/{name}/manifest.json", {"name": name})
        with mock.patch.object(restore, "warn") as warn:
            self.assertEqual(restore.chosen(bucket, "")[0], TWO)
            self.assertEqual(restore.chosen(bucket, ONE)[0], ONE)
        self.assertIn("nobody has tried to restore", warn.call_args[0][0])

    def test_none_is_told_with_those_that_are_there(self):
        causes.register()
        bucket = vault()
        bucket.write_json(f"backups/{TWO}/manifest.json", {})
        with self.assertRaises(Problem) as caught:
            restore.chosen(bucket, ONE)
        self.assertIn(TWO, "\n".join(caught.exception.lines()))


class MoveAside(unittest.TestCase):
    def test_nothing_is_said_where_there_is_nothing(self):
        with mock.patch.object(restore, "warn") as warn:
            restore.move_aside(FakeBucket(), [])
        warn.assert_not_called()
        self.assertEqual(Found("a", 1, "b").path, "a")


if __name__ == "__main__":
    unittest.main()
