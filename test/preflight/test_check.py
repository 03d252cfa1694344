import contextlib
import io
import os
import unittest
from unittest import mock

from preflight import check as module
from preflight.check import check
from preflight.problem import Problem
from preflight.store import Store

KEYS = {"AWS_ACCESS_KEY_ID": "minioadmin", "AWS_SECRET_ACCESS_KEY": "SecretThatNobodyMaySee"}


class Fake(Store):
    checkable = True

    def __init__(self, name, module="json", problem=None):
        self.name, self.module, self.problem = name, module, problem

    def prepare(self, wait):
        prepared.append(self.name)
        if self.problem:
            raise self.problem


prepared = []


class Check(unittest.TestCase):
    def setUp(self):
        prepared.clear()

    def run_with(self, artifacts, backend, arguments=("mlflow", "server"), **variables):
        """Exit code and what is on stderr."""
        stderr = io.StringIO()
        with (
            mock.patch.dict(os.environ, {**KEYS, **variables}, clear=True),
            mock.patch.object(module, "artifact_store", lambda _: artifacts),
            mock.patch.object(module, "backend_store", lambda _: backend),
            mock.patch.object(module, "end_at_sigterm"),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                code = check(list(arguments))
            except SystemExit as end:
                code = end.code
            self.environment = dict(os.environ)
        return code, stderr.getvalue()

    def test_prepares_both_stores_the_artifact_store_first(self):
        self.assertEqual(self.run_with(Fake("artifacts"), Fake("database")), (0, ""))
        self.assertEqual(prepared, ["artifacts", "database"])

    def test_changes_the_environment_of_the_process(self):
        self.run_with(Store(), Store(), PGPASSWORD="p\n", AWS_SESSION_TOKEN="")
        self.assertEqual((self.environment["PGPASSWORD"], self.environment["AWS_REGION"]), ("p", "us-east-1"))
        self.assertNotIn("AWS_SESSION_TOKEN", self.environment)

    def test_ends_with_the_code_of_the_first_problem(self):
        problem = Problem("database-missing", "logging in", uri_source="u")
        code, stderr = self.run_with(Fake("artifacts"), Fake("database", problem=problem))
        self.assertEqual(code, 6)
        self.assertTrue(stderr.startswith("ERROR: the server has no such database\n"))

    def test_asks_no_store_before_the_environment_is_in_order(self):
        code, _ = self.run_with(Fake("artifacts"), Fake("database"), AWS_ACCESS_KEY_ID="")
        self.assertEqual((code, prepared), (1, []))

    def test_warns_where_it_cannot_look(self):
        code, stderr = self.run_with(Fake("artifacts", "no_such_module"), Fake("database"))
        self.assertEqual((code, prepared), (0, ["database"]))
        self.assertIn("WARNING: this Python has no no_such_module, so artifacts is not checked", stderr)


if __name__ == "__main__":
    unittest.main()
