import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

from exchange import Exchange, guard

TOKEN = "MetricsTokenThatNobodyMaySee"  # noqa: S105
OWN = [(b"Authorization", f"Bearer {TOKEN}".encode())]


def library():
    """prometheus_client, which the image has."""
    package = types.ModuleType("prometheus_client")
    package.CONTENT_TYPE_LATEST = "text/plain"
    package.CollectorRegistry = list
    package.generate_latest = lambda registry: f"counted {len(registry)}\n".encode()
    multiprocess = types.ModuleType("prometheus_client.multiprocess")
    multiprocess.MultiProcessCollector = lambda registry: registry.append("files")
    return {"prometheus_client": package, "prometheus_client.multiprocess": multiprocess}


class Metrics(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "token")
        self.file.write_text(f"{TOKEN}\n", "utf-8")

    def test_are_shown_to_who_has_the_token(self):
        with mock.patch.dict(sys.modules, library()):
            exchange = Exchange(guard(metrics_token_file=str(self.file)), "/metrics", "GET", OWN)
        self.assertEqual((exchange.status, exchange.body, exchange.seen), (200, b"counted 1\n", None))
        self.assertEqual(exchange.headers, {b"content-type": b"text/plain", b"content-length": b"10"})

    def test_are_left_to_mlflow_and_its_login_otherwise(self):
        file, empty = str(self.file), self.file.with_name("empty")
        empty.write_text("\n", "utf-8")
        nothing = [(b"authorization", b"Bearer ")]
        for token_file, path, method, headers in (
            (file, "/metrics", "GET", []),
            (file, "/metrics", "GET", [(b"authorization", b"Bearer another")]),
            (file, "/metrics", "GET", [(b"x-authorization", f"Bearer {TOKEN}".encode())]),
            (file, "/metrics", "POST", OWN),
            (file, "/metrics/", "GET", OWN),
            (file, "/api/2.0/mlflow/experiments/search", "GET", OWN),
            ("", "/metrics", "GET", nothing),
            (str(empty), "/metrics", "GET", nothing),
            (f"{file}.none", "/metrics", "GET", nothing),
        ):
            with self.subTest(path=path, method=method, headers=headers):
                self.assertEqual(Exchange(guard(metrics_token_file=token_file), path, method, headers).seen, (path, b""))

    def test_another_token_in_the_file_takes_the_place_of_the_first(self):
        other = [(b"authorization", b"Bearer another")]
        shown = guard(metrics_token_file=str(self.file))
        with mock.patch.dict(sys.modules, library()):
            self.assertIsNone(Exchange(shown, "/metrics", "GET", OWN).seen)
            self.file.write_text("another", "utf-8")
            self.assertEqual(Exchange(shown, "/metrics", "GET", OWN).seen, ("/metrics", b""))
            self.assertIsNone(Exchange(shown, "/metrics", "GET", other).seen)


if __name__ == "__main__":
    unittest.main()
