import contextlib
import io
import os
import sys
import unittest
from unittest import mock

from preflight import gc as module
from preflight.gc import GC, gc

URI = "sqlite:////data/mlflow.db"


class Gc(unittest.TestCase):
    def run_with(self, *arguments, **variables):
        """What it became; None where it ended before."""
        with (
            mock.patch.dict(os.environ, variables, clear=True),
            mock.patch.object(module, "end_at_sigterm"),
            mock.patch.object(module, "lets_in", self.lets_in),
            mock.patch("os.execv") as execute,
            contextlib.redirect_stdout(io.StringIO()) as output,
            contextlib.redirect_stderr(io.StringIO()) as self.stderr,
        ):
            with contextlib.suppress(SystemExit):
                gc(list(arguments))
            self.environment = dict(os.environ)
        self.output = output.getvalue()
        return execute.call_args and execute.call_args[0][1]

    def setUp(self):
        self.lets_in = mock.Mock()

    def test_becomes_mlflow_gc_with_the_uri_in_no_argument(self):
        command = self.run_with("--older-than=30d", MLFLOW_TRACKING_URI="http://mlflow\n", MLFLOW_BACKEND_STORE_URI=URI)
        self.assertEqual(command, [sys.executable, "-c", GC, "--older-than=30d"])
        self.assertEqual(self.environment["MLFLOW_BACKEND_STORE_URI"], URI)
        self.lets_in.assert_called_once()

    def test_takes_flags_before_the_environment(self):
        self.run_with("--tracking-uri=http://one", f"--backend-store-uri={URI}", MLFLOW_TRACKING_URI="http://other")
        self.assertEqual(self.output, "Starting mlflow gc with the tracking server at http://one\n")

    def test_deletes_nothing_without_both_uris(self):
        for variables in ({}, {"MLFLOW_TRACKING_URI": "http://mlflow"}, {"MLFLOW_BACKEND_STORE_URI": URI}):
            self.assertIsNone(self.run_with(**variables))
            self.assertIn("nothing was deleted", self.output)

    def test_shows_the_help_of_mlflow_without_a_server(self):
        self.assertEqual(self.run_with("--help"), [sys.executable, "-c", GC, "--help"])
        self.assertEqual(self.output, "")
        self.lets_in.assert_not_called()


if __name__ == "__main__":
    unittest.main()
