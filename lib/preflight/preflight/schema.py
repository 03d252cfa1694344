"""The tables of MLflow, and the revisions of their schema."""

from __future__ import annotations

import glob
import importlib.util
import os
import re
from dataclasses import dataclass

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
LOGIN_TABLES = Tables(
    "the login tables",
    "alembic_version_auth",
    ("server", "auth", "db", "migrations", "versions"),
    "There is no login yet: making its tables and the admin",
    ("making the tables of MLflow's login, and its admin", INITIALISE_LOGIN),
    ("upgrading the tables of MLflow's login", INITIALISE_LOGIN),
    ("users", "8606fa83a998"),
)


def package_revisions(folder: tuple[str, ...]) -> tuple[set[str], str | None]:
    """All revisions of the MLflow in this image, and the newest. Read from its files: to import it takes seconds."""
    spec = importlib.util.find_spec("mlflow")
    known: set[str] = set()
    below: set[str] = set()
    for location in (spec.submodule_search_locations or []) if spec else []:
        for path in glob.glob(os.path.join(location, *folder, "*.py")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            known.update(re.findall(r"^revision\s*=\s*[\"'](\w+)", text, re.MULTILINE))
            for line in re.findall(r"^down_revision\s*=(.*)$", text, re.MULTILINE):
                below.update(re.findall(r"[\"'](\w+)[\"']", line))
    heads = known - below
    return known, heads.pop() if len(heads) == 1 else None
