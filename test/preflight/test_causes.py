import contextlib
import io
import re
import unittest

from preflight import mlflow_doctor
from preflight.causes import CAUSES, USUAL, catalogue


class Catalogue(unittest.TestCase):
    def test_the_pod_knows_the_causes_of_the_client_too(self):
        for name, cause in mlflow_doctor.CAUSES.items():
            self.assertIs(CAUSES[name], cause)
        self.assertIn("key-missing", CAUSES)
        self.assertNotIn("key-missing", mlflow_doctor.CAUSES)

    def test_a_problem_of_the_pod_can_be_told(self):
        self.assertEqual(mlflow_doctor.Problem("key-missing", "reading", variable="X", source="Y").cause.code, 1)

    def test_every_exit_code_says_of_what_kind_the_cause_is(self):
        self.assertEqual({cause.code for cause in CAUSES.values()}, set(range(1, 12)))

    def test_each_text_is_one_line_and_each_fix_a_sentence(self):
        for name, cause in CAUSES.items():
            with self.subTest(name):
                self.assertNotIn("\n", cause.title + cause.why + cause.fix)
                self.assertTrue(cause.title)
                self.assertRegex(cause.why, r"[.}]$")
                self.assertTrue(cause.fix)

    def test_no_text_names_a_prop_of_before(self):
        texts = " ".join(cause.why + cause.fix for cause in CAUSES.values())
        self.assertIn("prop preflight.upgradeSchema", texts)
        self.assertNotRegex(texts, r"prop (upgradeSchema|startupDeadline)")

    def test_the_table_has_a_row_for_each_and_no_braces(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(catalogue(), 0)
        rows = output.getvalue().splitlines()
        self.assertEqual(len(rows), len(CAUSES) + 2)
        self.assertNotRegex(output.getvalue(), r"\{\w+\}")
        for value in USUAL.values():
            self.assertIn(value, output.getvalue())

    def test_the_table_shows_the_example_of_upload_arguments_as_json(self):
        self.assertRegex(CAUSES["upload-args-form"].fix.format(), re.escape('{"ServerSideEncryption": "AES256"}'))


if __name__ == "__main__":
    unittest.main()
