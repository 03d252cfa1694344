"""What has been moved, looked at through the server, as a client does."""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from .mlflow_doctor import WORKSPACE_HEADER, TrackingServer, request
from .problem import Problem, say
from .relocate_files import CHUNK

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# of one place, where not all are looked at
FILES_OF_A_PLACE = 3
# how the server is asked for the place of each kind, and where its answer has it
QUESTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "experiment": ("/api/2.0/mlflow/experiments/get?experiment_id={experiment_id}", ("experiment", "artifact_location")),
    "run": ("/api/2.0/mlflow/runs/get?run_id={run_uuid}", ("run", "info", "artifact_uri")),
    "model": ("/api/2.0/mlflow/logged-models/{model_id}", ("model", "info", "artifact_uri")),
    "version": ("/api/2.0/mlflow/model-versions/get?name={name}&version={version}", ("model_version", "source")),
    "version's storage": ("/api/2.0/mlflow/model-versions/get-download-uri?name={name}&version={version}", ("artifact_uri",)),
    "trace": ("/api/3.0/mlflow/traces/{request_id}", ("trace", "trace_info", "tags", "mlflow.artifactLocation")),
}


class Moved(NamedTuple):
    """A place that has another URI now."""

    kind: str
    keys: dict[str, Any]
    workspace: str
    uri: str
    path: str


class Files(Protocol):
    """The store, as it is without the server."""

    def files(self, below: str = "") -> Iterator[Any]:
        """Those below a path."""

    def sha256(self, path: str) -> str:
        """Of one file."""


def spread(moved: list[Moved], count: int | None) -> list[Moved]:
    """Some of each kind, from all over the list; all of them without a count."""
    if count is None:
        return moved
    kinds: dict[str, list[Moved]] = {}
    for each in moved:
        kinds.setdefault(each.kind, []).append(each)
    share = max(1, count // max(1, len(kinds)))
    return [each for of_kind in kinds.values() for each in evenly(of_kind, min(share, len(of_kind)))]


def evenly(places: list[Moved], count: int) -> list[Moved]:
    return [places[len(places) * number // count] for number in range(count)]


class Check:
    def __init__(self, server: TrackingServer, store: Files, wanted: int | None) -> None:
        self.server, self.store, self.wanted = server, store, wanted
        self.wrong: list[str] = []
        self.seen: set[str] = set()
        self.bytes = 0

    def run(self, moved: list[Moved]) -> None:
        """Says what was checked, and raises where the server gives another thing than what is in the store."""
        chosen = spread(moved, self.wanted)
        before = dict(self.server.headers)
        try:
            for each in chosen:
                if WORKSPACE_HEADER in before or each.workspace != "default":
                    self.server.headers = {**before, WORKSPACE_HEADER: each.workspace}
                self.place(each)
                self.server.headers = dict(before)
        finally:
            self.server.headers = before
        if self.wrong:
            more = f" and {len(self.wrong) - 20} more" if len(self.wrong) > 20 else ""
            raise Problem("relocate-verify", "reading what was moved", self.server.uri, "; ".join(self.wrong[:20]) + more)
        say(
            f"Checked through the server: {len(chosen)} of {len(moved)} places, {len(self.seen)} files of {self.bytes} bytes, "
            "all as they are in the store"
        )

    def place(self, each: Moved) -> None:
        name = f"{each.kind} {' '.join(str(value) for value in each.keys.values())}"
        try:
            told = self.told(each)
            if told not in (None, each.uri):
                self.wrong.append(f"{name}: the server tells {told}")
                return
            if each.kind in ("experiment", "workspace"):
                # whose files are those of its runs
                return
            files = [file.path for file in self.store.files(each.path) if f"{file.path}/".startswith(f"{each.path}/")]
            for path in files if self.wanted is None else files[:FILES_OF_A_PLACE]:
                if path not in self.seen:
                    self.seen.add(path)
                    self.file(name, path)
        except Problem as problem:
            self.wrong.append(f"{name}: {problem.answer or problem.title}")

    def told(self, each: Moved) -> Any:
        """The place, as the server tells it; None where it does not."""
        if each.kind not in QUESTIONS:
            return None
        path, way = QUESTIONS[each.kind]
        keys = {name: urllib.parse.quote(str(value), safe="") for name, value in each.keys.items()}
        try:
            answer: Any = self.server.ask(path.format(**keys), f"asking for a {each.kind}")[0]
            for step in way:
                answer = answer[step]
        except (LookupError, TypeError):
            return "no place"
        except Problem as problem:
            if problem.answer.startswith("404"):
                # deleted, and kept in the database
                return None
            raise
        return answer

    def file(self, name: str, path: str) -> None:
        status, digest, size = self.download(path)
        self.bytes += size
        if status != 200:
            self.wrong.append(f"{name}: {path}: {status}")
        elif digest != self.store.sha256(path):
            self.wrong.append(f"{name}: {path}: other content than in the store")

    def download(self, path: str) -> tuple[int, str, int]:
        """Status, fingerprint and size of what the server gives. It may be too big for the memory."""
        digest, size = hashlib.sha256(), 0

        def read(answer: Any) -> bytes:
            nonlocal size
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
            return b""

        url = f"{self.server.uri}{ARTIFACTS}/{urllib.parse.quote(path)}"
        status, told = request(url, "GET", None, self.server.headers, read)
        if status == 0:
            raise self.server.problem("server-absent", "downloading an artifact", 0, told)
        return status, digest.hexdigest(), size
