import os
import tempfile
import unittest
from unittest import mock

from preflight.become import KEEPER, become, python_of


class Become(unittest.TestCase):
    def program(self, first):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "mlflow")
        with open(path, "wb") as file:
            file.write(first)
        os.chmod(path, 0o700)
        self.enterContext(mock.patch.dict(os.environ, {"PATH": folder}))
        return path

    def became(self, pid, *command):
        """What is executed, and its arguments."""
        with (
            mock.patch("os.getpid", return_value=pid),
            mock.patch("os.execv", side_effect=SystemExit) as python,
            mock.patch("os.execvp", side_effect=SystemExit) as itself,
            self.assertRaises(SystemExit),
        ):
            become(command[0], command)
        return python.call_args or itself.call_args

    def test_the_interpreter_is_that_of_the_first_line(self):
        self.assertEqual(python_of(self.program(b"#!/usr/local/bin/python3.11\nimport sys\n")), "/usr/local/bin/python3.11")
        for other in (b"#!/bin/sh\n", b"\x7fELF", b"#!/usr/bin/env python3\n", b""):
            self.assertEqual(python_of(self.program(other)), "")
        self.assertEqual(python_of("/nowhere"), "")

    def test_process_1_of_a_pod_becomes_mlflow_by_way_of_its_keeper(self):
        self.program(b"#!/usr/bin/python3\n")
        called = self.became(1, "mlflow", "server", "--port=5000")
        self.assertEqual(called, mock.call("/usr/bin/python3", ("/usr/bin/python3", KEEPER, "server", "--port=5000")))

    def test_anything_else_is_executed_as_it_is(self):
        self.program(b"#!/usr/bin/python3\n")
        self.assertEqual(self.became(7, "mlflow", "server"), mock.call("mlflow", ("mlflow", "server")))
        self.assertEqual(self.became(1, "gunicorn", "server"), mock.call("gunicorn", ("gunicorn", "server")))
        self.program(b"#!/bin/sh\n")
        self.assertEqual(self.became(1, "mlflow", "server"), mock.call("mlflow", ("mlflow", "server")))


if __name__ == "__main__":
    unittest.main()
