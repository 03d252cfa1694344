import unittest

from preflight.exits import EXIT_SCHEMA
from preflight.schema_causes import CAUSES


class Causes(unittest.TestCase):
    def test_are_all_about_the_schema(self):
        self.assertEqual({cause.code for cause in CAUSES.values()}, {EXIT_SCHEMA})

    def test_only_the_one_of_the_job_is_waited_for(self):
        self.assertEqual([name for name, cause in CAUSES.items() if cause.passing], ["schema-waits"])


if __name__ == "__main__":
    unittest.main()
