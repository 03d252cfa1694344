import contextlib
import io
import os
import socket
import unittest
from unittest import mock

from preflight import monitor as module
from preflight.monitor import Monitor, monitor
from preflight.problem import Problem
from preflight.store import Store

KEYS = {"AWS_ACCESS_KEY_ID": "minioadmin", "AWS_SECRET_ACCESS_KEY": "SecretThatNobodyMaySee"}
IN_S3 = ["--artifacts-destination=s3://bucket"]


def watch(arguments=(), **variables):
    """A monitor that has looked once, and what it said."""
    watching = Monitor(list(arguments))
    with mock.patch.dict(os.environ, variables, clear=True), contextlib.redirect_stdout(io.StringIO()) as output:
        watching.run_once()
    return watching, output.getvalue()


class Look(unittest.TestCase):
    def test_at_stores_that_are_no_servers_finds_nothing(self):
        watching, text = watch(["--artifacts-destination=/data"])
        self.assertEqual(watching.ready(), (200, "ok\n"))
        self.assertEqual(text, "OK: the artifact store at /data\nOK: the database at localhost\n")

    def test_before_the_first_it_is_not_ready(self):
        status, text = Monitor([]).ready()
        self.assertEqual((status, text), (503, "artifact: not checked yet\ndatabase: not checked yet\nsee the log of this pod\n"))

    def test_survives_every_environment_and_tells(self):
        for variables, expected in (
            ({**KEYS, "MLFLOW_S3_UPLOAD_EXTRA_ARGS": "no JSON"}, "MLFLOW_S3_UPLOAD_EXTRA_ARGS is not what boto3 takes"),
            ({**KEYS, "MLFLOW_S3_UPLOAD_EXTRA_ARGS": "[1]"}, "it is no JSON object"),
            ({**KEYS, "MLFLOW_S3_ENDPOINT_URL": "http://[bad"}, "MLFLOW_S3_ENDPOINT_URL is no endpoint"),
            ({**KEYS, "MLFLOW_S3_ENDPOINT_URL": ""}, "MLFLOW_S3_ENDPOINT_URL is no endpoint"),
            ({**KEYS, "AWS_SECRET_ACCESS_KEY": "$(VAR)"}, "AWS_SECRET_ACCESS_KEY is not a key"),
            ({}, "AWS_ACCESS_KEY_ID not set!"),
            ({"STARTUP_SOURCES": "no JSON"}, "AWS_ACCESS_KEY_ID not set!"),
        ):
            with self.subTest(variables):
                watching, text = watch(IN_S3, **variables)
                self.assertEqual(watching.ready()[0], 503)
                self.assertRegex(watching.ready()[1], "^artifact: [a-z-]+\nsee the log of this pod\n$")
                self.assertIn(expected, text)
                self.assertIn("mlflow_artifact_store_writable 0\n", watching.metrics()[1])
                self.assertIn("mlflow_database_reachable 1\n", watching.metrics()[1])

    def test_survives_flags_and_files_that_are_not_there(self):
        for arguments in (["--artifacts-destination=s3://[bad"], ["--app-name=basic-auth"], ["--backend-store-uri=://"]):
            with self.subTest(arguments):
                watching, _ = watch(arguments, **KEYS, MLFLOW_AUTH_CONFIG_PATH="/no/such/file", STARTUP_SOURCES="[")
                self.assertEqual(watching.ready()[0], 200)

    def test_survives_an_error_that_nobody_foresaw(self):
        broken = mock.Mock(spec=Store, checkable=True, module="json", check=mock.Mock(side_effect=KeyError("secret")))
        with mock.patch.object(module, "backend_store", lambda _: broken):
            watching, _ = watch(["--artifacts-destination=/data"])
        self.assertEqual(watching.ready(), (503, "database: check-failed\nsee the log of this pod\n"))

    def test_says_to_whom_asks_neither_endpoint_nor_user_nor_key(self):
        store = mock.Mock(spec=Store, checkable=True, module="json")
        store.check.side_effect = Problem(
            "key-unknown", "LIST as minio... (10 characters)", "http://minio:9000", source="a", hint=""
        )
        with mock.patch.object(module, "backend_store", lambda _: store):
            watching, text = watch(["--artifacts-destination=/data"])
        self.assertIn("minio...", text)
        self.assertEqual(watching.ready(), (503, "database: key-unknown\nsee the log of this pod\n"))

    def test_says_a_problem_once_and_when_it_has_gone(self):
        store = mock.Mock(spec=Store, checkable=True, module="json")
        store.name = "the database"
        store.check.side_effect = [Problem("store-absent", "trying"), Problem("store-absent", "trying"), None]
        watching = Monitor(["--artifacts-destination=/data"])
        with (
            mock.patch.dict(os.environ, {}, clear=True),
            mock.patch.object(module, "backend_store", lambda _: store),
            contextlib.redirect_stdout(io.StringIO()) as output,
        ):
            for _ in range(3):
                watching.run_once()
        self.assertEqual(output.getvalue().count("ERROR: "), 1)
        self.assertTrue(output.getvalue().endswith("OK: the database\n"))
        self.assertEqual(watching.ready()[0], 200)


class Http(unittest.TestCase):
    def test_has_a_port_whatever_the_environment_says(self):
        for value, port in (("9090", 9090), ("", 8080), ("tcp://10.0.0.1:8080", 8080), ("99999", 8080)):
            with (
                self.subTest(value),
                mock.patch.dict(os.environ, {"STARTUP_MONITOR_PORT": value}, clear=True),
                mock.patch.object(module, "end_at_sigterm"),
                mock.patch.object(module, "Pages") as served,
                mock.patch.object(Monitor, "run_once", side_effect=KeyboardInterrupt),
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.suppress(KeyboardInterrupt),
            ):
                monitor([])
            self.assertEqual(served.call_args[0][1], port)

    def test_says_where_it_cannot_listen(self):
        taken = socket.create_server(("", 0))
        self.addCleanup(taken.close)
        port = str(taken.getsockname()[1])
        with (
            mock.patch.dict(os.environ, {"STARTUP_MONITOR_PORT": port}, clear=True),
            mock.patch.object(module, "end_at_sigterm"),
            contextlib.redirect_stderr(io.StringIO()) as stderr,
            self.assertRaises(SystemExit) as end,
        ):
            monitor([])
        self.assertEqual(end.exception.code, 3)
        self.assertRegex(stderr.getvalue(), rf"^ERROR: the monitor cannot listen at port {port} \(.*in use\): set .*\n$")

    def test_has_a_help_and_takes_the_host_of_the_server_for_none(self):
        for arguments in (["--help"], ["-h"]):
            with contextlib.redirect_stdout(io.StringIO()) as output:
                self.assertEqual(monitor(arguments), 0)
            self.assertIn("usage: start-mlflow.py monitor", output.getvalue())


if __name__ == "__main__":
    unittest.main()
