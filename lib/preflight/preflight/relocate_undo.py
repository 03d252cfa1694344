"""The undo file of a relocation: each value that was replaced, and by what."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import os
import re
import tempfile
from typing import Any

from .problem import Problem, say
from .relocate_rows import COLUMNS, REGISTRY, Change

# where the artifact store has them, below its root: no experiment is there, and no clean-up
FOLDER = ".mlflow-relocations"
FORMAT = 1


class Undo:
    """What is in an undo file: the changes in the database of the server, and in that of a registry of its own."""

    def __init__(self, destination: str, changes: list[list[Change]]) -> None:
        self.destination, self.changes = destination, changes

    def content(self) -> bytes:
        made = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        lines: list[Any] = [{"relocation": FORMAT, "made": made, "destination": self.destination}]
        for number, changes in enumerate(self.changes):
            lines += [[number, each.column.kind, each.keys, each.old, each.new] for each in changes]
        return gzip.compress("\n".join(json.dumps(line) for line in lines).encode(), mtime=0)


def undo_name(content: bytes) -> str:
    """Its name says what is in it: clients of the server may write into the store, and no other file fits this name."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y%m%d-%H%M%S}-{hashlib.sha256(content).hexdigest()[:32]}.jsonl.gz"


def repository(destination: str) -> Any:
    """What MLflow has for the store. To import it takes seconds, and more for the first time."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(destination)


def keep(undo: Undo, store: Any, folder: str) -> str:
    """Puts an undo file into the artifact store, and into a folder if one is given."""
    content = undo.content()
    name = undo_name(content)
    for place in [folder] if folder else []:
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, name), "wb") as file:
            file.write(content)
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, name)
        with open(path, "wb") as file:
            file.write(content)
        store.log_artifact(path, FOLDER)
    return name


def read(given: str, destination: str) -> Undo:
    """An undo file, by its path here or its name in the artifact store."""
    name = os.path.basename(given)
    form = re.fullmatch(r"\d{8}-\d{6}-([0-9a-f]{32})\.jsonl\.gz", name)
    if not form:
        raise Problem("relocate-undo", f"reading {given}", form="its name is none that relocate --apply gives")
    content = content_of(given, name, destination)
    if hashlib.sha256(content).hexdigest()[:32] != form[1]:
        raise Problem("relocate-undo", f"reading {given}", form="its content is another than its name says")
    header, *lines = (json.loads(line) for line in gzip.decompress(content).decode().split("\n"))
    if header["destination"] != destination:
        form_of = f"it is of a server with {header['destination']}, and this one has {destination}"
        raise Problem("relocate-undo", f"reading {given}", form=form_of)
    kinds = {column.kind: column for column in COLUMNS + REGISTRY}
    changes: list[list[Change]] = [[], []]
    for number, kind, keys, old, new in lines:
        changes[number].append(Change(kinds[kind], keys, old, new))
    say(f"{name} has {len(lines)} changes of {header['made']}")
    return Undo(destination, changes)


def content_of(given: str, name: str, destination: str) -> bytes:
    if os.path.isfile(given):
        with open(given, "rb") as file:
            return file.read()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            path = repository(destination).download_artifacts(f"{FOLDER}/{name}", temporary)
            with open(path, "rb") as file:
                return file.read()
    except Exception as error:
        # each store has errors of its own
        tried = f"reading {FOLDER}/{name} in {destination}"
        raise Problem("relocate-undo", tried, answer=str(error), form="the artifact store does not give it") from None
