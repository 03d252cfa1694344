import datetime
import unittest

from fake_bucket import FakeBucket
from mlflow_backup import layout

AT = datetime.datetime(2026, 11, 26, 2, 0, 0, tzinfo=datetime.timezone.utc)
ONE, TWO, THREE = "20261124T020000Z", "20261125T020000Z", "20261126T020000Z"


class Names(unittest.TestCase):
    def test_a_name_is_the_time(self):
        self.assertEqual(layout.next_name([], AT), THREE)
        self.assertEqual(layout.next_name([ONE], AT), THREE)

    def test_names_are_in_order_though_a_clock_goes_back(self):
        self.assertEqual(layout.next_name([ONE, "20270101T000000Z"], AT), "20270101T000001Z")

    def test_other_folders_are_no_backups(self):
        bucket = FakeBucket({f"backups/{ONE}/database.dump": "", "backups/lost+found/a": "", "backups/20261399T020000Z/a": ""})
        self.assertEqual(layout.names_of(bucket), [ONE])


class Whole(unittest.TestCase):
    def test_without_a_manifest_it_is_none(self):
        bucket = FakeBucket({f"backups/{ONE}/manifest.json": "{}", f"backups/{TWO}/database.dump": ""})
        self.assertEqual(layout.newest(bucket), (ONE, {}))
        self.assertEqual(layout.whole(bucket, [ONE, TWO]), {ONE: {}})
        self.assertIsNone(layout.newest(FakeBucket()))


class Copies(unittest.TestCase):
    def test_the_first_run_behind_a_backup_that_found_it_changed_has_it(self):
        bucket = FakeBucket({"objects/a": "", f"kept/{TWO}/a": "", f"kept/{THREE}/a": "", f"kept/{TWO}/a.txt": ""})
        moved = {"a": f"kept/{TWO}/a", "a.txt": f"kept/{TWO}/a.txt"}
        self.assertEqual(layout.moved_behind(bucket, ONE), moved)
        self.assertEqual(layout.moved_behind(bucket, TWO), {"a": f"kept/{THREE}/a"})
        self.assertEqual(layout.moved_behind(bucket, THREE), {})


class Untouched(unittest.TestCase):
    def test_what_mlflow_makes_by_itself_is_nothing(self):
        self.assertTrue(
            layout.is_untouched({"experiments": 1, "users": 1, "workspaces": 1, "alembic_version": 1, "job_locks": 3})
        )
        self.assertTrue(layout.is_untouched({}))

    def test_one_row_of_a_user_is_something(self):
        for tables in ({"runs": 1}, {"experiments": 2}, {"registered_models": 1}, {"trace_info": 1}, {"of_a_newer_mlflow": 1}):
            self.assertFalse(layout.is_untouched(tables), tables)


class State(unittest.TestCase):
    def test_none_is_empty(self):
        self.assertEqual(layout.read_state(FakeBucket()), {})
        self.assertEqual(layout.read_state(FakeBucket({"state.json": "[]"})), {})


if __name__ == "__main__":
    unittest.main()
