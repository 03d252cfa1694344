import os
import sys
import tempfile
import unittest
from unittest import mock

from preflight.schema import INITIALISE, INITIALISE_LOGIN, MLFLOW_TABLES, UPGRADE, package_revisions


class Revisions(unittest.TestCase):
    def of(self, *texts):
        with tempfile.TemporaryDirectory() as directory:
            folder = os.path.join(directory, "mlflow", *MLFLOW_TABLES.folder)
            os.makedirs(folder)
            open(os.path.join(directory, "mlflow", "__init__.py"), "w").close()
            for number, text in enumerate(texts):
                with open(os.path.join(folder, f"{number}.py"), "w") as file:
                    file.write(text)
            with mock.patch.object(sys, "path", [directory]):
                return package_revisions(MLFLOW_TABLES.folder)

    def test_are_read_from_the_files_of_mlflow(self):
        first, second = 'revision = "a1"\ndown_revision = None\n', "revision = 'b2'\ndown_revision = ('a1',)\n"
        self.assertEqual(self.of(first, second), ({"a1", "b2"}, "b2"))

    def test_with_two_heads_have_no_newest(self):
        self.assertEqual(self.of('revision = "a1"\n', 'revision = "b2"\n'), ({"a1", "b2"}, None))

    def test_without_mlflow_are_none(self):
        with mock.patch.object(sys, "path", []):
            self.assertEqual(package_revisions(MLFLOW_TABLES.folder), (set(), None))


class Programs(unittest.TestCase):
    def test_compile(self):
        for program in (INITIALISE, UPGRADE, INITIALISE_LOGIN):
            compile(program, "program", "exec")


if __name__ == "__main__":
    unittest.main()
