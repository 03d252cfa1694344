import os
import unittest
from unittest import mock

from preflight.cloud import AzureStore, CloudStore
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
