"""Files in the bucket that belong to no run, logged model or trace any more, and that no registered model needs."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .database import Database
from .environment import destination_of
from .mlflow_doctor import PROBE_PREFIX
from .problem import Problem, say
from .s3 import S3Store
from .store import ArtifactStore
from .stores import artifact_store, registry_of

USAGE = """start-mlflow.py gc --orphans [--older-than=30d] [--delete]

Lists the folders of runs, logged models and traces in the bucket that MLflow has no row for any more, nor a version of a
registered model. It deletes nothing without --delete, and nothing in which a file is younger than --older-than. It runs
in the pod of the tracking server, which has the keys of the store."""

# where MLflow puts the files of a run, of a logged model and of a trace, below an experiment's place, whatever that is
FOLDER = re.compile(
    r"(?:^|.*?/)(?:(?P<run>[0-9a-f]{32})|models/(?P<model>m-[0-9a-f]{32})|traces/(?P<trace>(?:tr-)?[0-9a-f]{32}))/artifacts/"
)
ID = re.compile(r"(?<![0-9a-z])(?:m-|tr-)?[0-9a-f]{32}(?![0-9a-z])")
# all that points to files, in all workspaces
ROWS = (
    "SELECT run_uuid, artifact_uri FROM runs",
    "SELECT model_id, artifact_location FROM logged_models",
    "SELECT request_id, NULL FROM trace_info",
    "SELECT value, NULL FROM trace_tags WHERE key = 'mlflow.artifactLocation'",
    "SELECT dataset_source, NULL FROM datasets",
)
# a version that was deleted has lost its source
VERSIONS = (
    "SELECT source, storage_location FROM model_versions WHERE current_stage IS NULL OR current_stage <> 'Deleted_Internal'"
)


@dataclass
class Folder:
    """The files of one run, logged model or trace."""

    kind: str
    name: str
    newest: datetime.datetime
    files: int = 0
    size: int = 0

    def add(self, found: dict[str, Any]) -> None:
        self.files += 1
        self.size += found["Size"]
        self.newest = max(self.newest, found["LastModified"])


class Owners:
    """What MLflow has rows for: ids, and places that have no id in them."""

    def __init__(self, store: ArtifactStore) -> None:
        self.root = store.key.rpartition(PROBE_PREFIX)[0]
        self.bucket = store.bucket
        self.ids: set[str] = set()
        self.places: set[str] = set()

    def read(self, database: Database, statements: Iterable[str]) -> None:
        import sqlalchemy

        with database.engine(database.uri).connect() as connection:
            for statement in statements:
                # not all at once: there may be millions
                for row in connection.execution_options(yield_per=10_000).execute(sqlalchemy.text(statement)):
                    for text in row:
                        self.add(str(text or ""))

    def add(self, text: str) -> None:
        found = ID.findall(text)
        self.ids.update(found)
        if not found:
            # what is no URI is no place
            with contextlib.suppress(ValueError):
                self.places.update(self.place(text))

    def place(self, uri: str) -> list[str]:
        """Where below the destination something is; nothing for what is elsewhere."""
        parts = urllib.parse.urlsplit(uri)
        path = urllib.parse.unquote(parts.path).strip("/")
        if parts.scheme == "mlflow-artifacts":
            return [path]
        if parts.scheme in ("http", "https") and "mlflow-artifacts/artifacts" in path:
            return [path.partition("mlflow-artifacts/artifacts")[2].strip("/")]
        if parts.scheme == "s3" and parts.netloc == self.bucket and f"{path}/".startswith(self.root):
            return [path[len(self.root) :]]
        return []

    def own(self, folder: str, name: str) -> bool:
        """Whether a folder is that of a row, or above or below a place that one points to."""
        if name in self.ids:
            return True
        return any(not place or folder.startswith(f"{place}/") or place.startswith(folder) for place in self.places)


class Orphans:
    def __init__(self, store: S3Store, database: Database, registry: Database) -> None:
        self.store, self.database, self.registry = store, database, registry
        self.owned = 0
        self.others = 0

    def owners(self) -> Owners:
        owners = Owners(self.store)
        owners.read(self.database, ROWS)
        owners.read(self.registry, [VERSIONS])
        return owners

    def find(self, before: datetime.datetime) -> dict[str, Folder]:
        """Folders without an owner in which everything is older."""
        owners, found = self.owners(), {}
        owned: set[str] = set()
        for entry in self.store.listing(owners.root):
            match = FOLDER.match(entry["Key"][len(owners.root) :])
            if not match:
                self.others += PROBE_PREFIX not in entry["Key"]
                continue
            folder, kind = match[0], str(match.lastgroup)
            if folder not in found:
                if folder in owned or owners.own(folder, match[kind]):
                    owned = {folder}
                    self.owned += 1
                    continue
                found[folder] = Folder(kind, match[kind], entry["LastModified"])
            found[folder].add(entry)
        if found and not self.owned:
            raise Problem("orphans-all", f"comparing s3://{self.store.bucket}/{owners.root} with the database", count=len(found))
        # what was made meanwhile has a row by now
        owners = self.owners()
        return {folder: facts for folder, facts in found.items() if facts.newest < before and not owners.own(folder, facts.name)}

    def delete(self, folder: str, before: datetime.datetime) -> bool:
        """Deletes a folder, unless somebody has written to it."""
        entries = list(self.store.listing(Owners(self.store).root + folder))
        if any(entry["LastModified"] >= before for entry in entries):
            return False
        for start in range(0, len(entries), 1000):
            objects = [{"Key": entry["Key"]} for entry in entries[start : start + 1000]]
            answer = self.store.client.delete_objects(**self.store.target, Delete={"Objects": objects})
            for error in answer.get("Errors", []):
                tried = f"DELETE {error.get('Key')}"
                raise Problem(
                    "denied", tried, self.store.endpoint, f"{error.get('Code')}: {error.get('Message')}", bucket=self.store.bucket
                )
        return True


def age(text: str) -> datetime.timedelta:
    """A time as mlflow gc takes it, such as 30d or 12h30m."""
    parts = re.fullmatch(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if not parts:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 30d or 12h30m")
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def readable(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def bucket_of(arguments: list[str]) -> S3Store:
    """That of the server; no other store can be listed."""
    store = artifact_store(arguments)
    if not isinstance(store, S3Store):
        raise Problem("orphans-unsupported", "reading --artifacts-destination", form=destination_of(arguments) or "no URI")
    return store


def orphans(arguments: list[str], database: Database) -> int:
    """Reports what belongs to nobody, and deletes it where that is asked for."""
    from botocore.exceptions import BotoCoreError, ClientError

    parser = argparse.ArgumentParser(prog="start-mlflow.py gc", usage=USAGE)
    parser.add_argument("--orphans", action="store_true")
    parser.add_argument("--older-than", type=age, default="30d")
    parser.add_argument("--delete", action="store_true")
    options, _ = parser.parse_known_args(arguments)
    store = bucket_of(arguments)
    search = Orphans(store, database, registry_of(arguments, database))
    before = datetime.datetime.now(datetime.timezone.utc) - options.older_than
    try:
        store.connect()
        found = search.find(before)
        for folder, facts in sorted(found.items()):
            what = {"model": "logged model"}.get(facts.kind, facts.kind)
            files = f"{facts.files} file{'s' if facts.files > 1 else ''}, {readable(facts.size)}"
            say(f"{folder}  {files}, last written {facts.newest:%Y-%m-%d}: no {what} {facts.name}")
        deleted = [folder for folder in found if options.delete and search.delete(folder, before)]
    except (ClientError, BotoCoreError, ValueError) as error:
        raise store.problem(error, f"listing or deleting orphans in s3://{store.bucket}") from None
    total = readable(sum(facts.size for facts in found.values()))
    say(f"{len(found)} folders of {total} belong to no run, logged model or trace, and no registered model needs them")
    if search.others:
        say(f"{search.others} files are in no folder that MLflow makes, and are left alone")
    if options.delete:
        say(f"{len(deleted)} folders were deleted")
    elif found:
        say("Nothing was deleted: --delete deletes them")
    return 0
