"""What one call, one file and one GiB take of server and stores: a line of JSON for each figure of cli/capacity/measured.json.

costs.py JSON   with what costs.suite.ts says of the servers and of the size of the measurement. Seconds of CPU and bytes, which a
busy machine changes least.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import mlflow
import psycopg2
from mlflow import MlflowClient

from clients import ask, connect, new_run, random_file, search
from measuring import EVERY_SECONDS, KIBIBYTE, MEBIBYTE, TICKS, Server, at_once, report, smaps, stat

CPU = "ms of CPU"
PART = "What a call, a file and a GiB take"
SMALL = 256 * KIBIBYTE
# what changes a folder, or waits for the disk; to look something up is answered from memory
CHANGES = (
    "Mkdir",
    "MkdirAll",
    "Rename",
    "Rename2",
    "Remove",
    "RemoveAll",
    "Create",
    "OpenFileW",
    "OpenFileDirectIO",
    "Fdatasync",
    "Sync",
)
# those that mlflow.start_run gives to each run
TAGS = ["mlflow.user", "mlflow.source.name", "mlflow.source.type", "mlflow.runName"]
NOW = 1_700_000_000_000


class Store:
    """A store on this machine: processes, with those that they have started."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids

    def processes(self) -> list[int]:
        parents: dict[int, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int(stat(int(folder.name))[1])
        found = list(self._pids)
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def cpu(self) -> float:
        """Seconds of CPU, those of processes that have ended among them."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                total += sum(int(field) for field in stat(pid)[11:15])
        return total / TICKS

    def memory(self) -> float:
        return sum(smaps(pid, "Pss") for pid in self._pids)


class Figures:
    """Prints figures by their names."""

    def __init__(self, postgres: str) -> None:
        self.mlflow, self.postgres = f"MLflow {mlflow.__version__}", f"PostgreSQL {int(postgres) // 10_000}"
        self._taken: dict[str, list[float]] = {}
        self._about: dict[str, tuple[str, str, str]] = {}

    def add(self, figure: str, what: str, who: str, unit: str, value: float) -> None:
        self._taken.setdefault(figure, []).append(value)
        self._about[figure] = (what, who, unit)

    def print(self) -> None:
        for figure, values in self._taken.items():
            what, who, unit = self._about[figure]
            report(PART, what, who, values, unit=unit, figure=figure)


class Database:
    """PostgreSQL, and what it says of itself."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.store = Store([given["pid"]])
        self._connection = psycopg2.connect(given["uri"], user=given["user"], password=given["password"])
        self._connection.autocommit = True

    def ask(self, query: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]

    def rows(self) -> int:
        """Bytes of tables and indexes."""
        of = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
        return int(self.ask(f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE {of}"))  # noqa: S608

    def log(self, wait: float) -> tuple[float, float]:
        """Bytes of the log (WAL), and how often it was brought to the disk."""
        # the processes tell what they have counted after a while
        time.sleep(wait)
        return float(self.ask("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")), float(self.ask("SELECT wal_sync FROM pg_stat_wal"))

    def backends(self) -> list[int]:
        """Processes of the connections of servers."""
        return list(self.ask("SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity WHERE usename = 'mlflow'"))


def calls(given: dict[str, Any], figures: Figures) -> None:
    """Each kind of call, one after the other, over one connection."""
    server, database = Server(**given["server"]), Database(given["postgres"])
    connection, number, runs = connect(server.url), itertools.count(), []

    def create_run() -> None:
        tags = [{"key": tag, "value": f"{tag} of a run"} for tag in TAGS]
        runs.append(
            ask(connection, "runs/create", {"experiment_id": "0", "start_time": 1, "tags": tags})["run"]["info"]["run_id"]
        )

    def log_batch(metrics: int, params: int) -> None:
        """One for each run. As a run has them, metrics are 20 or fewer, each with several steps."""
        batch = {
            "metrics": [
                {"key": f"metric {index % 20}", "value": index / 7, "timestamp": NOW + index, "step": index // 20}
                for index in range(metrics)
            ],
            "params": [{"key": f"parameter {index}", "value": "0.001"} for index in range(params)],
        }
        ask(connection, "runs/log-batch", {"run_id": runs[next(number) % len(runs)], **batch})

    def update_run() -> None:
        ended = {"status": "FINISHED", "end_time": NOW}
        ask(connection, "runs/update", {"run_id": runs[next(number) % len(runs)], **ended})

    kinds: list[tuple[str, str, Callable[[], None]]] = [
        ("createRun", "`create_run`", create_run),
        ("logParams", "`log_batch` of 10 parameters", lambda: log_batch(0, 10)),
        ("logMetric", "`log_batch` of 1 metric", lambda: log_batch(1, 0)),
        ("logMetrics", "`log_batch` of 100 metrics", lambda: log_batch(100, 0)),
        ("updateRun", "`update_run`, its end", update_run),
        ("searchRuns", "`search_runs`, 20 of them", lambda: search(connection)),
    ]
    who, calls, rounds = figures.postgres, given["calls"], given["rounds"]
    figures.add(
        "database.empty", "an empty database", who, "MiB", database.ask("SELECT pg_database_size(current_database())") / MEBIBYTE
    )
    for name, what, action in kinds:
        for _ in range(10):
            action()
        rows, log = database.rows(), database.log(given["wait"])
        for _ in range(rounds):
            of_server, of_database = server.cpu(), database.store.cpu()
            for _ in range(calls):
                action()
            figures.add(f"{name}.server", what, figures.mlflow, CPU, 1000 * (server.cpu() - of_server) / calls)
            figures.add(f"{name}.postgres", what, who, CPU, 1000 * (database.store.cpu() - of_database) / calls)
        written, synced = (now - then for now, then in zip(database.log(given["wait"]), log))
        figures.add(f"{name}.wal", what, f"{who}, log (WAL)", "bytes", written / (calls * rounds))
        figures.add(f"{name}.syncs", what, f"{who}, log (WAL)", "syncs", synced / (calls * rounds))
        figures.add(f"{name}.rows", what, f"{who}, tables and indexes", "bytes", (database.rows() - rows) / (calls * rounds))


def connections(given: dict[str, Any], figures: Figures) -> None:
    """Memory of PostgreSQL, itself and for each connection of a server that many ask at once."""
    database, over = Database(given["postgres"]), time.monotonic() + given["seconds"]

    def client(_: int) -> None:
        connection = connect(given["server"]["url"])
        while time.monotonic() < over:
            search(connection)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(client, range(16)))
    backends = database.backends()
    memory = {pid: smaps(pid, "Pss") - smaps(pid, "Pss_Shmem") for pid in database.store.processes()}
    own = sum(mebibytes for pid, mebibytes in memory.items() if pid not in backends)
    shared = database.ask("SELECT setting::float * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'")
    what = "memory without connections, all shared buffers in use"
    figures.add("memory.postgres", what, figures.postgres, "MiB", shared + own)
    figures.add(
        "memory.connection", "memory of a connection", figures.postgres, "MiB", statistics.mean(memory[pid] for pid in backends)
    )


@contextlib.contextmanager
def watched(memories: list[Callable[[], float]]) -> Iterator[list[float]]:
    """The most memory of each, while the block runs."""
    most, over = [0.0 for _ in memories], threading.Event()

    def watch() -> None:
        while True:
            for index, memory in enumerate(memories):
                with contextlib.suppress(OSError):
                    most[index] = max(most[index], memory())
            if over.wait(EVERY_SECONDS):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


@contextlib.contextmanager
def changes(trace: dict[str, Any], found: list[int]) -> Iterator[None]:
    """Appends how often MinIO changed its file system: mkdir, rename and the like."""
    with subprocess.Popen(trace["command"], env={**os.environ, **trace["env"]}, stdout=subprocess.PIPE, text=True) as tracing:
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(tracing.stdout or ()))
        reader.start()
        time.sleep(2)
        yield
        time.sleep(2)
        tracing.terminate()
        reader.join()
    # in one line each, or in several
    found.append(sum(call in CHANGES for call in re.findall(r'"api": ?"os\.(\w+)"', "".join(lines))))


def on_disk(folders: list[str]) -> tuple[int, int]:
    """Bytes and files, folders among them."""
    taken = inodes = 0
    for folder, names, files in itertools.chain(*(os.walk(folder) for folder in folders)):
        inodes += len(names) + len(files)
        taken += sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for name in (*names, *files))
    return taken, inodes


class Through:
    """Files by the official client through the server, which has a store of one server."""

    def __init__(self, given: dict[str, Any], figures: Figures) -> None:
        server = Server(**given["server"])
        self._url = server.url
        self._run = ""
        postgres, self.store = Store([given["postgres"]["pid"]]), Store([given["minio"]["pid"]])
        self.trace = given["minio"]["trace"]
        self.folders = [given["minio"]["data"]]
        self.name, self.who = "minio", "MinIO, one server"
        self.parts = {
            "server": (figures.mlflow, server.cpu),
            "postgres": (figures.postgres, postgres.cpu),
            "minio": (self.who, self.store.cpu),
        }

    def prepare(self) -> None:
        self._run = new_run(self._url)

    def up(self, source: Path) -> None:
        client = MlflowClient(self._url)
        if source.is_dir():
            client.log_artifacts(self._run, str(source), source.name)
        else:
            client.log_artifact(self._run, str(source))

    def down(self, source: Path, target: str) -> None:
        MlflowClient(self._url).download_artifacts(self._run, source.name, target)


class Four:
    """Files by boto3 straight to a store of four servers."""

    trace = None

    def __init__(self, given: dict[str, Any]) -> None:
        four = given["four"]
        keys = {"aws_access_key_id": four["user"], "aws_secret_access_key": four["password"]}
        self._client = boto3.client("s3", endpoint_url=four["url"], **keys)
        self.store = Store(four["pids"])
        self.folders = four["data"]
        self.name, self.who = "fourMinios", "MinIO, four servers together"
        self.parts = {"fourMinios": (self.who, self.store.cpu)}

    def make_bucket(self) -> None:
        self._client.create_bucket(Bucket="four")

    def prepare(self) -> None:
        """Nothing: the files of before are written over."""

    def up(self, source: Path) -> None:
        for file in self._files(source):
            self._client.upload_file(str(file), "four", f"{source.name}/{file.name}")

    def down(self, source: Path, target: str) -> None:
        for file in self._files(source):
            self._client.download_file("four", f"{source.name}/{file.name}", f"{target}/{file.name}")

    @staticmethod
    def _files(source: Path) -> list[Path]:
        return sorted(source.iterdir()) if source.is_dir() else [source]


def transfers(given: dict[str, Any], figures: Figures, way: Through | Four, folder: Path) -> None:
    """A large file, and a folder of small ones, up and down."""
    small, large = folder / "small", folder / "large"

    def taken(figure: str, what: str, of: float, act: Callable[[], None]) -> None:
        before = {part: cpu() for part, (_, cpu) in way.parts.items()}
        act()
        for part, (who, cpu) in way.parts.items():
            figures.add(f"{figure}.{part}", what, who, CPU, 1000 * (cpu() - before[part]) / of)

    # what is imported and opened with the first is none of it
    way.prepare()
    way.up(small)
    if way.trace:
        found: list[int] = []
        with changes(way.trace, found):
            way.up(small)
        figures.add(
            "upFile.minioChanges", "a file of 256 KiB up", way.who, "changes of its file system", found[0] / given["files"]
        )
    for name, source, of, what in (
        ("File", small, given["files"], "a file of 256 KiB"),
        ("Gib", large, given["mebibytes"] / KIBIBYTE, "a GiB of large files"),
    ):
        for number in range(given["rounds"]):
            way.prepare()
            disk = on_disk(way.folders)
            taken(f"up{name}", f"{what} up", of, functools.partial(way.up, source))
            size, inodes = (now - then for now, then in zip(on_disk(way.folders), disk))
            with tempfile.TemporaryDirectory(dir=folder) as target:
                taken(f"down{name}", f"{what} down", of, functools.partial(way.down, source, target))
            # a file that is written over is there already
            if number == 0:
                who = f"{way.who}, on the disk"
                figures.add(f"up{name}.{way.name}Bytes", f"{what} up", who, "KiB", size / KIBIBYTE / of)
                figures.add(f"up{name}.{way.name}Inodes", f"{what} up", who, "files and folders", inodes / of)


def idle(given: dict[str, Any], figures: Figures) -> None:
    """Memory of servers that have answered some calls."""
    for server, workers in zip((given["server"], *given["more"]), (1, *given["workers"])):
        for _ in range(20 * workers):
            # each over a connection of its own, which any worker may take
            search(connect(server["url"]))
        what = f"memory, {workers} worker{'' if workers == 1 else 's'}"
        figures.add(f"memory.workers{workers}", what, figures.mlflow, "MiB", Server(**server).memory())


def crowd(given: dict[str, Any], figures: Figures, four: Four, folder: Path) -> None:
    """Memory of server and stores that handle eight transfers at once."""
    server, minio = Server(**given["server"]), Store([given["minio"]["pid"]])
    url = server.url
    source = folder / "crowd"
    random_file(source, given["crowd"] * MEBIBYTE)

    def through(number: int) -> None:
        client, run = MlflowClient(url), new_run(url)
        client.log_artifact(run, str(source))
        with tempfile.TemporaryDirectory(dir=folder) as target:
            client.download_artifacts(run, source.name, target)

    def straight(number: int) -> None:
        renamed = folder / f"crowd-{number}"
        os.link(source, renamed)
        # of this process, and with connections of its own
        own = Four(given)
        with tempfile.TemporaryDirectory(dir=folder) as target:
            own.up(renamed)
            own.down(renamed, target)

    with watched([server.memory, minio.memory]) as most:
        at_once(through, range(8))
    figures.add("memory.crowd", "memory, 1 worker, 8 transfers at once", figures.mlflow, "MiB", most[0])
    figures.add("memory.minio", "memory, 8 transfers at once", "MinIO, one server", "MiB", most[1])
    with watched([four.store.memory]) as most:
        at_once(straight, range(8))
    figures.add("memory.fourMinios", "memory, 8 transfers at once", four.who, "MiB", most[0])


def main() -> None:
    given, folder = json.loads(sys.argv[1]), Path(tempfile.mkdtemp(prefix="costs-"))
    figures = Figures(Database(given["postgres"]).ask("SHOW server_version_num"))
    try:
        (folder / "small").mkdir()
        for number in range(given["files"]):
            random_file(folder / "small" / f"{number:05d}", SMALL)
        random_file(folder / "large", given["mebibytes"] * MEBIBYTE)
        idle(given, figures)
        calls(given, figures)
        connections(given, figures)
        four = Four(given)
        four.make_bucket()
        for way in (Through(given, figures), four):
            transfers(given, figures, way, folder)
        crowd(given, figures, four, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures.print()


if __name__ == "__main__":
    main()
