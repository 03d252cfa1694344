import unittest

from preflight.causes import CAUSES
from preflight.problem import Problem


class Lost(unittest.TestCase):
    def test_says_that_the_files_are_gone_and_how_to_learn_which(self):
        problem = Problem("artifacts-lost", "listing", bucket="mlflow-bucket")
        self.assertIn("its artifacts are gone with it", CAUSES["artifacts-lost"].why)
        self.assertTrue(any(command.endswith("gc --lost") for command in problem.record()["run"]))


if __name__ == "__main__":
    unittest.main()
