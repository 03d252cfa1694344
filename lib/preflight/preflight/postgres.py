"""The database on a PostgreSQL."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
from collections.abc import Iterator
from typing import Any

from .database import Database
from .problem import Problem, warn
from .schema import MLFLOW_TABLES, Tables
from .store import Store
from .wait import Wait

# "mlflow" in ASCII: any number does, as long as all pods of one database use the same
INIT_LOCK = 0x6D6C666C6F77
# what a PostgreSQL that is not ready yet, or is busy, answers; every other refusal is final
PASSING_REFUSALS = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "remaining connection slots are reserved",
    "too many clients already",
    "too many connections",
)


def is_postgres(uri: str) -> bool:
    return re.match(r"postgres(ql)?(\+\w+)?://", uri) is not None


def driver_of(uri: str) -> str:
    """The module that SQLAlchemy, and so the server, takes for a URI: since SQLAlchemy 2.1 psycopg where it names none.

    Where it is neither, or is not there, which is told later, psycopg2 does the check.
    """
    named = re.match(r"postgres(?:ql)?\+(\w+)://", uri)
    driver = named[1] if named else ""
    if not named and importlib.util.find_spec("sqlalchemy"):
        import sqlalchemy

        # what it cannot read is told by the login
        with contextlib.suppress(sqlalchemy.exc.SQLAlchemyError, ValueError):
            driver = sqlalchemy.make_url(uri).get_dialect().driver
    return "psycopg" if driver == "psycopg" and importlib.util.find_spec("psycopg") else "psycopg2"


class Postgres(Database):
    """A PostgreSQL."""

    checkable = True

    def __init__(self, uri: str, tables: Tables = MLFLOW_TABLES, root: str = "", variable: str = "") -> None:
        super().__init__(uri, tables, root, variable)
        self.module = driver_of(uri)

    @property
    def driver(self) -> Any:
        return importlib.import_module(self.module)

    def prepare(self, wait: Wait) -> None:
        # all of MLflow goes through SQLAlchemy, which has another driver by default in each version
        if importlib.util.find_spec("sqlalchemy"):
            import sqlalchemy

            # a URI that it cannot read is told by the login
            with contextlib.suppress(sqlalchemy.exc.ArgumentError, ValueError):
                self.engine(self.uri)
        super().prepare(wait)
        if self.module == "psycopg" and self.tables is MLFLOW_TABLES:
            warn(
                f"{self.values['uri_source']} takes psycopg 3, as SQLAlchemy does since 2.1 where a URI names no driver. MLflow"
                " is not ready for it: it answers some requests with an error, and more behind a pooler. Write postgresql+psycopg2://"
            )

    def connect(self) -> Any:
        driver = self.driver
        libpq_uri = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", self.uri)
        tried = f"logging in as {os.environ.get('PGUSER', 'the user of the URI')}"
        try:
            connection = driver.connect(libpq_uri, connect_timeout=5)
        except (driver.OperationalError, driver.ProgrammingError) as error:
            answer = " ".join(str(error).split())
            if re.match("invalid |missing ", answer):
                raise self.problem("database-uri", f"reading {self.values['uri_source']}") from None
            raise self.problem(postgres_cause(answer), tried, answer) from None
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def session(self) -> Iterator[PostgresSession]:
        driver = self.driver
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                yield PostgresSession(cursor)
        except (driver.OperationalError, driver.InterfaceError) as error:
            raise self.problem("database-absent", "asking the database", str(error)) from None
        except driver.Error as error:
            raise self.problem("database-error", "asking the database", str(error)) from None
        finally:
            connection.close()


def postgres_cause(answer: str) -> str:
    """The cause behind the error of a login."""
    if re.search("certificate verify failed|certificate file|server certificate", answer):
        return "database-certificate"
    # a server that refuses with encryption and without it does not have this user or host
    only_plain = re.search("no encryption|SSL off", answer) and not re.search("SSL encryption|SSL on", answer)
    if only_plain or "server does not support SSL" in answer:
        return "database-tls"
    if "FATAL:" not in answer or any(refusal in answer for refusal in PASSING_REFUSALS):
        return "database-absent"
    return "database-missing" if "database" in answer and "does not exist" in answer else "database-refuses"


class PostgresSession:
    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def value(self, statement: str, parameters: tuple[object, ...] = ()) -> Any:
        self.cursor.execute(statement, parameters)
        row = self.cursor.fetchone()
        return row[0] if row else None

    def has_table(self, name: str) -> bool:
        return self.value("SELECT to_regclass(%s)", (name,)) is not None

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        self.cursor.execute(statement)
        return list(self.cursor.fetchall())

    def try_lock(self) -> bool:
        # A lock of the transaction, which a pooler cannot give to another client: one of the session would stay behind on
        # its connection to the server. Nothing else is asked in it, so that no table is locked for those who change it.
        self.cursor.execute("BEGIN")
        self.cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        if self.value("SELECT pg_try_advisory_xact_lock(%s)", (INIT_LOCK,)):
            return True
        self.unlock()
        return False

    def unlock(self) -> None:
        self.cursor.execute("ROLLBACK")

    def revision(self, tables: Tables) -> str | None:
        if self.value(f"SELECT to_regclass('{tables.version_table}')") is not None:
            version: str | None = self.value(f"SELECT version_num FROM {tables.version_table}")  # noqa: S608
            return version
        table, revision = tables.before or (None, None)
        return revision if table and self.value(f"SELECT to_regclass('{table}')") is not None else None

    def remark(self, tables: Tables) -> str:
        return self.value("SELECT obj_description(to_regclass(%s), 'pg_class')", (tables.version_table,)) or ""

    def leave_remark(self, tables: Tables, text: str) -> None:
        # it takes no parameter, and a literal of its own no backslash
        literal = text.replace("'", "''")
        self.cursor.execute(f"COMMENT ON TABLE {tables.version_table} IS '{literal}'")


class ReadReplica(Store):
    """The read replica of the database, which the tracking server starts without, but does not serve well."""

    def __init__(self) -> None:
        uri = os.environ.get("MLFLOW_READ_REPLICA_BACKEND_STORE_URI", "")
        self.database = Postgres(uri)
        self.module = self.database.module
        self.checkable = is_postgres(uri)
        self.name = f"the read replica at {self.database.server}"

    def check(self) -> None:
        try:
            with self.database.session() as session:
                session.value("SELECT 1")
        except Problem as problem:
            where = self.database.server
            raise Problem("replica", problem.tried, where, problem.answer, form=problem.title) from None
