"""The admin of MLflow's login, whose password is that of the Secret."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from typing import Any

from .database import Database
from .environment import number
from .postgres import Postgres, PostgresSession
from .problem import say
from .server import admin
from .store import Store
from .wait import Wait

# with the tables of the login: which generation of the Secret the database has, and a hash of its password
NOTE = re.compile(r"cdk8s-mlflow: admin of generation (\d+), (\S+)")


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class LoginAdmin(Store):
    """MLflow makes the admin where there is none, and takes no other password from the Secret later."""

    name = "the admin of the login"

    def __init__(self, database: Database) -> None:
        self.database: Any = database
        self.module = database.module
        # a Python without it has no login either
        self.checkable = isinstance(database, Postgres) and importlib.util.find_spec("werkzeug") is not None

    def prepare(self, wait: Wait) -> None:
        """Gives the admin the password of the Secret where that is another one than the database was given last.

        A password that the admin has changed in MLflow stays until then, and a pod of a former generation changes nothing.
        """
        from werkzeug.security import check_password_hash, generate_password_hash

        user, password = admin()
        generation = int(number("STARTUP_LOGIN_GENERATION", 1))
        with self.database.session() as session:
            assert isinstance(session, PostgresSession)  # noqa: S101
            found = session.rows(f"SELECT password_hash FROM users WHERE username = {literal(user)}")  # noqa: S608
            note = NOTE.fullmatch(session.value("SELECT obj_description(to_regclass('users'), 'pg_class')") or "")
            known = int(note[1]) if note else 1
            if not found or generation < known:
                return
            current = str(found[0][0])
            fits = check_password_hash(current, password)
            if note and generation == known and check_password_hash(note[2], password):
                return
            if not fits and not note and generation == 1:
                # nobody knows since when: it may have been changed in MLflow, and for a reason
                return
            if not fits:
                current = generate_password_hash(password)
                change = f"UPDATE users SET password_hash = {literal(current)} WHERE username = {literal(user)} RETURNING id"  # noqa: S608
                session.rows(change)
                say(f"The admin of the login has the password of the Secret now (generation {generation})")
            remark = f"cdk8s-mlflow: admin of generation {generation}, {current}"
            # only who owns the table may; without it the next start looks again
            with contextlib.suppress(self.database.driver.ProgrammingError):
                session.cursor.execute(f"COMMENT ON TABLE users IS {literal(remark)}")

    def check(self) -> None:
        """Whoever logs in sees it."""
