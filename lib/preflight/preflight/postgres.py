"""The database on a PostgreSQL."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from collections.abc import Iterator
from typing import Any

from .database import Database
from .problem import Problem
from .schema import Tables
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


class Postgres(Database):
    """A PostgreSQL."""

    module = "psycopg2"
    checkable = True

    def prepare(self, wait: Wait) -> None:
        # all of MLflow goes through SQLAlchemy, which has another driver by default in each version
        if importlib.util.find_spec("sqlalchemy"):
            import sqlalchemy

            # a URI that it cannot read is told by the login
            with contextlib.suppress(sqlalchemy.exc.ArgumentError, ValueError):
                self.engine(self.uri)
        super().prepare(wait)

    def connect(self) -> Any:
        import psycopg2 as driver

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
        import psycopg2 as driver

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

    def try_lock(self) -> bool:
        return bool(self.value("SELECT pg_try_advisory_lock(%s)", (INIT_LOCK,)))

    def revision(self, tables: Tables) -> str | None:
        if self.value(f"SELECT to_regclass('{tables.version_table}')") is not None:
            version: str | None = self.value(f"SELECT version_num FROM {tables.version_table}")  # noqa: S608
            return version
        table, revision = tables.before or (None, None)
        return revision if table and self.value(f"SELECT to_regclass('{table}')") is not None else None


class ReadReplica(Store):
    """The read replica of the database, which the tracking server starts without, but does not serve well."""

    module = "psycopg2"

    def __init__(self) -> None:
        uri = os.environ.get("MLFLOW_READ_REPLICA_BACKEND_STORE_URI", "")
        self.database = Postgres(uri)
        self.checkable = is_postgres(uri)
        self.name = f"the read replica at {self.database.server}"

    def check(self) -> None:
        try:
            with self.database.session() as session:
                session.value("SELECT 1")
        except Problem as problem:
            where = self.database.server
            raise Problem("replica", problem.tried, where, problem.answer, form=problem.title) from None
