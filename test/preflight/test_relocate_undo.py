import os
import shutil
import tempfile
import unittest
from unittest import mock

from preflight import relocate_undo as module
from preflight.problem import Problem
from preflight.relocate_rows import COLUMNS, REGISTRY, Change
from preflight.relocate_undo import FOLDER, Undo, keep, read

HERE = "s3://bucket"
RUN, ROW = (next(column for column in COLUMNS if column.kind == kind) for kind in ("run", "evaluation row"))
CHANGES = [
    [Change(RUN, {"run_uuid": "a"}, "s3://bucket/1/a", "mlflow-artifacts:/1/a")],
    [Change(REGISTRY[0], {"workspace": "default", "name": "ü", "version": 1}, "s3://bucket/1", "mlflow-artifacts:/1")],
]


class Store:
    """A folder in place of a bucket, with what MLflow's repositories have."""

    def __init__(self, folder):
        self.folder = folder

    def log_artifact(self, path, below):
        os.makedirs(os.path.join(self.folder, below), exist_ok=True)
        shutil.copy(path, os.path.join(self.folder, below))

    def download_artifacts(self, path, folder):
        return shutil.copy(os.path.join(self.folder, path), folder)


class UndoFile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.store = Store(self.folder)
        for patch in (mock.patch.object(module, "say"), mock.patch.object(module, "repository", return_value=self.store)):
            patch.start()
            self.addCleanup(patch.stop)

    def refused(self, name, destination=HERE):
        with self.assertRaises(Problem) as caught:
            read(name, destination)
        self.assertEqual(caught.exception.name, "relocate-undo")
        return caught.exception.title

    def test_what_was_kept_is_read(self):
        name = keep(Undo(HERE, CHANGES), self.store, "")
        self.assertEqual(os.listdir(os.path.join(self.folder, FOLDER)), [name])
        self.assertEqual(read(name, HERE).changes, CHANGES)

    def test_json_stays_json(self):
        change = Change(ROW, {"dataset_record_id": "a"}, {"source_data": {"doc_uri": "s3://bucket/a"}}, {"source_data": {}})
        self.assertEqual(read(keep(Undo(HERE, [[change]]), self.store, ""), HERE).changes, [[change], []])

    def test_a_folder_has_it_too(self):
        own = os.path.join(self.folder, "own")
        name = keep(Undo(HERE, CHANGES), self.store, own)
        shutil.rmtree(os.path.join(self.folder, FOLDER))
        self.assertEqual(read(os.path.join(own, name), HERE).changes, CHANGES)

    def test_a_file_that_somebody_has_written_over_is_refused(self):
        name = keep(Undo(HERE, CHANGES), self.store, "")
        with open(os.path.join(self.folder, FOLDER, name), "wb") as file:
            file.write(Undo(HERE, [[], []]).content())
        self.assertIn("its content is another than its name says", self.refused(name))

    def test_that_of_another_server_is_refused(self):
        self.assertIn(
            "s3://bucket, and this one has s3://other", self.refused(keep(Undo(HERE, CHANGES), self.store, ""), "s3://other")
        )

    def test_one_that_is_not_there_and_a_name_of_something_else(self):
        self.assertIn("does not give it", self.refused(f"20261126-111603-{'0' * 32}.jsonl.gz"))
        self.assertIn("its name is none", self.refused("latest"))


if __name__ == "__main__":
    unittest.main()
