import unittest

from preflight import secret_causes
from preflight.causes import CAUSES


class Causes(unittest.TestCase):
    def test_they_are_in_the_catalogue(self):
        for name, cause in secret_causes.CAUSES.items():
            self.assertIs(CAUSES[name], cause)

    def test_none_goes_away_by_waiting(self):
        self.assertEqual([name for name, cause in secret_causes.CAUSES.items() if cause.passing], [])


if __name__ == "__main__":
    unittest.main()
