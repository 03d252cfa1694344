import contextlib
import io
import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

from preflight import upgrade as module
from preflight.database import Database
from preflight.problem import Problem
from preflight.schema import LOGIN_TABLES, MLFLOW_TABLES
from preflight.upgrade import look, require_backup, upgrade


class Older(Database):
    """Its revisions are a1, by itself or as somebody else leaves it, and MLflow's c3."""

    checkable = True
    actual: "str | None" = "a1"

    @contextlib.contextmanager
    def session(self):
        session = mock.Mock()
        session.revision.return_value = self.actual
        session.remark.return_value = ""
        yield session


class Upgrade(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        revisions = mock.patch("preflight.database.package_revisions", lambda _: ({"a1", "b2", "c3"}, "c3"))
        environment = mock.patch.dict(os.environ, {"UPGRADE_BACKUP": "true", "UPGRADE_FOLDER": folder.name})
        output = contextlib.redirect_stdout(io.StringIO())
        for patch in (revisions, environment):
            patch.start()
            self.addCleanup(patch.stop)
        self.output = output.__enter__()
        self.addCleanup(output.__exit__, None, None, None)

    def receipt(self, **changes):
        all_ = {"file": "x.dump", "bytes": 9, "sha256": "f00", "revisions": {"alembic_version": "a1"}, **changes}
        (self.folder / "receipt.json").write_text(json.dumps(all_))

    def test_the_plan_has_the_revisions_of_what_is_older(self):
        look(self.folder, [Older("postgresql://h/d"), Older("postgresql://h/d", LOGIN_TABLES)])
        self.assertEqual(
            json.loads((self.folder / "plan.json").read_text()), {"alembic_version": "a1", "alembic_version_auth": "a1"}
        )

    def test_there_is_no_plan_where_nothing_is_older(self):
        look(self.folder, [])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_backup_of_this_revision_is_taken_for_one(self):
        self.receipt()
        require_backup(self.folder, Older("postgresql://h/d"))
        self.assertIn("The backup is x.dump, 9 bytes, sha256 f00", self.output.getvalue())

    def test_none_or_one_of_another_revision_is_not(self):
        with self.assertRaises(Problem) as met:
            require_backup(self.folder, Older("postgresql://h/d"))
        self.assertIn("none was taken", met.exception.title)
        self.receipt(revisions={"alembic_version": "b2"})
        with self.assertRaises(Problem) as met:
            require_backup(self.folder, Older("postgresql://h/d"))
        self.assertIn("it is of revision b2, and the schema is at a1", met.exception.title)

    def test_where_the_user_takes_it_none_is_asked_for(self):
        with mock.patch.dict(os.environ, {"UPGRADE_BACKUP": "false"}):
            require_backup(self.folder, Older("postgresql://h/d"))

    def test_a_newer_schema_ends_it(self):
        class Newer(Older):
            actual = "d4"

        with mock.patch.object(module, "database_at", lambda *_, **__: Newer("postgresql://h/d", MLFLOW_TABLES)):
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors), self.assertRaises(SystemExit) as met:
                upgrade(["--look", "--backend-store-uri=postgresql://h/d"])
        self.assertEqual(met.exception.code, 8)
        self.assertIn("newer than this MLflow: it is at revision d4, MLflow has revision c3", errors.getvalue())


if __name__ == "__main__":
    unittest.main()
