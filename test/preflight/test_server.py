import os
import unittest
from unittest import mock

from preflight import mlflow_doctor
from preflight.mlflow_doctor import Problem, TrackingServer
from preflight.server import host_for, lets_in, server_at, server_in_this_pod


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


class Address(unittest.TestCase):
    def test_is_that_of_this_pod_in_the_family_that_the_server_listens_on(self):
        for host, address in (
            ("0.0.0.0", "127.0.0.1"),  # noqa: S104
            ("::", "[::1]"),
            ("::1", "[::1]"),
            ("fd00::7", "[::1]"),
            ("", "127.0.0.1"),
        ):
            with environment():
                self.assertEqual(server_in_this_pod([f"--host={host}"]).uri, f"http://{address}:5000")
            with environment(MLFLOW_HOST=host):
                self.assertEqual(server_in_this_pod(["--port", "7"]).uri, f"http://{address}:7")

    def test_has_the_prefix(self):
        with environment():
            self.assertEqual(server_in_this_pod(["--static-prefix=/mlflow"]).uri, "http://127.0.0.1:5000/mlflow")

    def test_of_loopback_is_asked_without_a_proxy(self):
        for uri, handlers in (("http://[::1]:5000", 1), ("http://127.0.0.1:5000", 1), ("http://mlflow:5000", 0)):
            with environment(), mock.patch("urllib.request.build_opener", side_effect=OSError("stop")) as build:
                self.assertEqual(mlflow_doctor.request(uri), (0, b"stop"))
            self.assertEqual(len(build.call_args[0]), handlers)


class Host(unittest.TestCase):
    def test_is_one_that_the_server_answers_for(self):
        for allowed, expected in (
            ("", None),
            ("127.0.0.1:*,mlflow", None),
            ("mlflow.example:*", "mlflow.example:5000"),
            ("*.example, mlflow", "mlflow"),
            ("*.example", "x.example"),
        ):
            with self.subTest(allowed), environment(MLFLOW_SERVER_ALLOWED_HOSTS=allowed):
                self.assertEqual(host_for([], "127.0.0.1:5000"), expected)


class Workspaces(unittest.TestCase):
    def answers(self, info):
        asked = []

        def ask(server, path, tried, body=None):
            asked.append((path.rpartition("/")[2], server.headers.get("X-MLFLOW-WORKSPACE")))
            if path.endswith("server-info"):
                return info, b""
            if path.endswith("workspaces"):
                return {"workspaces": [{"name": "default"}, {"name": "team-a"}]}, b""
            return {"experiments": []}, b""

        with environment(), mock.patch.object(TrackingServer, "ask", ask):
            server_in_this_pod([]).no_direct_experiments()
        return asked

    def test_are_all_looked_at(self):
        self.assertEqual(
            self.answers({"workspaces_enabled": True}),
            [("server-info", None), ("workspaces", None), ("search", "default"), ("search", "team-a")],
        )

    def test_are_not_asked_for_where_there_are_none(self):
        for info in ({}, {"workspaces_enabled": False}):
            self.assertEqual(self.answers(info), [("server-info", None), ("search", None)])

    def test_of_a_client_is_that_of_its_environment(self):
        with environment(MLFLOW_WORKSPACE="team-a"):
            self.assertEqual(server_at("http://mlflow").headers, {"X-MLFLOW-WORKSPACE": "team-a"})
        with environment():
            self.assertEqual(server_at("http://mlflow").headers, {})


class Login(unittest.TestCase):
    def test_is_that_of_the_admin_with_the_secret_that_it_is_from(self):
        sources = '{"MLFLOW_AUTH_ADMIN_PASSWORD": "key p of Secret s"}'
        with environment(MLFLOW_AUTH_ADMIN_USERNAME="ada", MLFLOW_AUTH_ADMIN_PASSWORD="p", STARTUP_SOURCES=sources):
            self.assertIsNone(server_in_this_pod([]).login)
            login = server_in_this_pod(["--app-name=basic-auth"]).login
        self.assertEqual((login.user, login.source), ("ada", "key p of Secret s (MLFLOW_AUTH_ADMIN_PASSWORD)"))

    def test_of_a_client_in_the_cluster_is_from_a_secret_too(self):
        with environment(MLFLOW_TRACKING_TOKEN="t", STARTUP_SOURCES='{"MLFLOW_TRACKING_TOKEN": "key t of Secret s"}'):
            self.assertEqual(server_at("http://mlflow").login.source, "key t of Secret s (MLFLOW_TRACKING_TOKEN)")


class LetsIn(unittest.TestCase):
    def test_waits_for_a_server_and_not_for_a_login(self):
        server = TrackingServer("http://mlflow")
        passes = ("server-absent", "server-error", "server-waits")
        for name, passing in (*((name, True) for name in passes), ("login-needed", False), ("server-other", False)):
            problem = Problem(name, "trying", uri="u", form="f", store="s")
            with mock.patch.object(server, "health", side_effect=problem), self.assertRaises(Problem) as met:
                lets_in(server)
            self.assertIs(met.exception.passing, passing)


if __name__ == "__main__":
    unittest.main()
