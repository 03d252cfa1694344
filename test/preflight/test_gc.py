import contextlib
import io
import os
import sys
import types
import unittest
from unittest import mock

from preflight import gc as module
from preflight.gc import gc, run
from preflight.mlflow_doctor import TrackingServer
from preflight.problem import Problem

URI = "sqlite:////data/mlflow.db"


class Gc(unittest.TestCase):
    def run_with(self, *arguments, inside=(), **variables):
        """What mlflow gc was run with; None where it was not."""
        with (
            mock.patch.dict(os.environ, variables, clear=True),
            mock.patch.object(module, "end_at_sigterm"),
            mock.patch.object(module, "lets_in", self.lets_in),
            mock.patch.object(module, "has_workspaces", self.has_workspaces),
            mock.patch.object(module, "server_arguments", lambda _: list(inside)),
            mock.patch.object(module, "run", return_value=0) as started,
            contextlib.redirect_stdout(io.StringIO()) as output,
            contextlib.redirect_stderr(io.StringIO()) as self.stderr,
        ):
            with contextlib.suppress(SystemExit):
                gc(list(arguments))
            self.environment = dict(os.environ)
        self.output = output.getvalue()
        return started.call_args and started.call_args[0][1:]

    def setUp(self):
        self.lets_in = mock.Mock()
        self.has_workspaces = mock.Mock(return_value=False)

    def test_runs_mlflow_gc(self):
        given = self.run_with("--older-than=30d", MLFLOW_TRACKING_URI="http://mlflow\n", MLFLOW_BACKEND_STORE_URI=URI)
        self.assertEqual(given, (URI, ["--older-than=30d"]))
        self.assertEqual(self.environment["MLFLOW_BACKEND_STORE_URI"], URI)
        self.lets_in.assert_called_once()

    def test_takes_flags_before_the_environment(self):
        self.run_with("--tracking-uri=http://one", f"--backend-store-uri={URI}", MLFLOW_TRACKING_URI="http://other")
        self.assertEqual(self.output, "Starting mlflow gc with the tracking server at http://one\n")

    def test_deletes_nothing_without_both_uris(self):
        for variables in ({}, {"MLFLOW_TRACKING_URI": "http://mlflow"}, {"MLFLOW_BACKEND_STORE_URI": URI}):
            self.assertIsNone(self.run_with(**variables))
            self.assertIn("nothing was deleted", self.output)

    def test_cleans_up_all_workspaces_of_a_server_that_has_some(self):
        self.has_workspaces = mock.Mock(return_value=True)
        both = {"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_BACKEND_STORE_URI": URI}
        for given, expected in (
            (("--older-than=30d",), ["--older-than=30d", "--all-workspaces"]),
            (("--all-workspaces",), ["--all-workspaces"]),
            (("--workspace=team-a",), ["--workspace=team-a"]),
            (("--workspace", "team-a"), ["--workspace", "team-a"]),
        ):
            with self.subTest(given):
                self.assertEqual(self.run_with(*given, **both), (URI, expected))

    def test_shows_the_help_of_mlflow_without_a_server(self):
        self.assertEqual(self.run_with("--help"), ("", ["--help"]))
        self.assertEqual(self.output, "")
        self.lets_in.assert_not_called()

    def test_in_the_pod_of_the_server_knows_it_and_logs_in(self):
        inside = (f"--backend-store-uri={URI}", "--artifacts-destination=s3://b", "--port=5000", "--app-name=basic-auth")
        admin = {"MLFLOW_AUTH_ADMIN_USERNAME": "admin", "MLFLOW_AUTH_ADMIN_PASSWORD": "AdminPasswordThatNobodyMaySee"}
        self.assertEqual(self.run_with(inside=inside, **admin), (URI, []))
        self.assertEqual(self.environment["MLFLOW_TRACKING_URI"], "http://127.0.0.1:5000")
        self.assertEqual(self.environment["MLFLOW_TRACKING_USERNAME"], "admin")
        self.assertEqual(self.environment["MLFLOW_TRACKING_PASSWORD"], admin["MLFLOW_AUTH_ADMIN_PASSWORD"])


class Run(unittest.TestCase):
    def run_with(self, cli, **names):
        """Exit code, and what is said, with a command of MLflow."""
        package = types.ModuleType("mlflow")
        package.cli = types.SimpleNamespace(cli=cli, **names)
        with (
            mock.patch.dict(sys.modules, {"mlflow": package}),
            contextlib.redirect_stderr(io.StringIO()) as stderr,
        ):
            try:
                code = run(TrackingServer("http://mlflow"), URI, ["--older-than=1s"])
            except SystemExit as end:
                code = end.code
        return code, stderr.getvalue()

    def test_ends_as_mlflow_does(self):
        for given, expected in ((None, 0), (0, 0), (2, 2), ("text", 1)):
            cli = mock.Mock(side_effect=SystemExit(given))
            self.assertEqual(self.run_with(cli)[0], expected)
            cli.assert_called_once_with(["gc", "--backend-store-uri", URI, "--older-than=1s"], prog_name="mlflow")

    def test_of_an_mlflow_that_is_not_known_is_told(self):
        self.assertIn("WARNING: this MLflow is not known here", self.run_with(mock.Mock())[1])

    def test_that_the_server_leaves_in_the_lurch_ends_with_the_cause(self):
        code, text = self.run_with(mock.Mock(side_effect=Problem("server-absent", "GET /health")))
        self.assertEqual(code, 9)
        self.assertIn("ERROR: the tracking server does not answer", text)


if __name__ == "__main__":
    unittest.main()
