"""What clients do while a clock runs: a line of JSON for each row of a table of docs/reference/benchmarks.md.

clients.py COMMAND JSON   with what servers.suite.ts says of the servers and of the size of the measurement.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import mlflow
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from measuring import FORK, KIBIBYTE, MEBIBYTE, Server, Taken, at_once, in_turn, measured, report, report_pairs

# as many as boto3 itself has for one large file
THREADS = 10
# how often somebody asks beside transfers
ASKS_EVERY_SECONDS = 0.1


def s3() -> Any:
    return boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])


def random_file(path: Path, size: int) -> None:
    block = os.urandom(MEBIBYTE)
    with path.open("wb") as file:
        for start in range(0, size, MEBIBYTE):
            # no two blocks are the same
            file.write((start.to_bytes(8, "big") + block)[: min(MEBIBYTE, size - start)])


def new_run(url: str) -> str:
    return str(MlflowClient(url).create_run("0").info.run_id)


class Direct:
    """boto3 straight to the store."""

    name = "boto3, straight to MinIO"
    server = None

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = s3()

    def up(self, source: Path, name: str) -> None:
        if source.is_file():
            self._client.upload_file(str(source), self._bucket, f"direct/{name}")
            return
        with ThreadPoolExecutor(THREADS) as threads:
            work = [
                threads.submit(self._client.upload_file, str(file), self._bucket, f"direct/{name}/{file.name}")
                for file in source.iterdir()
            ]
            for one in work:
                one.result()

    def down(self, source: Path, name: str, target: Path) -> None:
        if source.is_file():
            self._client.download_file(self._bucket, f"direct/{name}", str(target / source.name))
            return
        with ThreadPoolExecutor(THREADS) as threads:
            work = [
                threads.submit(self._client.download_file, self._bucket, f"direct/{name}/{file.name}", str(target / file.name))
                for file in source.iterdir()
            ]
            for one in work:
                one.result()


class Official:
    """The official client, which knows the URI of the server and nothing else."""

    def __init__(self, server: Server) -> None:
        self.name = server.name
        self.server = server
        self._client = MlflowClient(server.url)
        self._runs: dict[str, str] = {}

    def up(self, source: Path, name: str) -> None:
        run = self._runs[name]
        if source.is_file():
            self._client.log_artifact(run, str(source))
        else:
            self._client.log_artifacts(run, str(source), source.name)

    def down(self, source: Path, name: str, target: Path) -> None:
        self._client.download_artifacts(self._runs[name], source.name, str(target))

    def prepare(self, name: str) -> None:
        self._runs[name] = new_run(self.server.url)


def transfers(part: str, what: str, source: Path, given: dict[str, Any], target: float) -> None:
    """A file, or a folder of files, up and down: straight to the store, and through servers."""
    direct = Direct(given["bucket"])
    through = [Official(Server(**server)) for server in given["servers"]]
    for way in through:
        for number in range(given["rounds"]):
            way.prepare(str(number))
    up: dict[str, list[Taken]] = {way.name: [] for way in (direct, *through)}
    down: dict[str, list[Taken]] = {way.name: [] for way in (direct, *through)}

    def upload(way: Direct | Official, number: int) -> None:
        with measured(way.server, up[way.name]):
            way.up(source, str(number))

    def download(way: Direct | Official, number: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with measured(way.server, down[way.name]):
                way.down(source, str(number), Path(folder))
            if sizes(Path(folder)) != sizes(source):
                raise AssertionError(f"{way.name}: what came back is not what went")

    # once for what is imported and opened with the first
    for way in through:
        way.prepare("first")
    small = source.parent / "first"
    random_file(small, KIBIBYTE)
    for way in (direct, *through):
        way.up(small, "first")
    for name, work in (("up", upload), ("down", download)):
        in_turn({way.name: functools.partial(work, way) for way in (direct, *through)}, given["rounds"])
        report_pairs(part, f"{what} {name}", up if name == "up" else down, target)


def sizes(path: Path) -> list[int]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sorted(file.stat().st_size for file in files)


def large(given: dict[str, Any], folder: Path) -> None:
    source = folder / "large"
    random_file(source, given["mebibytes"] * MEBIBYTE)
    transfers("One large file", size_name(given["mebibytes"]), source, given, 1.25)


def small(given: dict[str, Any], folder: Path) -> None:
    source = folder / "small"
    source.mkdir()
    for number in range(given["count"]):
        random_file(source / f"{number:05d}", 100 * KIBIBYTE)
    transfers("Many small files", f"{given['count']:,} × 100 KiB", source, given, 1.8)


def size_name(mebibytes: int) -> str:
    return f"{mebibytes // KIBIBYTE} GiB" if mebibytes % KIBIBYTE == 0 else f"{mebibytes} MiB"


def ask(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    connection.request("POST", f"/api/2.0/mlflow/{path}", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise AssertionError(f"{path}: {answer.status} {text[:200]!r}")
    return json.loads(text)


def connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)


def search(connection: http.client.HTTPConnection) -> None:
    ask(connection, "runs/search", {"experiment_ids": ["0"], "max_results": 20})


def answer_times(urls: list[str], over: Any) -> list[list[float]]:
    """Seconds of calls for metadata of each server, one after the other, until it is over."""
    connections = [connect(url) for url in urls]
    for connection in connections:
        # the first one is that of a connection, and of a server that has been idle
        search(connection)
    times: list[list[float]] = [[] for _ in urls]
    for connection, taken in itertools.cycle(zip(connections, times)):
        if over.is_set() and all(times):
            break
        started = time.monotonic()
        search(connection)
        taken.append(time.monotonic() - started)
        over.wait(ASKS_EVERY_SECONDS)
    return times


def ask_beside(urls: list[str], over: Any, results: Any) -> None:
    results.put(answer_times(urls, over))


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def crowd(given: dict[str, Any], folder: Path) -> None:
    """Clients that all bring, and then fetch, a large file at once; somebody asks for metadata beside.

    And asks a second server, which has nothing else to do, to compare with.
    """
    part, count = "A crowd", given["clients"]
    server, idler = (Server(**server) for server in given["servers"])
    source = folder / "crowd"
    random_file(source, given["mebibytes"] * MEBIBYTE)
    what = f"{count} clients × {size_name(given['mebibytes'])}"
    runs = [new_run(server.url) for _ in range(count)]

    def beside(work: Callable[[], None]) -> list[float]:
        """The p95 of the calls of each of the servers."""
        over, results = FORK.Event(), FORK.Queue()
        asking = FORK.Process(target=ask_beside, args=([server.url, idler.url], over, results))
        asking.start()
        try:
            work()
        finally:
            over.set()
        times: list[list[float]] = results.get(timeout=120)
        asking.join()
        return [p95(of_one) for of_one in times]

    def up(run: str) -> None:
        MlflowClient(server.url).log_artifact(run, str(source))

    def down(run: str) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as target:
            path = MlflowClient(server.url).download_artifacts(run, source.name, target)
            if sizes(Path(path)) != sizes(source):
                raise AssertionError("what came back is not what went")

    idle = beside(lambda: time.sleep(given["idle"]))
    report(part, "a call for metadata, p95", "nobody beside it", idle[:1], memory=server.memory())
    report(part, "a call for metadata, p95", f"nobody beside it, {idler.name}", idle[1:])
    for name, action in (("up", up), ("down", down)):
        taken: list[Taken] = []
        with measured(server, taken):
            times = beside(functools.partial(at_once, action, runs))
        ratios = [busy / alone for busy, alone in zip(times, idle)]
        [one] = taken
        report(
            part,
            f"{what} {name}",
            server.name,
            [one.seconds],
            cpu=one.cpu,
            memory=one.memory,
            targetMemory=700,
            disk=one.disk,
            targetDisk=100,
        )
        report(part, "a call for metadata, p95", f"{what} {name} beside it", times[:1], ratios=ratios[:1], target=5)
        report(part, "a call for metadata, p95", f"{what} {name} beside it, {idler.name}", times[1:], ratios=ratios[1:])


def listing(given: dict[str, Any], folder: Path) -> None:
    """A folder of many files, listed and deleted by servers in turn."""
    count, servers = given["count"], [Server(**server) for server in given["servers"]]
    part, client = "Many files in one folder", s3()
    listed: dict[str, list[Taken]] = {server.name: [] for server in servers}
    deleted: dict[str, list[Taken]] = {server.name: [] for server in servers}

    def measure(server: Server, _: int) -> None:
        run = MlflowClient(server.url).get_run(new_run(server.url))
        uri = run.info.artifact_uri
        mlflow.set_tracking_uri(server.url)
        repository = get_artifact_repository(uri)
        key = uri.removeprefix("mlflow-artifacts:/").lstrip("/")
        with ThreadPoolExecutor(THREADS) as threads:
            list(
                threads.map(
                    lambda number: client.put_object(Bucket=given["bucket"], Key=f"{key}/many/{number:05d}", Body=b"x"),
                    range(count),
                )
            )
        with measured(server, listed[server.name]):
            found = repository.list_artifacts("many")
        if len(found) != count:
            raise AssertionError(f"{len(found)} of {count} files are listed")
        with measured(server, deleted[server.name]):
            repository.delete_artifacts()
        if client.list_objects_v2(Bucket=given["bucket"], Prefix=key).get("KeyCount") != 0:
            raise AssertionError("files are left")

    in_turn({server.name: functools.partial(measure, server) for server in servers}, given["rounds"])
    report_pairs(part, f"list {count:,} files", listed, 1.0)
    report_pairs(part, f"delete {count:,} files", deleted, 1.0)


class Metadata:
    """A client that asks without a pause."""

    def __init__(self, url: str, number: int) -> None:
        self._connection = connect(url)
        self._number = number
        self._steps = itertools.count()
        self._run = ""

    def create_run(self) -> None:
        self._run = ask(self._connection, "runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]

    def log_batch(self) -> None:
        if not self._run:
            self.create_run()
        step = next(self._steps)
        metrics = [{"key": f"metric {index}", "value": index, "timestamp": 1, "step": step} for index in range(20)]
        ask(self._connection, "runs/log-batch", {"run_id": self._run, "metrics": metrics})

    def search_runs(self) -> None:
        search(self._connection)


def call_all_the_time(url: str, numbers: range, call: str, seconds: float, begin: Any, results: Any) -> None:
    """As many clients as there are numbers, each in a thread; puts how often they were answered, or what went wrong."""

    def one(number: int) -> int:
        client = Metadata(url, number)
        action = getattr(client, call)
        try:
            action()
            begin.wait()
        except Exception:
            begin.abort()
            raise
        answers, ends = 0, time.monotonic() + seconds
        while time.monotonic() < ends:
            action()
            answers += 1
        return answers

    with ThreadPoolExecutor(len(numbers)) as threads:
        clients = [threads.submit(one, number) for number in numbers]
    errors = [client.exception() for client in clients if client.exception()]
    results.put((0 if errors else sum(client.result() for client in clients), [repr(error) for error in errors]))


class Refused(AssertionError):
    """A server does not answer each of its clients."""


def rate(server: Server, call: str, count: int, seconds: float) -> tuple[float, float]:
    """Calls that a server answers in a second, of so many clients at once; and its memory."""
    results, begin = FORK.Queue(), FORK.Barrier(count + 1)
    # two processes, so that the clients are not slower than what they measure
    groups = [numbers for numbers in (range(0, count, 2), range(1, count, 2)) if numbers]
    clients = [
        FORK.Process(target=call_all_the_time, args=(server.url, numbers, call, seconds, begin, results)) for numbers in groups
    ]
    for client in clients:
        client.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        begin.wait()
    taken: list[Taken] = []
    with measured(server, taken):
        answers = [results.get(timeout=seconds + 120) for _ in clients]
    for client in clients:
        client.join()
    # who waits for one that failed knows nothing of it
    errors = sorted(itertools.chain(*(errors for _, errors in answers)), key=lambda error: "BrokenBarrier" in error)
    if errors:
        raise Refused(f"{server.name}, {call}, {count} clients: {errors[0]}")
    return sum(answered for answered, _ in answers) / taken[0].seconds, taken[0].memory


def metadata(given: dict[str, Any], folder: Path) -> None:
    """Calls a second of servers in turn. MLflow by itself refuses some of many clients, and has no figure then."""
    servers = [Server(**server) for server in given["servers"]]
    for call, count in itertools.product(("create_run", "log_batch", "search_runs"), given["clients"]):
        measures: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}

        def measure(server: Server, _: int, call: str = call, count: int = count, measures: Any = measures) -> None:
            try:
                measures[server.name].append(rate(server, call, count, given["seconds"]))
            except Refused as error:
                if server != servers[0]:
                    raise
                print(error, file=sys.stderr)

        in_turn({server.name: functools.partial(measure, server) for server in servers}, given["rounds"])
        first = [value for value, _ in measures[servers[0].name]]
        if len(first) < given["rounds"]:
            del measures[servers[0].name]
        for server in (server for server in servers if server.name in measures):
            values = [value for value, _ in measures[server.name]]
            more: dict[str, Any] = {"memory": max(memory for _, memory in measures[server.name])}
            if server != servers[0] and servers[0].name in measures:
                more["ratios"] = [value / before for value, before in zip(values, first)]
            what = f"`{call}`, {count} client{'' if count == 1 else 's'}"
            report("Metadata", what, server.name, values, unit="/s", **more)


COMMANDS = {command.__name__: command for command in (large, small, crowd, listing, metadata)}


def main() -> None:
    name, given = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        COMMANDS[name](json.loads(given), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
