"""A database of the tracking server, whatever its kind: its schema, and the lock under which that is made or changed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from typing import Any, Protocol

from .problem import USUAL, Problem, hide_secrets_of, redact, say, source_of
from .schema import MLFLOW_TABLES, Tables, package_revisions
from .store import Store
from .wait import Wait, undisturbed


class Session(Protocol):
    """A connection to a database."""

    def try_lock(self) -> bool:
        """Takes the lock for initialisation, unless another pod has it."""

    def revision(self, tables: Tables) -> str | None:
        """Revision of the schema, None where there is none."""


class Database(Store):
    """A database of the tracking server. One of this class itself is not checked: a file, for example."""

    def __init__(self, uri: str, tables: Tables = MLFLOW_TABLES, root: str = "", variable: str = "") -> None:
        hide_secrets_of(uri)
        self.uri = uri
        self.root = root
        self.tables = tables
        # host and port without what else may stand in the URI
        self.server = re.sub(r"^[^:]+://(.*@)?([^/?]*).*$", r"\2", uri, flags=re.DOTALL) or "localhost"
        # what the texts say
        self.values = {**USUAL, "password_source": source_of("PGPASSWORD")}
        if variable:
            self.values.update(uri_source=source_of(variable))
        if variable and "@" in uri:
            self.values.update(login=f"User or password in {source_of(variable)}", password_source=source_of(variable))
        self.name = f"{tables.title} at {self.server}"

    def session(self) -> contextlib.AbstractContextManager[Session]:
        """A connection of its own, which is closed in the end."""
        raise NotImplementedError

    def problem(self, name: str, tried: str, answer: str = "", **values: object) -> Problem:
        return Problem(name, tried, self.server, answer, **{**self.values, **values})

    def engine(self, url: object, **options: object) -> Any:
        """An engine of SQLAlchemy, which takes the driver that MLflow takes."""
        import sqlalchemy

        try:
            return sqlalchemy.create_engine(url, **options)
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            tried = f"reading {self.values['uri_source']}"
            raise self.problem("database-driver", tried, form=str(error)) from None

    def check(self) -> None:
        """Reachable, and the schema fits; for doctor and monitor."""
        with self.session() as session:
            self.judge_schema(session.revision(self.tables))

    def judge_schema(self, actual: str | None) -> None:
        known, wanted = package_revisions(self.tables.folder)
        if actual in (None, wanted) or wanted is None:
            return
        name = "schema-older" if actual in known else "schema-newer"
        what = "" if self.tables is MLFLOW_TABLES else f" of {self.tables.title}"
        raise self.problem(name, f"reading the revision of the schema{what}", actual, actual=actual, wanted=wanted)

    def prepare(self, wait: Wait) -> None:
        """Initialises an empty database while no other pod does, and upgrades an older one where that is wanted.

        Two servers that start on an empty database at the same time both make the tables, and one of them dies of it.
        """
        with self.session() as session:
            # held until the connection closes, even if this pod dies
            while not session.try_lock():
                reason = "another pod is initialising it"
                if not wait(self.name, reason):
                    raise wait.over(self.problem("database-absent", "taking the lock for initialisation", reason))
            actual = session.revision(self.tables)
            if actual is None:
                say(self.tables.empty)
                with undisturbed("the initialisation"):
                    self.run("database-init", *self.tables.initialise)
                return
            try:
                self.judge_schema(actual)
            except Problem as problem:
                if problem.name != "schema-older" or os.environ.get("STARTUP_UPGRADE_SCHEMA") != "true":
                    raise
                wanted = problem.values["wanted"]
                say(f"Upgrading the schema of {self.tables.title} from revision {actual} to {wanted}")
                with undisturbed("the upgrade of the schema"):
                    self.run("schema-upgrade", *self.tables.upgrade)

    def run(self, cause: str, tried: str, program: str) -> None:
        """Runs a program of MLflow in a child process. What it prints has no secrets in it."""
        environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": self.uri}
        command = [sys.executable, "-c", program, self.root]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace") as child:
            for line in child.stderr or ():
                # a log that nobody reads any more is no reason to leave a schema half made
                with contextlib.suppress(OSError):
                    print(redact(line), end="", file=sys.stderr, flush=True)
        if child.returncode != 0:
            raise self.problem(cause, tried, f"exit code {child.returncode}")
