import contextlib
import io
import os
import unittest
from unittest import mock

from preflight.cloud import AzureStore, CloudStore, GoogleStore
from preflight.problem import HIDDEN, Problem, redact


class Store(CloudStore):
    """One whose library raises the error at a step, and knows a status for it."""

    reads = "It reads a file."

    def __init__(self, failing="", status=None, text="the message"):
        super().__init__("gs://bucket/path")
        self.failing, self.status, self.text = failing, status, text
        self.steps = []
        self.connections = 0

    def step(self, name):
        self.steps.append(name)
        if name == self.failing:
            raise RuntimeError(self.text)

    def connect(self):
        self.connections += 1
        self.step("connect")
        return object()

    def put(self, content):
        self.step("put")
        self.content = content

    def get(self):
        self.step("get")
        return self.content

    def delete(self):
        self.step("delete")

    def facts(self, error):
        return self.status, "TheCode"


class Check(unittest.TestCase):
    def problem_of(self, store):
        with self.assertRaises(Problem) as met:
            store.check()
        return met.exception

    def test_puts_reads_and_deletes_an_object_and_keeps_the_client(self):
        store = Store()
        store.check()
        store.check()
        self.assertEqual(store.steps, ["connect", "put", "get", "delete", "put", "get", "delete"])

    def test_reads_back_what_it_wrote(self):
        store = Store()
        store.get = lambda: b"other"
        self.assertEqual(self.problem_of(store).name, "store-error")

    def test_leaves_nothing_where_a_later_step_fails(self):
        store = Store("get", 500)
        self.problem_of(store)
        self.assertEqual(store.steps, ["connect", "put", "get", "delete"])
        store = Store("delete", 500)
        self.problem_of(store)
        self.assertEqual(store.steps, ["connect", "put", "get", "delete", "delete"])
        store = Store("put", 500)
        self.problem_of(store)
        self.assertEqual(store.steps, ["connect", "put"])

    def test_has_a_cause_for_every_status(self):
        for status, cause in (
            (401, "cloud-credentials"),
            (403, "cloud-denied"),
            (404, "cloud-bucket-missing"),
            (500, "store-error"),
            (None, "cloud-absent"),
        ):
            for step in ("connect", "put", "get", "delete"):
                problem = self.problem_of(Store(step, status))
                self.assertEqual(problem.name, cause)
                self.assertTrue(problem.lines())

    def test_names_a_certificate_that_is_not_trusted(self):
        problem = self.problem_of(Store("put", None, "certificate verify failed"))
        self.assertEqual(problem.name, "store-certificate")
        self.assertTrue(problem.lines())

    def test_looks_for_credentials_again_after_a_refusal(self):
        for status, connections in ((401, 2), (None, 2), (403, 1)):
            store = Store("put", status)
            self.problem_of(store)
            self.problem_of(store)
            self.assertEqual(store.connections, connections)


class AzureError(Exception):
    def __init__(self, status_code):
        super().__init__(status_code)
        self.status_code = status_code


class Versions(unittest.TestCase):
    def azure(self, version, refusal=None):
        """What is deleted of a blob with this version, and what is warned of."""
        store = AzureStore("wasbs://models@account.blob.core.windows.net/team")
        blob = mock.Mock()
        blob.upload_blob.return_value = {"version_id": version}
        blob.delete_blob.side_effect = lambda version_id=None: (
            None if version_id is None or refusal is None else self.refuse(refusal)
        )
        store.client = mock.Mock(get_blob_client=lambda *_: blob)
        exceptions = mock.Mock(HttpResponseError=AzureError)
        stderr = io.StringIO()
        names = {"azure": mock.Mock(), "azure.core": mock.Mock(), "azure.core.exceptions": exceptions}
        with mock.patch.dict("sys.modules", names), contextlib.redirect_stderr(stderr):
            for _ in range(2):
                store.put(b"content")
                store.delete()
        return blob.delete_blob.mock_calls[:2], stderr.getvalue()

    def refuse(self, status):
        raise AzureError(status)

    def test_of_azure_are_deleted_behind_the_blob(self):
        self.assertEqual(self.azure("1"), ([mock.call(), mock.call(version_id="1")], ""))
        self.assertEqual(self.azure(None), ([mock.call(), mock.call()], ""))

    def test_of_azure_that_may_not_be_deleted_are_told_once(self):
        _, text = self.azure("1", 403)
        self.assertEqual(text.count("WARNING: the container models keeps versions"), 1)
        self.assertRaises(AzureError, self.azure, "1", 500)

    def test_of_google_are_those_of_the_object_that_was_put(self):
        store = GoogleStore("gs://bucket")
        made = []
        store.client = mock.Mock()
        store.client.bucket.return_value.blob.side_effect = lambda _: made.append(mock.Mock()) or made[-1]
        store.put(b"content")
        store.delete()
        self.assertEqual(len(made), 1)
        made[0].delete.assert_called_once_with(timeout=10, retry=None)


class Azure(unittest.TestCase):
    def test_destination_has_a_container_and_an_account(self):
        store = AzureStore("wasbs://models@account.blob.core.windows.net/team")
        self.assertEqual((store.container, store.host), ("models", "account.blob.core.windows.net"))
        self.assertEqual(AzureStore("wasbs://account/models").container, "")

    def test_key_in_a_connection_string_is_not_shown(self):
        HIDDEN.clear()
        connection = "AccountName=a;AccountKey=KeyThatNobodyMaySee==;EndpointSuffix=x"
        store = AzureStore("wasbs://models@account.blob.core.windows.net")
        module = mock.MagicMock()
        with (
            mock.patch.dict(os.environ, {"AZURE_STORAGE_CONNECTION_STRING": connection}, clear=True),
            mock.patch.dict("sys.modules", {"azure": module, "azure.storage": module, "azure.storage.blob": module}),
        ):
            store.connect()
        self.assertEqual(redact("KeyThatNobodyMaySee=="), "(AZURE_STORAGE_CONNECTION_STRING)")


if __name__ == "__main__":
    unittest.main()
