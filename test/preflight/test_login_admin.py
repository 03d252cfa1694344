import contextlib
import io
import os
import sys
import types
import unittest
from unittest import mock

from preflight.login_admin import LoginAdmin
from preflight.postgres import PostgresSession

HASHES = types.SimpleNamespace(
    check_password_hash=lambda stored, password: stored == f"hash-of-{password}",
    generate_password_hash=lambda password: f"hash-of-{password}",
)


class FakeDatabase:
    module = None
    driver = types.SimpleNamespace(ProgrammingError=KeyError)

    def __init__(self, stored, note=None):
        self.a_session = mock.MagicMock(spec=PostgresSession)
        self.a_session.rows.side_effect = lambda statement: [(stored,)] if stored and statement.startswith("SELECT") else []
        self.a_session.value.return_value = note
        self.a_session.cursor = mock.Mock()

    @contextlib.contextmanager
    def session(self):
        yield self.a_session

    @property
    def changes(self):
        return [call.args[0] for call in self.a_session.rows.call_args_list if call.args[0].startswith("UPDATE")]

    @property
    def remarks(self):
        return [call.args[0] for call in self.a_session.cursor.execute.call_args_list]


def note(generation, password):
    return f"cdk8s-mlflow: admin of generation {generation}, {HASHES.generate_password_hash(password)}"


class Admin(unittest.TestCase):
    def prepared(self, database, password="new", generation=None):
        variables = {"MLFLOW_AUTH_ADMIN_USERNAME": "king's", "MLFLOW_AUTH_ADMIN_PASSWORD": password}
        if generation is not None:
            variables["STARTUP_LOGIN_GENERATION"] = str(generation)
        modules = {"werkzeug": types.ModuleType("werkzeug"), "werkzeug.security": HASHES}
        with (
            mock.patch.dict(os.environ, variables),
            mock.patch.dict(sys.modules, modules),
            contextlib.redirect_stdout(io.StringIO()) as out,
        ):
            LoginAdmin(database).prepare(mock.Mock())
        self.assertNotIn(password, out.getvalue())
        return out.getvalue()

    def test_where_there_is_none_mlflow_makes_it(self):
        database = FakeDatabase(None)
        self.prepared(database, generation=2)
        self.assertEqual((database.changes, database.remarks), ([], []))

    def test_the_next_generation_is_told_to_the_database_and_noted(self):
        database = FakeDatabase("hash-of-old", note(1, "old"))
        told = self.prepared(database, generation=2)
        self.assertIn("has the password of the Secret now (generation 2)", told)
        self.assertEqual(
            database.changes, ["UPDATE users SET password_hash = 'hash-of-new' WHERE username = 'king''s' RETURNING id"]
        )
        self.assertEqual(database.remarks, [f"COMMENT ON TABLE users IS '{note(2, 'new')}'"])

    def test_a_pod_of_a_former_generation_changes_nothing(self):
        database = FakeDatabase("hash-of-new", note(2, "new"))
        self.prepared(database, "old", generation=1)
        self.assertEqual((database.changes, database.remarks), ([], []))

    def test_what_the_admin_has_changed_in_mlflow_stays(self):
        for stored, remark, generation in (("hash-of-own", note(2, "new"), 2), ("hash-of-own", None, None)):
            database = FakeDatabase(stored, remark)
            self.prepared(database, generation=generation)
            self.assertEqual((database.changes, database.remarks), ([], []))

    def test_a_secret_that_was_made_anew_is_told_within_a_generation(self):
        database = FakeDatabase("hash-of-old", note(2, "old"))
        self.prepared(database, generation=2)
        self.assertEqual(len(database.changes), 1)

    def test_one_that_fits_is_noted(self):
        database = FakeDatabase("hash-of-new")
        self.prepared(database)
        self.assertEqual((database.changes, database.remarks), ([], [f"COMMENT ON TABLE users IS '{note(1, 'new')}'"]))

    def test_who_does_not_own_the_table_goes_on(self):
        database = FakeDatabase("hash-of-new")
        database.a_session.cursor.execute.side_effect = KeyError("must be owner")
        self.prepared(database)
        self.assertEqual(len(database.remarks), 1)

    def test_another_database_has_no_such_admin(self):
        self.assertFalse(LoginAdmin(FakeDatabase(None)).checkable)


if __name__ == "__main__":
    unittest.main()
