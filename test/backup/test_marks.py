import json
import os
import unittest
from unittest import mock

from mlflow_backup.marks import OPENS, differences, marks

SECRETS = {"MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "a" * 43 + "=", "MLFLOW_CRYPTO_KEK_PASSPHRASE": "PassphraseThatNobodyMaySee"}


class Marks(unittest.TestCase):
    def of(self, secrets):
        with mock.patch.dict(os.environ, secrets, clear=True):
            return marks()

    def told(self, known, secrets):
        with mock.patch.dict(os.environ, secrets, clear=True):
            return differences(known)

    def test_they_tell_nothing_and_are_others_each_time(self):
        one, two = self.of(SECRETS), self.of(SECRETS)
        for name in OPENS:
            self.assertNotEqual(one[name], two[name])
            self.assertNotIn(SECRETS[name][:8], json.dumps(one))

    def test_the_same_secrets_are_known_again(self):
        self.assertEqual(self.told(self.of(SECRETS), SECRETS), [])

    def test_one_that_is_missing_and_one_that_is_another_are_told(self):
        lines = self.told(self.of(SECRETS), {"MLFLOW_CRYPTO_KEK_PASSPHRASE": "another"})
        self.assertEqual(
            [line.split(":")[0] for line in lines],
            [
                "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY is missing",
                "MLFLOW_CRYPTO_KEK_PASSPHRASE is another one than at the time of the backup",
            ],
        )

    def test_what_the_backup_did_not_have_is_no_difference(self):
        self.assertEqual(self.told(self.of({}), SECRETS), [])
        self.assertEqual(self.told({}, SECRETS), [])


if __name__ == "__main__":
    unittest.main()
