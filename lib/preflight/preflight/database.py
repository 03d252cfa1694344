"""A database of the tracking server, whatever its kind: its schema, and the lock under which that is made or changed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from typing import Any, Callable, NamedTuple, Protocol

from .environment import number
from .problem import USUAL, Problem, hide_secrets_of, redact, say, source_of
from .schema import (
    MLFLOW_TABLES,
    REGISTRY_TABLES,
    WAY_BACK,
    Note,
    Tables,
    mlflow_version,
    named,
    package_revisions,
    what_is_known,
)
from .store import Store
from .wait import Wait, undisturbed, until_well

# the Job that upgrades the schema: in a pod that waits for it, and in its own
WAITS_FOR_JOB = "STARTUP_UPGRADE_JOB"
UPGRADE_JOB = "UPGRADE_JOB"


class Session(Protocol):
    """A connection to a database."""

    def try_lock(self) -> bool:
        """Takes the lock for initialisation, unless another pod has it. It ends with the connection, even if this pod dies."""

    def unlock(self) -> None:
        """Gives the lock back."""

    def revision(self, tables: Tables) -> str | None:
        """Revision of the schema, None where there is none."""

    def has_table(self, name: str) -> bool:
        """Whether there is a table of this name."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query gives."""

    def value(self, statement: str) -> Any:
        """The first value that a query answers with."""

    def remark(self, tables: Tables) -> str:
        """What an upgrade has left with the tables for those who come later."""

    def leave_remark(self, tables: Tables, text: str) -> None:
        """Leaves it, where the database has a place for it."""


class Work(NamedTuple):
    """A change of the schema."""

    announcement: str
    what: str
    # the cause, where it fails
    cause: str
    # what is tried, and the program that does it
    program: tuple[str, str]


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
        # the revision that a change of the schema began with
        self.before: str | None = None

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

    def check_same(self, tells: Callable[[], dict[str, Any]]) -> None:
        """The database of the server: it has MLflow's tables, and the experiment that the server tells of."""
        with self.session() as session:
            if session.revision(self.tables) is None:
                raise self.problem("gc-schema", "reading the revision of the schema")
            experiment = tells()
            if not experiment:
                return
            number = int(experiment["experiment_id"])
            statement = f"SELECT creation_time FROM experiments WHERE experiment_id = {number}"  # noqa: S608
            made, told = session.value(statement), experiment.get("creation_time")
            if str(made) != str(told):
                form = f"experiment {number} was made at {told} there, and {f'at {made}' if made else 'is not'} here"
                raise self.problem("gc-other-database", "comparing an experiment of the server with the database", form=form)

    def judge_schema(self, actual: str | None) -> None:
        known, wanted = package_revisions(self.tables.folder)
        if actual in (None, wanted) or wanted is None:
            return
        name = "schema-older" if actual in known else "schema-newer"
        values = {"actual": named(self.tables, actual), "wanted": named(self.tables, wanted)}
        if name == "schema-newer":
            values.update(self.told_by_the_upgrade(actual))
        what = "" if self.tables is MLFLOW_TABLES else f" of {self.tables.title}"
        raise self.problem(name, f"reading the revision of the schema{what}", actual, **values)

    def told_by_the_upgrade(self, actual: str) -> dict[str, str]:
        """What is known of a newer schema: what the upgrade has written down in the database, else the table of releases."""
        with self.session() as session:
            note = Note.read(session.remark(self.tables))
        if note is None or note.revision != actual:
            return {"known": what_is_known(self.tables, actual)}
        back = f": that of Job {note.job}, see {WAY_BACK}" if note.job else ""
        return {"known": f" The database was upgraded to MLflow {note.mlflow}, from {note.before}.", "way_back": back}

    def prepare(self, wait: Wait) -> None:
        """Initialises an empty database while no other pod does, and upgrades an older one where that is wanted.

        Two servers that start on an empty database at the same time both make the tables, and one of them dies of it.
        """
        if self.work_after_job() is None:
            return
        with self.session() as session:
            while not session.try_lock():
                reason = "another pod is initialising it"
                if not wait(self.name, reason):
                    raise wait.over(self.problem("database-absent", "taking the lock for initialisation", reason))
            # asked by another connection, and again: that other pod may have done it
            work = self.work()
            if work is not None:
                say(work.announcement)
                with undisturbed(work.what):
                    self.change(work)
            session.unlock()

    def change(self, work: Work) -> None:
        """Does it, and leaves a note for older images where there was a schema before."""
        with self.session() as session:
            self.before = session.revision(self.tables)
        self.run(work.cause, *work.program)
        if self.before is None:
            return
        with self.session() as session:
            after = session.revision(self.tables) or ""
            note = Note(after, mlflow_version(), named(self.tables, self.before), os.environ.get(UPGRADE_JOB, ""))
            session.leave_remark(self.tables, note.text())
        say(f"The schema of {self.tables.title} is at {named(self.tables, after)}")

    def left_behind(self) -> dict[str, str]:
        """What a change that failed has left, in words."""
        after = None
        with contextlib.suppress(Problem, NotImplementedError), self.session() as session:
            after = session.revision(self.tables)
        actual = named(self.tables, after) if after else "no revision that can be read"
        if after and after == self.before:
            state = "The schema is as it was, and what used it before can go on."
            return {"actual": actual, "state": state, "way_back": "nothing has to be restored"}
        state = "Some of its steps may be done: servers of the old version may not understand the tables any more."
        return {"actual": actual, "state": state, "way_back": f"restore the backup first, see {WAY_BACK}"}

    def work_after_job(self) -> Work | None:
        """What has to be done, where a Job upgrades the schema when that has done it."""
        wait = Wait(number("STARTUP_UPGRADE_SECONDS", 3600), "preflight.upgradeDeadline")
        return until_well(wait, self.name, self.work) if os.environ.get(WAITS_FOR_JOB) else self.work()

    def work(self) -> Work | None:
        """What has to be done before a server can start."""
        with self.session() as session:
            actual = session.revision(self.tables)
        if actual is None:
            return Work(self.tables.empty, "the initialisation", "database-init", self.tables.initialise)
        try:
            self.judge_schema(actual)
        except Problem as problem:
            if problem.name != "schema-older" or os.environ.get("STARTUP_UPGRADE_SCHEMA") != "true":
                raise
            job = os.environ.get(WAITS_FOR_JOB)
            if job and self.tables is not REGISTRY_TABLES:
                raise self.problem("schema-waits", problem.tried, actual, **problem.values, job=job) from None
            step = f"from {problem.values['actual']} to {problem.values['wanted']}"
            announcement = f"Upgrading the schema of {self.tables.title} {step}"
            return Work(announcement, "the upgrade of the schema", "schema-upgrade", self.tables.upgrade)
        return None

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
            raise self.problem(cause, tried, f"exit code {child.returncode}", **self.left_behind())
