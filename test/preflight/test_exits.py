import unittest

from preflight import exits, mlflow_doctor


class Exits(unittest.TestCase):
    def test_are_each_of_one_kind_and_never_that_of_a_signal(self):
        codes = [value for module in (exits, mlflow_doctor) for name, value in vars(module).items() if name.startswith("EXIT_")]
        self.assertEqual(sorted(codes), list(range(1, len(codes) + 1)))
        self.assertLess(max(codes), 126)


if __name__ == "__main__":
    unittest.main()
