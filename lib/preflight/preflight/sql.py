"""The database on a MySQL or a SQL Server, by way of SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from .database import Database
from .schema import MLFLOW_TABLES, Tables
from .store import distrusts

# numbers of MySQL, and of SQL Server; all that is not here is a server that does not answer
SQL_ERRORS = {
    "database-refuses": (1045, 1698, 18456),
    "database-missing": (1049, 4060),
    "database-error": (1044, 1142, 1143, 229),
    "database-tls": (2026, 3159),
}
CONNECT_OPTIONS = {
    "pymysql": {"connect_timeout": 5},
    "mysqldb": {"connect_timeout": 5},
    "pymssql": {"login_timeout": 5, "timeout": 10},
}


class OtherDatabase(Database):
    """A MySQL, a SQL Server, or what else SQLAlchemy and MLflow know that is a server."""

    module = "sqlalchemy"
    checkable = True

    def __init__(self, uri: str, tables: Tables = MLFLOW_TABLES, root: str = "", variable: str = "") -> None:
        super().__init__(uri, tables, root, variable)
        source = self.values["uri_source"]
        grant = "Give the user all rights on the database: GRANT ALL ON ..."
        self.values.update(login=f"User or password in {source}", password_source=source)
        self.values.update(alter_user="ALTER USER", own_database=grant, own_tables=grant)

    def connect(self) -> Any:
        import sqlalchemy
        from sqlalchemy.pool import NullPool

        tried = f"reading {self.values['uri_source']}"
        try:
            url = sqlalchemy.make_url(self.uri)
            if url.host and url.host not in self.server:
                raise ValueError("a part of the password was taken for the host")
            options: dict[str, Any] = dict(CONNECT_OPTIONS.get(url.get_driver_name(), {}))
            if url.get_backend_name() == "mysql":
                # what MLflow takes
                for name in ("ssl_ca", "ssl_cert", "ssl_key"):
                    if os.environ.get(f"MLFLOW_MYSQL_{name.upper()}"):
                        options[name] = os.environ[f"MLFLOW_MYSQL_{name.upper()}"]
            engine = self.engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        except (sqlalchemy.exc.ArgumentError, ValueError):
            raise self.problem("database-uri-form", tried) from None
        return engine.connect()

    @contextlib.contextmanager
    def session(self) -> Iterator[OtherSession]:
        import sqlalchemy

        tried = "logging in as the user of the URI"
        try:
            with self.connect() as connection:
                tried = "asking the database"
                yield OtherSession(connection)
        except (sqlalchemy.exc.DBAPIError, OSError) as error:
            cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
            raise self.problem(other_cause(cause), tried, str(cause)) from None


def other_cause(error: BaseException) -> str:
    """The cause behind an error of a driver."""
    text = str(error)
    if distrusts(text):
        return "database-certificate"
    numbers = {int(number) for number in re.findall(r"(?<!\d)\d{3,5}(?!\d)", str(error.args[:1]))}
    return next((name for name, known in SQL_ERRORS.items() if numbers & set(known)), "database-absent")


class OtherSession:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def value(self, statement: str, **parameters: object) -> Any:
        import sqlalchemy

        return self.connection.execute(sqlalchemy.text(statement), parameters).scalar()

    def has_table(self, name: str) -> bool:
        import sqlalchemy

        return bool(sqlalchemy.inspect(self.connection).has_table(name))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        import sqlalchemy

        return [tuple(row) for row in self.connection.execute(sqlalchemy.text(statement))]

    def try_lock(self) -> bool:
        return self.ask_lock("SELECT GET_LOCK(:name, 0)")

    def unlock(self) -> None:
        self.ask_lock("SELECT RELEASE_LOCK(:name)")

    def ask_lock(self, statement: str) -> bool:
        """MySQL's locks are those of the whole server, so the name of the database is in it. Elsewhere there are none."""
        if self.connection.dialect.name != "mysql":
            return True
        return bool(self.value(statement, name=f"mlflow {self.connection.engine.url.database}"[:64]) == 1)

    def revision(self, tables: Tables) -> str | None:
        import sqlalchemy

        inspector = sqlalchemy.inspect(self.connection)
        if inspector.has_table(tables.version_table):
            version: str | None = self.value(f"SELECT version_num FROM {tables.version_table}")  # noqa: S608
            return version
        table, revision = tables.before or (None, None)
        return revision if table and inspector.has_table(table) else None

    def remark(self, tables: Tables) -> str:
        return ""

    def leave_remark(self, tables: Tables, text: str) -> None:
        """None: of these, each has another place for it."""
