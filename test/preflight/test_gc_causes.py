import unittest

from preflight import causes, gc_causes
from preflight.problem import Problem


class Causes(unittest.TestCase):
    def test_are_in_the_catalogue_of_the_pod(self):
        for name, cause in gc_causes.CAUSES.items():
            self.assertIs(causes.CAUSES[name], cause)

    def test_say_how_many_are_kept_and_where_to_remove_them(self):
        lines = Problem("gc-kept", "mlflow gc", answer="Run a", count=1).lines()
        self.assertEqual(
            lines[0], "ERROR: 1 of what was deleted is kept, since its files cannot be deleted; all else was removed"
        )
        self.assertIn("start-mlflow.py gc --older-than=30d", lines[-1])


if __name__ == "__main__":
    unittest.main()
