import contextlib
import io
import json
import os
import unittest
from unittest import mock

from preflight import doctor as module
from preflight.doctor import doctor, examine_all, server_arguments
from preflight.mlflow_doctor import report
from preflight.problem import Problem, Result
from preflight.store import Store


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


class Arguments(unittest.TestCase):
    def of(self, cmdline):
        with mock.patch("builtins.open", mock.mock_open(read_data=cmdline)):
            return server_arguments(["--given"])

    def test_are_those_of_the_server_that_runs(self):
        self.assertIn("--artifacts-destination=s3://b", self.of(b"mlflow\0server\0--artifacts-destination=s3://b\0"))

    def test_are_those_given_where_process_1_is_no_server(self):
        self.assertEqual(self.of(b"/sbin/init\0"), ["--given"])
        with mock.patch("builtins.open", side_effect=PermissionError):
            self.assertEqual(server_arguments(["--given"]), ["--given"])

    def test_are_those_given_where_process_1_is_a_job_that_asks(self):
        with mock.patch("os.getpid", return_value=1):
            self.assertEqual(self.of(b"preflight\0relocate\0--artifacts-destination=s3://b\0"), ["--given"])


class All(unittest.TestCase):
    def results(self, store, **variables):
        with (
            environment(**variables),
            mock.patch.object(module, "artifact_store", lambda _: store),
            mock.patch.object(module, "examine_server", lambda server, direct: iter([])),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            return list(examine_all(["--app-name=basic-auth"] if "MLFLOW_AUTH_CONFIG_PATH" in variables else []))

    def store(self, error=None):
        store = mock.Mock(spec=Store, checkable=True, module="json", direct=False)
        store.name = "the store"
        store.check.side_effect = error
        store.check.return_value = None
        return store

    def test_are_told_with_what_was_cleaned(self):
        keys = {"AWS_ACCESS_KEY_ID": "minioadmin\n", "AWS_SECRET_ACCESS_KEY": "SecretThatNobodyMaySee", "PGUSER": "u "}
        first, second = self.results(self.store(), **keys)
        self.assertEqual((first.note, first.problem), ("white space was dropped: AWS_ACCESS_KEY_ID, PGUSER", None))
        self.assertEqual((second.name, second.problem), ("the store", None))

    def test_go_on_after_an_error_that_nobody_foresaw(self):
        results = self.results(self.store(KeyError("SecretThatNobodyMaySee")))
        self.assertEqual([result.problem.name for result in results], ["key-missing", "check-failed"])

    def test_go_on_without_a_configuration_of_the_login(self):
        results = self.results(self.store(), AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", MLFLOW_AUTH_CONFIG_PATH="/no/such")
        self.assertEqual([result.problem and result.problem.name for result in results], ["login-config", None])


class Report(unittest.TestCase):
    def test_of_a_client_needs_nothing_of_the_pod(self):
        results = [Result("a", "PasswordItself"), Result("b", problem=Problem("server-absent", "trying"))]
        with environment(PGPASSWORD="PasswordItself"), mock.patch.object(module, "examine_client", lambda url: iter(results)):
            for flags, check in (([], lambda text: text.startswith("✓ a: (PGPASSWORD)\n✗ b\n")), (["--json"], json.loads)):
                with contextlib.redirect_stdout(io.StringIO()) as output:
                    self.assertEqual(doctor([*flags, "--client", "http://mlflow"]), 9)
                self.assertTrue(check(output.getvalue()))

    def test_tells_one_cause_once(self):
        down = ("upload", "clients kept off", "experiments")
        results = [
            Result("server", problem=Problem("server-absent", "GET /health")),
            *(Result(name, problem=Problem("server-absent", f"trying {name}")) for name in down),
        ]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(report(results), 9)
        self.assertEqual(output.getvalue().count("fix:"), 1)
        for name in down:
            self.assertIn(f"✗ {name}: for the reason of server\n", output.getvalue())

    def test_in_the_pod_does_not_send_to_the_doctor(self):
        for name in ("server-error", "server-waits"):
            before = Problem.causes[name]
            self.addCleanup(Problem.causes.__setitem__, name, before)
            self.assertIn("Run the doctor in the pod", before.fix)
        for name in ("server-error", "server-waits"):

            def examined(_, name=name):
                yield Result("upload", problem=Problem(name, "uploading", store="artifact store"))

            with (
                mock.patch.object(module, "examine_all", examined),
                contextlib.redirect_stdout(io.StringIO()) as output,
            ):
                self.assertEqual(doctor([]), 9)
            self.assertIn("fix:    See what the other checks found", output.getvalue())
            self.assertNotIn("doctor", output.getvalue())
        # exec deployment/mlflow leads to the old pod, where a new one fails
        self.assertRegex(output.getvalue(), r"This was pod \S+\. One [^@]+ larger scratchSize: kubectl --namespace \S+ get pods")


if __name__ == "__main__":
    unittest.main()
