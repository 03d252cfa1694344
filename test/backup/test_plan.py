import json
import unittest

from fake_bucket import FakeBucket
from mlflow_backup.bucket import Found
from mlflow_backup.plan import changes, noted

LAST = "20260101T000000Z"


def objects(**etags):
    return {path: Found(path, 4, etag) for path, etag in etags.items()}


def destination(copies, known=None, copying=None):
    bucket = FakeBucket({f"objects/{path}": "same" for path in copies})
    if known is not None:
        bucket.write_json(f"backups/{LAST}/objects.json.gz", [[path, 4, etag] for path, etag in known.items()])
    if copying is not None:
        bucket.objects["copying.json.gz"] = json.dumps(copying)
    return bucket


class Changes(unittest.TestCase):
    def paths(self, plan):
        return [[found.path for found in plan.new], [found.path for found in plan.changed], plan.aside]

    def test_at_first_all_is_new(self):
        self.assertEqual(self.paths(changes(destination([]), objects(a="1"), "")), [["a"], [], []])

    def test_what_was_backed_up_as_it_is_is_left_alone(self):
        bucket = destination(["a"], {"a": "1"}, {"a": "1"})
        self.assertEqual(self.paths(changes(bucket, objects(a="1"), LAST)), [[], [], []])

    def test_another_etag_is_a_change_though_the_size_is_the_same_and_the_copy_is_kept(self):
        bucket = destination(["a"], {"a": "1"}, {"a": "1"})
        self.assertEqual(self.paths(changes(bucket, objects(a="2"), LAST)), [[], ["a"], ["a"]])

    def test_what_is_gone_is_kept(self):
        bucket = destination(["a", "b"], {"a": "1", "b": "1"}, {"a": "1", "b": "1"})
        self.assertEqual(self.paths(changes(bucket, objects(a="1"), LAST)), [[], [], ["b"]])

    def test_copies_of_a_run_that_did_not_end_count(self):
        bucket = destination(["a", "b"], {"a": "1"}, {"a": "2", "b": "1"})
        self.assertEqual(self.paths(changes(bucket, objects(a="2", b="1"), LAST)), [[], [], []])
        self.assertEqual(self.paths(changes(bucket, objects(a="3", b="2"), LAST)), [[], ["a", "b"], ["a", "b"]])

    def test_a_copy_of_nobody_knows_what_is_made_again(self):
        self.assertEqual(self.paths(changes(destination(["a"], {}, {}), objects(a="1"), LAST)), [[], ["a"], ["a"]])

    def test_the_counts(self):
        bucket = destination(["b", "c"], {"b": "1", "c": "1"}, {"b": "1", "c": "1"})
        plan = changes(bucket, objects(a="1", b="2"), LAST)
        self.assertEqual(plan.counts(), {"new": 1, "changed": 1, "gone": 1, "copied": 2, "copied_bytes": 8})
        self.assertEqual(plan.text(), "New: 1, changed: 1, gone: 1; to copy: 8 bytes")


class Noted(unittest.TestCase):
    def test_of_what_changed_while_it_was_copied_nothing_is_known(self):
        self.assertEqual(noted("a", {"a": ""}, {"a": "1"}), "")
        self.assertEqual(noted("a", {}, {"a": "1"}), "1")
        self.assertEqual(noted("a", {"a": "1"}, {}), "1")


if __name__ == "__main__":
    unittest.main()
