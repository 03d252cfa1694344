import os
import unittest
from unittest import mock

from preflight.store import ArtifactStore, Store, distrusts, installed


class Stores(unittest.TestCase):
    def test_of_no_kind_are_not_checked(self):
        self.assertFalse(Store.checkable or ArtifactStore("/data").checkable)
        self.assertIsNone(Store().check())

    def test_are_checked_with_what_is_installed(self):
        store = Store()
        for module, expected in (("json", True), ("no_such_module", False), ("no_such_package.module", False)):
            store.module = module
            self.assertIs(installed(store), expected)


class Probe(unittest.TestCase):
    def test_is_below_the_path_of_the_destination(self):
        store = ArtifactStore("s3://bucket/team/models/")
        self.assertEqual(store.bucket, "bucket")
        self.assertRegex(store.key, r"^team/models/\.mlflow-preflight/[0-9a-f]{32}$")
        self.assertEqual(store.url, f"s3://bucket/{store.key}")

    def test_is_another_each_time(self):
        self.assertNotEqual(ArtifactStore("s3://bucket").key, ArtifactStore("s3://bucket").key)

    def test_has_a_place_for_every_destination(self):
        with mock.patch.dict(os.environ, {}, clear=True):
            for destination in ("", "/data", "s3://[bad", "s3:", "://", "nonsense"):
                self.assertIn(".mlflow-preflight/", ArtifactStore(destination).key)


class Certificates(unittest.TestCase):
    def test_that_are_not_trusted_are_told_by_the_text(self):
        for text in (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
            "hostname 'a' doesn't match 'b'",
            "certificate is not valid for 'a'",
        ):
            self.assertTrue(distrusts(text))
        self.assertFalse(distrusts("wrong version number"))


if __name__ == "__main__":
    unittest.main()
