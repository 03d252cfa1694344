"""What MLflow has rows for, and no file any more: what went with a volume of the artifact store."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

from .database import Database
from .mlflow_doctor import PROBE_PREFIX
from .orphans import FOLDER, ID, Owners, bucket_of
from .problem import Problem, say
from .s3 import S3Store
from .store import ArtifactStore
from .stores import registry_of

USAGE = """start-mlflow.py gc --lost

Lists the versions of registered models, the logged models, and the runs and traces with files of which no file is in the
bucket. It changes nothing. It runs in the pod of the tracking server, which has the keys of the store."""

# what is known to have had files; of other runs MLflow does not know
MODELS = "SELECT name, model_id, artifact_location FROM logged_models WHERE lifecycle_stage = 'active' AND status = 2"
RUNS = (
    "SELECT DISTINCT r.name, r.run_uuid, r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid "
    "WHERE r.lifecycle_stage = 'active' AND t.key IN ('mlflow.log-model.history', 'mlflow.loggedArtifacts')"
)
TRACES = (
    "SELECT 'trace', l.request_id, l.value FROM trace_tags l JOIN trace_tags s ON s.request_id = l.request_id "
    "WHERE l.key = 'mlflow.artifactLocation' AND s.key = 'mlflow.trace.spansLocation' AND s.value = 'ARTIFACT_REPO'"
)
VERSIONS = (
    "SELECT name, version, COALESCE(storage_location, source) FROM model_versions "
    "WHERE current_stage IS NULL OR current_stage <> 'Deleted_Internal'"
)


class Lost(NamedTuple):
    what: str
    name: str
    which: str
    place: str

    def line(self) -> str:
        return (
            f"{self.what} {self.which} of {self.name} at {self.place}"
            if self.name
            else f"{self.what} {self.which} at {self.place}"
        )


class Search:
    def __init__(self, store: S3Store, database: Database, registry: Database) -> None:
        self.store, self.database, self.registry = store, database, registry
        self.owners = Owners(store)

    def present(self) -> set[str]:
        """Ids of which a file is in the bucket."""
        found: set[str] = set()
        for entry in self.store.listing(self.owners.root):
            if match := FOLDER.match(entry["Key"][len(self.owners.root) :]):
                found.add(match[str(match.lastgroup)])
        return found

    def find(self) -> list[Lost]:
        found = self.present()
        rows = [("run", row) for row in read(self.database, RUNS)]
        rows += [("logged model", row) for row in read(self.database, MODELS)]
        rows += [("trace", row) for row in read(self.database, TRACES)]
        rows += [("version", row) for row in read(self.registry, VERSIONS)]
        lost = []
        for what, (name, which, place) in rows:
            ids = ID.findall(str(place or ""))
            # what is elsewhere, or has a place that names nothing, is not looked for
            if ids and not found & set(ids) and self.is_here(str(place)):
                lost.append(Lost(what, "" if what == "trace" else str(name or ""), str(which), str(place)))
        return lost

    def is_here(self, place: str) -> bool:
        return place.startswith(("models:", "runs:")) or self.owners.place(place) != []


class UnknownTables(Exception):
    """The database has other tables than a statement is for."""


def read(database: Database, statement: str) -> list[tuple[Any, ...]]:
    import sqlalchemy

    with database.engine(database.uri).connect() as connection:
        try:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(statement))]
        except sqlalchemy.exc.ProgrammingError as error:
            raise UnknownTables(type(error).__name__) from None


def lost(arguments: list[str], database: Database) -> int:
    from botocore.exceptions import BotoCoreError, ClientError

    parser = argparse.ArgumentParser(prog="start-mlflow.py gc", usage=USAGE)
    parser.add_argument("--lost", action="store_true")
    parser.parse_known_args(arguments)
    store = bucket_of(arguments)
    try:
        store.connect()
        found = Search(store, database, registry_of(arguments, database)).find()
    except (ClientError, BotoCoreError, ValueError) as error:
        raise store.problem(error, f"listing s3://{store.bucket}") from None
    for one in found:
        say(f"Lost: {one.line()}")
    say(f"{len(found)} have no file in s3://{store.bucket} any more" if found else f"Nothing is missing in s3://{store.bucket}")
    if found:
        say("Of runs without models, tables and images, MLflow does not know whether they had files")
    return 0


def check_not_emptied(store: ArtifactStore, database: Database) -> str | None:
    """That a bucket without any file is not that of a database which knows of some."""
    if not isinstance(store, S3Store) or not database.uri:
        return None
    root = store.key.rpartition(PROBE_PREFIX)[0]
    answer = store.client.list_objects_v2(**store.target, Prefix=root, MaxKeys=100)
    if any(PROBE_PREFIX not in entry["Key"] for entry in answer.get("Contents", [])):
        return None
    try:
        known = len(read(database, MODELS)) + len(read(database, RUNS))
    except UnknownTables:
        # those of another release, of which the check of the database tells
        return None
    if known:
        raise Problem(
            "artifacts-lost",
            f"listing s3://{store.bucket}",
            store.endpoint,
            f"{known} of them in the database, and no file",
            bucket=store.bucket,
        )
    return None
