import os
import unittest
from unittest import mock

from mlflow_backup.bucket import as_destination, variables_of_destination

BOTH = {
    "AWS_ACCESS_KEY_ID": "of artifacts",
    "MLFLOW_S3_ENDPOINT_URL": "http://minio:9000",
    "BACKUP_AWS_ACCESS_KEY_ID": " of backups\n",
    "BACKUP_STARTUP_SOURCES": "{}",
    "STARTUP_SOURCES": '{"a": "b"}',
    "BACKUP": "20261126T020000Z",
    "PGUSER": "me",
}


class Destination(unittest.TestCase):
    def test_its_variables_have_a_name_of_their_own(self):
        with mock.patch.dict(os.environ, BOTH, clear=True):
            self.assertEqual(variables_of_destination(), {"AWS_ACCESS_KEY_ID": "of backups", "STARTUP_SOURCES": "{}"})

    def test_what_is_tried_as_the_destination_has_nothing_of_the_artifact_store(self):
        with mock.patch.dict(os.environ, BOTH, clear=True):
            with as_destination():
                self.assertEqual(os.environ["AWS_ACCESS_KEY_ID"], "of backups")
                self.assertNotIn("MLFLOW_S3_ENDPOINT_URL", os.environ)
                self.assertEqual(os.environ["STARTUP_SOURCES"], "{}")
            self.assertEqual(dict(os.environ), BOTH)


if __name__ == "__main__":
    unittest.main()
