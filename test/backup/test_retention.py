import unittest

from fake_bucket import FakeBucket
from mlflow_backup.retention import clean_up, to_remove

DAYS = [f"202611{day:02}T020000Z" for day in range(1, 11)]
DAY = 24 * 3600


def backups(names, kept=()):
    objects = {f"backups/{name}/{file}": "{}" for name in names for file in ("manifest.json", "database.dump")}
    return FakeBucket({**objects, **{f"kept/{name}/a": "" for name in kept}, "objects/a": ""})


class ToRemove(unittest.TestCase):
    def test_what_is_older_than_the_retention_counted_back_from_the_verified_one(self):
        self.assertEqual(to_remove(DAYS, DAYS[-1], 3 * DAY), DAYS[:6])

    def test_the_verified_one_stays_whatever_the_retention(self):
        self.assertEqual(to_remove(DAYS, DAYS[4], 1), DAYS[:4])


class CleanUp(unittest.TestCase):
    def test_old_backups_go_whole_and_so_does_what_only_they_needed(self):
        bucket = backups(DAYS, DAYS[1:])
        self.assertEqual(clean_up(bucket, DAYS[-1], 2 * DAY), (3, DAYS[:7]))
        self.assertEqual(bucket.folders("backups/"), DAYS[7:])
        self.assertEqual(bucket.folders("kept/"), DAYS[8:])
        self.assertIn("objects/a", bucket.objects)

    def test_what_did_not_end_goes_too_and_what_it_moved_aside_stays_for_older_ones(self):
        bucket = backups([DAYS[0], DAYS[2]], [DAYS[1]])
        bucket.objects[f"backups/{DAYS[1]}/database.dump"] = ""
        self.assertEqual(clean_up(bucket, DAYS[2], 30 * DAY), (2, []))
        self.assertEqual(bucket.folders("backups/"), [DAYS[0], DAYS[2]])
        self.assertEqual(bucket.folders("kept/"), [DAYS[1]])

    def test_a_run_that_began_since_is_left_alone(self):
        bucket = backups(DAYS[:2], [DAYS[5]])
        bucket.objects[f"backups/{DAYS[5]}/database.dump"] = ""
        clean_up(bucket, DAYS[1], 1)
        self.assertEqual(bucket.folders("backups/"), [DAYS[1], DAYS[5]])
        self.assertEqual(bucket.folders("kept/"), [DAYS[5]])


if __name__ == "__main__":
    unittest.main()
