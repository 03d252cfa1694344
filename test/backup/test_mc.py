import json
import os
import pathlib
import stat
import tempfile
import unittest
from unittest import mock

from mlflow_backup.mc import write_settings

STORES = {
    "MLFLOW_S3_ENDPOINT_URL": "http://minio:9000/",
    "AWS_ACCESS_KEY_ID": "one",
    "AWS_SECRET_ACCESS_KEY": "secret one",
    "BACKUP_AWS_ACCESS_KEY_ID": "two",
    "BACKUP_AWS_SECRET_ACCESS_KEY": "secret two\n",
    "BACKUP_MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "path",
}


class Bucket:
    def __init__(self, bucket, root="", **arguments):
        self.bucket, self.root, self.arguments = bucket, root, arguments


class Settings(unittest.TestCase):
    def written(self, variables=None, artifacts=None, vault=None):
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "ca.crt").write_text("a certificate")
        given = {**STORES, "MC_CONFIG_DIR": str(folder), "BACKUP_AWS_CA_BUNDLE": str(folder / "ca.crt"), **(variables or {})}
        with mock.patch.dict(os.environ, given, clear=True):
            write_settings(artifacts or Bucket("models", "team/"), vault or Bucket("vault", "mlflow/"))
        return folder

    def test_two_stores_each_with_its_own_keys(self):
        folder = self.written()
        aliases = json.loads((folder / "config.json").read_text())["aliases"]
        self.assertEqual(
            aliases,
            {
                "artifacts": {
                    "url": "http://minio:9000",
                    "accessKey": "one",
                    "secretKey": "secret one",
                    "api": "S3v4",
                    "path": "auto",
                },
                "backup": {
                    "url": "https://s3.amazonaws.com",
                    "accessKey": "two",
                    "secretKey": "secret two",
                    "api": "S3v4",
                    "path": "on",
                },
            },
        )
        self.assertEqual((folder / "roots").read_text(), "ARTIFACTS=artifacts/models/team/\nBACKUP=backup/vault/mlflow/\n")

    def test_nobody_else_may_read_them_and_authorities_are_where_mc_looks(self):
        folder = self.written()
        self.assertEqual(stat.S_IMODE((folder / "config.json").stat().st_mode), 0o600)
        self.assertEqual([file.name for file in (folder / "certs" / "CAs").iterdir()], ["backup.crt"])

    def test_encryption_is_asked_for_where_the_store_asks_for_it(self):
        self.assertEqual((self.written() / "flags").read_text(), "")
        self.assertEqual(
            (self.written(vault=Bucket("vault", ServerSideEncryption="AES256")) / "flags").read_text(), "--enc-s3=backup/vault/"
        )
        kms = Bucket("vault", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/backup")
        self.assertEqual((self.written(vault=kms) / "flags").read_text(), "--enc-kms=backup/vault/=alias/backup")


if __name__ == "__main__":
    unittest.main()
