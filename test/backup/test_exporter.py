import unittest
from unittest import mock

from fake_bucket import FakeBucket
from mlflow_backup.exporter import Exporter

STATE = {
    "begun": {"name": "b", "time": 300},
    "succeeded": {
        "time": 200,
        "seconds": 9.5,
        "objects": 7,
        "bytes": 70,
        "dump_bytes": 5,
        "rows": 159,
        "copied": 2,
        "copied_bytes": 3,
        "backups": 4,
    },
    "verified": {"name": "a", "time": 200},
    "failed": {"name": "b"},
}


class Metrics(unittest.TestCase):
    def of(self, exporter):
        return dict(line.split() for line in exporter.metrics()[1].splitlines() if not line.startswith("#"))

    def looking_at(self, bucket, exporter=None):
        exporter = exporter or Exporter()
        with (
            mock.patch("mlflow_backup.bucket.Bucket.of_destination", side_effect=bucket),
            mock.patch("mlflow_backup.exporter.say"),
        ):
            exporter.look()
        return exporter

    def test_what_the_last_run_has_noted(self):
        bucket = FakeBucket()
        bucket.write_json("state.json", STATE)
        exporter = self.looking_at(lambda: bucket)
        self.assertEqual(
            self.of(exporter),
            {
                "mlflow_backup_last_success_timestamp_seconds": "200",
                "mlflow_backup_last_verified_timestamp_seconds": "200",
                "mlflow_backup_last_begin_timestamp_seconds": "300",
                "mlflow_backup_duration_seconds": "9.5",
                "mlflow_backup_objects": "7",
                "mlflow_backup_objects_bytes": "70",
                "mlflow_backup_database_bytes": "5",
                "mlflow_backup_database_rows": "159",
                "mlflow_backup_copied_objects": "2",
                "mlflow_backup_copied_bytes": "3",
                "mlflow_backups": "4",
                "mlflow_backup_destination_readable": "1",
                "mlflow_backup_last_run_failed": "1",
            },
        )
        self.assertEqual(exporter.ready()[0], 200)

    def test_where_there_is_no_backup_yet_the_last_one_is_as_old_as_can_be(self):
        found = self.of(self.looking_at(FakeBucket))
        self.assertEqual(found["mlflow_backup_last_verified_timestamp_seconds"], "0")
        self.assertEqual(found["mlflow_backup_last_run_failed"], "0")

    def test_a_destination_that_is_away_is_told_and_what_was_known_stays(self):
        bucket = FakeBucket()
        bucket.write_json("state.json", STATE)
        exporter = self.looking_at(OSError("away"), self.looking_at(lambda: bucket))
        found = self.of(exporter)
        self.assertEqual((found["mlflow_backup_destination_readable"], found["mlflow_backup_objects"]), ("0", "7"))
        self.assertEqual(exporter.ready()[0], 503)

    def test_nothing_is_told_before_the_first_look(self):
        self.assertEqual(self.of(Exporter()), {"mlflow_backup_destination_readable": "0"})


if __name__ == "__main__":
    unittest.main()
