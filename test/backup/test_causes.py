import string
import unittest

from mlflow_backup import causes
from preflight.problem import Problem


class Causes(unittest.TestCase):
    def test_each_has_what_to_run(self):
        self.assertEqual(set(causes.RUN), set(causes.CAUSES))

    def test_a_message_has_cause_fix_and_a_line_to_paste(self):
        causes.register()
        for name, cause in causes.CAUSES.items():
            texts = cause.title + cause.why + cause.fix
            wanted = {field for _, field, _, _ in string.Formatter().parse(texts) if field} - {"deployment", "kubectl"}
            lines = Problem(name, "trying", **{field: "x" for field in wanted}).lines()
            self.assertRegex(lines[0], "^ERROR: ")
            self.assertTrue(any(line.startswith("  fix:") for line in lines), lines)
            self.assertRegex(lines[-1], r"^  run:    kubectl --namespace \S+ ")

    def test_those_of_the_preflight_stay(self):
        causes.register()
        self.assertIn("store-absent", Problem.causes)


if __name__ == "__main__":
    unittest.main()
