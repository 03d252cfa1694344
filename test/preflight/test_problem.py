import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

from preflight.problem import Problem, examine, fail, source_of, warn


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


class Sources(unittest.TestCase):
    def test_a_variable_from_a_secret_is_named_by_its_key(self):
        with environment(STARTUP_SOURCES='{"PGPASSWORD": "key password of Secret postgres-user"}'):
            self.assertEqual(source_of("PGPASSWORD"), "key password of Secret postgres-user (PGPASSWORD)")
            self.assertEqual(source_of("PGUSER"), "PGUSER")

    def test_sources_of_a_wrong_form_name_the_variable(self):
        for sources in ("", "no JSON", "[]", "1", '"PGUSER"', "null", '{"PGUSER": null}'):
            with self.subTest(sources), environment(STARTUP_SOURCES=sources):
                self.assertEqual(source_of("PGUSER"), "PGUSER")


class Endings(unittest.TestCase):
    def test_the_last_words_are_on_stderr_and_in_the_termination_message(self):
        stderr = io.StringIO()
        with tempfile.NamedTemporaryFile() as log, environment(TERMINATION_LOG=log.name):
            with contextlib.redirect_stderr(stderr), self.assertRaises(SystemExit) as end:
                fail(4, ["ERROR: one", "  fix: two"])
            self.assertEqual(log.read(), b"ERROR: one\n  fix: two")
        self.assertEqual(end.exception.code, 4)
        self.assertEqual(stderr.getvalue(), "ERROR: one\n  fix: two\n")

    def test_a_warning_has_no_secret_in_it(self):
        stderr = io.StringIO()
        with environment(PGPASSWORD="hunter2hunter2"), contextlib.redirect_stderr(stderr):
            warn("the password is hunter2hunter2")
        self.assertEqual(stderr.getvalue(), "WARNING: the password is (PGPASSWORD)\n")


class Examine(unittest.TestCase):
    def test_a_problem_is_a_result(self):
        def action():
            raise Problem("store-absent", "trying")

        self.assertEqual(examine("the store", action).problem.name, "store-absent")

    def test_an_error_that_nobody_foresaw_is_a_result_that_does_not_show_its_text(self):
        def action():
            raise RuntimeError("SecretThatNobodyMaySee")

        problem = examine("the store", action).problem
        self.assertEqual(problem.name, "check-failed")
        self.assertRegex(problem.title, r"^the check itself failed: RuntimeError at line \d+ of test_problem.py$")
        self.assertNotIn("NobodyMaySee", "".join(problem.lines()))


if __name__ == "__main__":
    unittest.main()
