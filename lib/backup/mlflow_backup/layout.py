"""Where what is at the destination, and which backups there are.

objects/PATH              every object as the last run saw it
kept/NAME/PATH            what the run NAME found changed or gone, as it was before
backups/NAME/             database.dump, database.json, objects.json.gz, manifest.json (last), verified.json
copying.json.gz           of which objects a run may have made copies, whether it ended or not
state.json                what Prometheus is told

The object PATH of a backup is below the first kept/NAME behind that backup which has it, else in objects/.
"""

from __future__ import annotations

import datetime
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from .bucket import Bucket, Found

OBJECTS, KEPT, BACKUPS = "objects/", "kept/", "backups/"
COPYING, STATE = "copying.json.gz", "state.json"
DUMP, DATABASE, LIST, MANIFEST, VERIFIED = "database.dump", "database.json", "objects.json.gz", "manifest.json", "verified.json"
FORM = "%Y%m%dT%H%M%SZ"
# of an empty database: rows that MLflow makes at its first start, and what its processes note of themselves
FIRST_ROWS = {"experiments": 1, "users": 1, "workspaces": 1}
NOTES = ("alembic_version", "alembic_version_auth", "job_locks", "scheduler_leases")


def handover() -> pathlib.Path:
    """The folder by which the containers of a pod hand on what they have found."""
    return pathlib.Path(os.environ["HANDOVER_FOLDER"])


def scratch() -> pathlib.Path:
    return pathlib.Path(os.environ["SCRATCH_FOLDER"])


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def time_of(name: str) -> datetime.datetime:
    return datetime.datetime.strptime(name, FORM).replace(tzinfo=datetime.timezone.utc)


def next_name(others: Iterable[str], at: datetime.datetime) -> str:
    """A time, which comes behind all others even where a clock went back: names are the order of backups."""
    last = max(others, default="")
    behind = time_of(last) + datetime.timedelta(seconds=1) if last else at
    return max(at, behind).strftime(FORM)


def path_of(name: str, file: str) -> str:
    return f"{BACKUPS}{name}/{file}"


def names_of(bucket: Bucket) -> list[str]:
    """All backups that were begun, whole or not, in their order."""
    return [name for name in bucket.folders(BACKUPS) if is_name(name)]


def kept_names(bucket: Bucket) -> list[str]:
    return [name for name in bucket.folders(KEPT) if is_name(name)]


def is_name(text: str) -> bool:
    try:
        return time_of(text).strftime(FORM) == text
    except ValueError:
        return False


def whole(bucket: Bucket, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The manifests of those that are whole."""
    read = {name: bucket.read_json(path_of(name, MANIFEST)) for name in names}
    return {name: manifest for name, manifest in read.items() if manifest is not None}


def newest(bucket: Bucket) -> tuple[str, dict[str, Any]] | None:
    """The newest that is whole."""
    for name in reversed(names_of(bucket)):
        manifest = bucket.read_json(path_of(name, MANIFEST))
        if manifest is not None:
            return name, manifest
    return None


def objects_of(bucket: Bucket, name: str) -> list[Found]:
    return [Found(*entry) for entry in bucket.read_json(path_of(name, LIST)) or []]


def moved_behind(bucket: Bucket, name: str) -> dict[str, str]:
    """Where the copies of a backup are that runs behind it have moved aside; all others are among the objects."""
    moved: dict[str, str] = {}
    for later in (kept for kept in kept_names(bucket) if kept > name):
        below = f"{KEPT}{later}/"
        for found in bucket.listing(below):
            # the first run that moved a path has the state which the backup knows
            moved.setdefault(found.path[len(below) :], found.path)
    return moved


def is_untouched(tables: dict[str, int]) -> bool:
    """Whether these are the rows of a database that nobody has used yet."""
    return all(rows <= FIRST_ROWS.get(table, 0) for table, rows in tables.items() if table not in NOTES)


def read_state(bucket: Bucket) -> dict[str, Any]:
    state = bucket.read_json(STATE)
    return state if isinstance(state, dict) else {}
