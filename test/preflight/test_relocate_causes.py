import pathlib
import re
import unittest

from preflight import causes, relocate_causes
from preflight.problem import Problem


class Causes(unittest.TestCase):
    def test_each_is_in_the_catalogue_and_met_somewhere(self):
        folder = pathlib.Path(relocate_causes.__file__).parent
        program = "".join(path.read_text() for path in folder.glob("relocate*.py") if path.name != "relocate_causes.py")
        for name, cause in relocate_causes.CAUSES.items():
            self.assertIs(causes.CAUSES[name], cause)
            self.assertIn(f'"{name}"', program)

    def test_each_can_be_told(self):
        for name, cause in relocate_causes.CAUSES.items():
            values = dict.fromkeys(re.findall(r"{(\w+)}", "".join(cause[1:4])), "x")
            self.assertNotIn("{", "".join(Problem(name, "trying", **values).lines()))


if __name__ == "__main__":
    unittest.main()
