"""The Job that upgrades the schema of the database: what its containers hand to each other, and its last step."""

from __future__ import annotations

import functools
import json
import os
import pathlib
from dataclasses import replace
from typing import Any

from .database import UPGRADE_JOB, Database
from .environment import clean, flag
from .problem import Problem, fail, say
from .schema import LOGIN_TABLES, MLFLOW_TABLES, UPGRADE_LOGIN
from .stores import database_at
from .wait import Wait, end_at_sigterm, until_well

# what has to be done, for the container that takes the backup; and what that has taken
PLAN = "plan.json"
RECEIPT = "receipt.json"
# those of the login are looked for in the same database; where there are none, its server makes them
TABLES = (MLFLOW_TABLES, replace(LOGIN_TABLES, upgrade=(LOGIN_TABLES.upgrade[0], UPGRADE_LOGIN)))


def upgrade(arguments: list[str]) -> int:
    """Looks what has to be done (--look), or does it."""
    end_at_sigterm()
    clean(os.environ)
    folder = pathlib.Path(os.environ["UPGRADE_FOLDER"])
    uri = flag(arguments, "--backend-store-uri")
    variable = "" if uri else "MLFLOW_BACKEND_STORE_URI"
    wait = Wait.of_the_environment()
    try:
        databases = [database_at(uri or os.environ.get(variable, ""), tables, variable=variable) for tables in TABLES]
        older = [
            database for database in databases if until_well(wait, database.name, functools.partial(revision_to_change, database))
        ]
        if "--look" in arguments:
            look(folder, older)
        else:
            for database in older:
                require_backup(folder, database)
                until_well(wait, database.name, functools.partial(database.prepare, wait))
            if not older:
                say("There is nothing to upgrade")
    except Problem as problem:
        fail(problem.cause.code, problem.lines())
    return 0


def revision_to_change(database: Database) -> str | None:
    """The revision of an older schema."""
    with database.session() as session:
        actual = session.revision(database.tables)
    try:
        database.judge_schema(actual)
    except Problem as problem:
        if problem.name != "schema-older":
            raise
        return actual
    return None


def look(folder: pathlib.Path, older: list[Database]) -> None:
    revisions = {database.tables.version_table: revision_to_change(database) for database in older}
    if revisions:
        (folder / PLAN).write_text(json.dumps(revisions))
    say("The schema has to be upgraded: " + json.dumps(revisions) if revisions else "There is nothing to upgrade")


def require_backup(folder: pathlib.Path, database: Database) -> None:
    """The backup is of the very schema that is changed now."""
    if os.environ.get("UPGRADE_BACKUP") != "true":
        return
    actual = revision_to_change(database)
    try:
        receipt: dict[str, Any] = json.loads((folder / RECEIPT).read_text())
    except (OSError, ValueError):
        receipt = {}
    taken = receipt.get("revisions", {}).get(database.tables.version_table)
    if not receipt.get("file") or taken != actual:
        form = f"it is of revision {taken}, and the schema is at {actual}" if taken else "none was taken"
        raise database.problem(
            "schema-backup", "reading what the backup has left", form=form, job=os.environ.get(UPGRADE_JOB, "")
        )
    say(f"The backup is {receipt['file']}, {receipt['bytes']} bytes, sha256 {receipt['sha256']}")
