import contextlib
import io
import os
import sys
import types
import unittest
from unittest import mock

from preflight.postgres import PASSING_REFUSALS, Postgres, PostgresSession, ReadReplica, driver_of, is_postgres, postgres_cause
from preflight.problem import Problem
from preflight.schema import LOGIN_TABLES, MLFLOW_TABLES
from preflight.wait import Wait

psycopg2 = types.ModuleType("psycopg2")
psycopg2.Error = type("Error", (Exception,), {})
for error_name in ("OperationalError", "ProgrammingError", "InterfaceError"):
    setattr(psycopg2, error_name, type(error_name, (psycopg2.Error,), {}))
sys.modules["psycopg2"] = psycopg2


def environment(**variables):
    return mock.patch.dict(os.environ, variables, clear=True)


class Cursor:
    """Tables with their first value, and statements that came."""

    def __init__(self, tables=(), error=None):
        self.tables = dict(tables)
        self.error = error
        self.statements = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def execute(self, statement, parameters=()):
        self.statements.append(statement)
        if self.error:
            raise self.error
        table = statement.rpartition(" ")[2].rpartition("to_regclass('")[2].rstrip("')")
        found = self.tables.get(table, self.tables.get(statement))
        self.row = (table if "to_regclass" in statement and table in self.tables else found,)

    def fetchone(self):
        return self.row


def connected(cursor):
    connection = mock.Mock(cursor=lambda: cursor)
    psycopg2.connect = mock.Mock(return_value=connection)
    return connection


class Refusals(unittest.TestCase):
    def test_have_causes(self):
        for answer, cause in (
            ("Connection refused", "database-absent"),
            ("timeout expired", "database-absent"),
            *((f"FATAL: {refusal}", "database-absent") for refusal in PASSING_REFUSALS),
            ('FATAL: password authentication failed for user "mlflow"', "database-refuses"),
            ('FATAL: role "mlflow" does not exist', "database-refuses"),
            ('FATAL: database "mlflow" does not exist', "database-missing"),
            ("SSL error: certificate verify failed", "database-certificate"),
            ("server does not support SSL, but SSL was required", "database-tls"),
            ('FATAL: no pg_hba.conf entry for host "h", no encryption', "database-tls"),
            ('FATAL: no pg_hba.conf entry for host "h", SSL on FATAL: … for host "h", SSL off', "database-refuses"),
        ):
            with self.subTest(answer):
                self.assertEqual(postgres_cause(answer), cause)

    def test_of_a_login_name_the_user_and_close_nothing(self):
        psycopg2.connect = mock.Mock(side_effect=psycopg2.OperationalError("FATAL:  role\n does not exist"))
        with environment(PGUSER="ada"), self.assertRaises(Problem) as met:
            Postgres("postgresql://db/d").check()
        self.assertEqual((met.exception.tried, met.exception.answer), ("logging in as ada", "FATAL: role does not exist"))

    def test_of_a_uri_are_told_without_it(self):
        psycopg2.connect = mock.Mock(side_effect=psycopg2.ProgrammingError('invalid port: "NobodyMaySee"'))
        with environment(), self.assertRaises(Problem) as met:
            Postgres("postgresql://db/d").check()
        self.assertEqual((met.exception.name, met.exception.answer), ("database-uri", ""))

    def test_of_a_statement_close_the_connection(self):
        for error, cause in ((psycopg2.InterfaceError, "database-absent"), (psycopg2.Error, "database-error")):
            connection = connected(Cursor(error=error("the message")))
            with environment(), self.assertRaises(Problem) as met:
                Postgres("postgresql://db/d").check()
            self.assertEqual(met.exception.name, cause)
            connection.close.assert_called_once_with()


class Sessions(unittest.TestCase):
    def test_go_to_libpq_with_a_scheme_that_it_knows(self):
        connected(Cursor())
        with environment():
            for uri in ("postgres://db/d", "postgresql+psycopg2://db/d"):
                Postgres(uri).check()
                self.assertEqual(psycopg2.connect.call_args[0], ("postgresql://db/d",))

    def test_read_the_revision(self):
        for tables, kind, expected in (
            ({}, MLFLOW_TABLES, None),
            ({"alembic_version": None}, MLFLOW_TABLES, None),
            ({"alembic_version": "a1"}, MLFLOW_TABLES, "a1"),
            ({"users": ""}, LOGIN_TABLES, "8606fa83a998"),
            ({"users": "", "alembic_version_auth": "l2"}, LOGIN_TABLES, "l2"),
        ):
            self.assertEqual(PostgresSession(Cursor(tables)).revision(kind), expected)

    def test_take_a_lock_that_ends_with_its_transaction(self):
        for rows, taken in (({}, False), ({"SELECT pg_try_advisory_xact_lock(%s)": True}, True)):
            cursor = Cursor(rows)
            session = PostgresSession(cursor)
            self.assertIs(session.try_lock(), taken)
            if taken:
                session.unlock()
            self.assertEqual((cursor.statements[0], cursor.statements[-1], len(cursor.statements)), ("BEGIN", "ROLLBACK", 4))


class Replica(unittest.TestCase):
    def test_is_checked_where_it_is_a_postgresql(self):
        for uri, checkable in (("postgresql://r/d", True), ("mysql://r/d", False), ("", False)):
            with environment(MLFLOW_READ_REPLICA_BACKEND_STORE_URI=uri):
                self.assertIs(ReadReplica().checkable, checkable)

    def test_has_a_cause_of_its_own(self):
        psycopg2.connect = mock.Mock(side_effect=psycopg2.OperationalError("refused"))
        with environment(MLFLOW_READ_REPLICA_BACKEND_STORE_URI="postgresql://r/d"), self.assertRaises(Problem) as met:
            ReadReplica().check()
        self.assertEqual((met.exception.name, met.exception.where), ("replica", "r"))


class Drivers(unittest.TestCase):
    """The preflight tries what the server will use."""

    def driver(self, uri, default, modules=("sqlalchemy", "psycopg")):
        sqlalchemy = types.ModuleType("sqlalchemy")
        sqlalchemy.exc = types.SimpleNamespace(SQLAlchemyError=KeyError)
        dialect = mock.Mock(return_value=types.SimpleNamespace(driver=default))
        sqlalchemy.make_url = mock.Mock(return_value=types.SimpleNamespace(get_dialect=dialect))
        found = mock.patch("importlib.util.find_spec", lambda name: name in modules or None)
        with found, mock.patch.dict(sys.modules, sqlalchemy=sqlalchemy):
            return driver_of(uri)

    def test_are_those_of_sqlalchemy(self):
        self.assertEqual(self.driver("postgresql://h/d", "psycopg"), "psycopg")
        self.assertEqual(self.driver("postgresql://h/d", "psycopg2"), "psycopg2")

    def test_are_those_that_the_uri_names(self):
        self.assertEqual(self.driver("postgresql+psycopg2://h/d", "psycopg"), "psycopg2")
        self.assertEqual(self.driver("postgresql+psycopg://h/d", "psycopg2"), "psycopg")
        self.assertEqual(self.driver("postgresql+pg8000://h/d", "psycopg"), "psycopg2")

    def test_are_there(self):
        self.assertEqual(self.driver("postgresql://h/d", "psycopg", ["sqlalchemy"]), "psycopg2")
        self.assertEqual(self.driver("postgresql://h/d", "psycopg", ["psycopg"]), "psycopg2")

    def test_that_are_not_those_of_mlflow_are_a_warning_of_a_start_that_works(self):
        connected(Cursor({"alembic_version": "b2"}))
        for driver, warned in (("psycopg", True), ("psycopg2", False)):
            taken = mock.patch("preflight.postgres.driver_of", return_value=driver)
            work = mock.patch.object(Postgres, "work", return_value=None)
            with environment(), taken, work, contextlib.redirect_stderr(io.StringIO()) as stderr:
                Postgres("postgresql://h/d").prepare(Wait(0))
            self.assertEqual("Write postgresql+psycopg2://" in stderr.getvalue(), warned)


class Uris(unittest.TestCase):
    def test_of_postgresql(self):
        for uri in ("postgresql://h", "postgres://h", "postgresql+psycopg://h"):
            self.assertTrue(is_postgres(uri))
        for uri in ("", "mysql://h", "/postgresql://h", "postgresqlite://h"):
            self.assertFalse(is_postgres(uri))


if __name__ == "__main__":
    unittest.main()
