import os
import sys
import tempfile
import unittest
from unittest import mock

from preflight.schema import INITIALISE, INITIALISE_LOGIN, MLFLOW_TABLES, UPGRADE, UPGRADE_LOGIN, Note, named, package_revisions


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

    def test_with_a_type_are_read_as_well(self):
        first, second = (
            'revision: str = "a1"\ndown_revision: str | None = None\n',
            'revision: str = "b2"\ndown_revision: str = "a1"\n',
        )
        self.assertEqual(self.of(first, second), ({"a1", "b2"}, "b2"))


class Names(unittest.TestCase):
    def test_have_the_releases_that_want_a_revision(self):
        self.assertEqual(named(MLFLOW_TABLES, "0584bdc529eb"), "revision 0584bdc529eb, of MLflow 2.18.0 to 2.22.5")
        self.assertEqual(named(MLFLOW_TABLES, "867495a8f9d4"), "revision 867495a8f9d4, of MLflow 2.13.0")

    def test_of_a_revision_between_releases_have_the_next_one(self):
        self.assertEqual(named(MLFLOW_TABLES, "400f98739977"), "revision 400f98739977, of no release: the next is MLflow 3.0.0")

    def test_of_an_unknown_revision_have_it_alone(self):
        self.assertEqual(named(MLFLOW_TABLES, "f00"), "revision f00")


class Notes(unittest.TestCase):
    def test_come_back_as_they_were_written(self):
        note = Note("dc11", "3.17.2", "revision 0584, of MLflow 2.18.0 to 2.22.5", "job")
        self.assertEqual(Note.read(note.text()), note)

    def test_of_somebody_else_are_none(self):
        for text in ("", "words", "[1]", '{"revision": "x"}', "null"):
            self.assertIsNone(Note.read(text))


class Programs(unittest.TestCase):
    def test_compile(self):
        for program in (INITIALISE, UPGRADE, INITIALISE_LOGIN, UPGRADE_LOGIN):
            compile(program, "program", "exec")


if __name__ == "__main__":
    unittest.main()
