import unittest

from preflight.mlflow_versions import NEWEST, RELEASES
from preflight.schema import LOGIN_TABLES, MLFLOW_TABLES


def key(version):
    return tuple(map(int, version.split(".")))


class Releases(unittest.TestCase):
    def test_follow_one_another_without_a_gap_to_the_newest(self):
        for tables in (MLFLOW_TABLES, LOGIN_TABLES):
            pairs = [pair for pair in RELEASES[tables.version_table].values() if pair]
            ends = [key(version) for pair in pairs for version in pair]
            self.assertEqual(ends, sorted(ends))
            self.assertEqual(pairs[-1][1], NEWEST)

    def test_are_those_of_the_default_image(self):
        self.assertEqual(RELEASES["alembic_version"]["dc11669786a5"], ("3.17.0", "3.17.2"))


if __name__ == "__main__":
    unittest.main()
