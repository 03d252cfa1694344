"""The tables of MLflow, and the revisions of their schema."""

from __future__ import annotations

import glob
import importlib.metadata
import importlib.util
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from .mlflow_versions import NEWEST, RELEASES

# Programs of child processes. The URI is in their environment: arguments can be read by every process of the machine.
INITIALISE = """
import os, sys
from mlflow.server.handlers import initialize_backend_stores
initialize_backend_stores(os.environ["MLFLOW_BACKEND_STORE_URI"], None, sys.argv[1] or None)
"""
UPGRADE = """
import os
from mlflow.cli import cli
cli(["db", "upgrade", os.environ["MLFLOW_BACKEND_STORE_URI"]], prog_name="mlflow")
"""
# without the settings of the login, which only its server has
UPGRADE_LOGIN = """
import os
from mlflow.server.auth.db.cli import commands
commands(["upgrade", "--url", os.environ["MLFLOW_BACKEND_STORE_URI"]], prog_name="mlflow")
"""
INITIALISE_LOGIN = """
from mlflow.server.auth import auth_config, create_admin_user, store
store.init_db(auth_config.database_uri)
create_admin_user(auth_config.admin_username, auth_config.admin_password)
"""


@dataclass(frozen=True)
class Tables:
    """Tables with a schema of their own: those of MLflow, and those of its login, which may be in the same database."""

    title: str
    version_table: str
    # of the revisions, in the package mlflow
    folder: tuple[str, ...]
    # what is said of a database without them
    empty: str
    # what is tried, and the program that does it
    initialise: tuple[str, str]
    upgrade: tuple[str, str]
    # table and revision of versions that had no version table
    before: tuple[str, str] | None = None


MLFLOW_TABLES = Tables(
    "the database",
    "alembic_version",
    ("store", "db_migrations", "versions"),
    "The database is empty: initialising it",
    ("making the tables of MLflow", INITIALISE),
    ("mlflow db upgrade", UPGRADE),
)
# MLflow makes all of its tables in either database
REGISTRY_TABLES = replace(MLFLOW_TABLES, title="the database of the model registry")
LOGIN_TABLES = Tables(
    "the login tables",
    "alembic_version_auth",
    ("server", "auth", "db", "migrations", "versions"),
    "There is no login yet: making its tables and the admin",
    ("making the tables of MLflow's login, and its admin", INITIALISE_LOGIN),
    ("upgrading the tables of MLflow's login", INITIALISE_LOGIN),
    ("users", "8606fa83a998"),
)

WAY_BACK = "https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs/upgrade.md#the-way-back"


class Note(NamedTuple):
    """What an upgrade leaves in the database, for older images that do not know the revision."""

    revision: str
    mlflow: str
    # the revision before, in words
    before: str
    # the Job that did it, and that has the backup
    job: str

    def text(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def read(cls, text: str) -> Note | None:
        try:
            return cls(**{name: str(value) for name, value in json.loads(text).items()})
        except (AttributeError, TypeError, ValueError):
            # there is none, or somebody else has written something
            return None


def mlflow_version() -> str:
    """That of this image."""
    try:
        return importlib.metadata.version("mlflow")
    except importlib.metadata.PackageNotFoundError:
        return "of this image"


def named(tables: Tables, revision: str | None) -> str:
    """A revision, with the releases of MLflow that want it where they are known."""
    releases = RELEASES.get(tables.version_table, {})
    later = list(releases)[list(releases).index(revision) :] if revision in releases else []
    pair = next((pair for pair in map(releases.get, later) if pair), None)
    if not revision or not pair:
        return f"revision {revision}"
    if not releases[revision]:
        return f"revision {revision}, of no release: the next is MLflow {pair[0]}"
    return f"revision {revision}, of MLflow {pair[0] if pair[0] == pair[1] else ' to '.join(pair)}"


def what_is_known(tables: Tables, revision: str) -> str:
    """What a text says of a revision that is in no release which this program knows."""
    if revision in RELEASES.get(tables.version_table, {}):
        return ""
    return f" This program knows MLflow up to {NEWEST}, and not this revision: it is of a newer one, or of no release."


class Revision(NamedTuple):
    """A migration of MLflow: its own id, and those that it comes behind."""

    id: str
    below: tuple[str, ...]


def revision_of(text: str) -> Revision:
    """That in the source of a migration."""
    own = re.search(r"^revision\s*(?::[^=]+)?=\s*[\"'](\w+)", text, re.MULTILINE)
    below = re.search(r"^down_revision\s*(?::[^=]+)?=(.*)$", text, re.MULTILINE)
    return Revision(own[1] if own else "", tuple(re.findall(r"[\"'](\w+)[\"']", below[1] if below else "")))


def chain(revisions: Iterable[Revision]) -> list[str]:
    """The ids from the first to the newest; none where two are the newest."""
    known = {revision.id: revision for revision in revisions if revision.id}
    heads = set(known) - {below for revision in known.values() for below in revision.below}
    ids: list[str] = []
    waiting = sorted(heads) if len(heads) == 1 else []
    while waiting:
        at = waiting.pop()
        if at in known and at not in ids:
            ids.append(at)
            waiting.extend(sorted(known[at].below))
    return ids[::-1]


def package_revisions(folder: tuple[str, ...]) -> tuple[set[str], str | None]:
    """All revisions of the MLflow in this image, and the newest. Read from its files: to import it takes seconds."""
    spec = importlib.util.find_spec("mlflow")
    found: list[Revision] = []
    for location in (spec.submodule_search_locations or []) if spec else []:
        for path in glob.glob(os.path.join(location, *folder, "*.py")):
            with open(path, encoding="utf-8") as file:
                found.append(revision_of(file.read()))
    return {revision.id for revision in found if revision.id}, next(reversed(chain(found)), None)
