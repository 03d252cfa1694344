"""What clients were told, on the disk before they go on, and what of it the server still has. Runs in the pod of the clients."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import sys
import threading
import time
import urllib.parse

import urllib3

FOLDER = pathlib.Path(os.environ.get("JOURNAL", "/journal"))
URI = os.environ.get("MLFLOW_TRACKING_URI", "")
# what clients ask for that go on asking whatever became of the request before: they tell how long nobody was answered
STEADY = ("page", "upload")
RESOLUTION = 2.0
READ_BACK = FOLDER / "read-back.json"


class Journal:
    """A file of one writer: a line is there to stay before the writer goes on."""

    def __init__(self, name, durable=True):
        FOLDER.mkdir(exist_ok=True)
        self._file = (FOLDER / f"{name}.jsonl").open("a", buffering=1)
        self._durable, self._lock = durable, threading.Lock()

    def write(self, **record):
        with self._lock:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
            if self._durable:
                os.fsync(self._file.fileno())


def records(*kinds):
    """All records of files whose names begin so."""
    for file in sorted(FOLDER.glob("*.jsonl")):
        if file.name.startswith(kinds):
            for line in file.read_text().splitlines():
                # the last line may be on its way
                if line.endswith("}"):
                    yield json.loads(line)


class Server:
    """The tracking server, asked by whoever reads back."""

    def __init__(self):
        self._pool = urllib3.PoolManager(
            maxsize=8, retries=urllib3.Retry(6, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504))
        )

    def json(self, path, **query):
        answer = self._pool.request("GET", f"{URI}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}")
        if answer.status != 200:
            raise LookupError(f"{path} {query}: {answer.status} {answer.data[:200]!r}")
        return answer.json()

    def sha256(self, path):
        url = f"{URI}/api/2.0/mlflow-artifacts/artifacts/{path}"
        answer = self._pool.request("GET", url, preload_content=False)
        try:
            if answer.status != 200:
                raise LookupError(f"{path}: {answer.status} {answer.read(200)!r}")
            digest = hashlib.sha256()
            for chunk in answer.stream(2**20):
                digest.update(chunk)
            return digest.hexdigest()
        finally:
            answer.release_conn()


def read_back(record, server, runs):
    """Raises where the server has not what it acknowledged, or has another."""
    kind = record["kind"]
    if kind in ("artifact", "upload", "slow", "model"):
        for path, digest in record["files"].items():
            if server.sha256(path) != digest:
                raise LookupError(f"{path}: other bytes than were acknowledged")
    if kind == "model":
        version = server.json("model-versions/get", name=record["name"], version=record["version"])["model_version"]
        if version["run_id"] != record["run"] or version.get("status", "READY") != "READY":
            raise LookupError(f"version {record['version']} of {record['name']}: {version}")
    elif kind == "metric":
        history = server.json("metrics/get-history", run_id=record["run"], metric_key=record["key"]).get("metrics", [])
        if not any((int(m.get("step", 0)), m["value"]) == (record["step"], record["value"]) for m in history):
            raise LookupError(f"{record['key']} at step {record['step']} of run {record['run']}")
    elif kind in ("run", "batch", "end"):
        if record["run"] not in runs:
            runs[record["run"]] = server.json("runs/get", run_id=record["run"])["run"]
        run = runs[record["run"]]
        params = {param["key"]: param["value"] for param in run["data"].get("params", [])}
        if kind == "batch" and not record["params"].items() <= params.items():
            raise LookupError(f"params of run {record['run']}: {params}")
        if kind == "end" and run["info"]["status"] != "FINISHED":
            raise LookupError(f"run {record['run']} is {run['info']['status']}")


def read_all_back():
    """Reads back whatever was ever acknowledged, once; what came of it stays beside the journal."""
    server, runs = Server(), {}

    def found(record):
        try:
            read_back(record, server, runs)
        except (LookupError, urllib3.exceptions.HTTPError) as error:
            return record["end"], str(error)
        return record["end"], ""

    written = [record for record in records("client", "probe") if record.get("acknowledged")]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(found, written))
    READ_BACK.write_text(json.dumps(results))
    return {"checked": len(results), "lost": [error for _, error in results if error]}


def checked(start, end):
    """How many of the writes that were acknowledged in a time were read back, and what was not there."""
    results = [error for when, error in json.loads(READ_BACK.read_text()) if start <= when <= end]
    return {"checked": len(results), "lost": [error for error in results if error]}


def told(start, end):
    """What clients saw of a time: those of MLflow, and those that send nothing twice."""
    clients = [r for r in records("client") if r["start"] < end and r["end"] > start]
    probes = [r for r in records("probe") if r["start"] < end and r["end"] > start]
    failed = [r for r in probes if "error" in r]
    outage = 0.0
    for kind in STEADY:
        ends = sorted(r["end"] for r in probes if r["steady"] and r["kind"] == kind and "error" not in r)
        gaps = (later - earlier for earlier, later in zip(ends, ends[1:]))
        outage = max([outage, *gaps])
    errors = [r for r in clients if "error" in r]
    slowest = max(clients + probes, key=lambda r: r["end"] - r["start"], default=None)
    return {
        "requests": len(probes),
        "failed": len(failed),
        "failures": [f"{r['start'] - start:.1f} s {r['kind']}: {r['error']}" for r in failed[:6]],
        "errors": [f"{r['start'] - start:.1f} s {r['kind']}: {r['error']}" for r in errors],
        "outage": round(outage, 1) if outage > RESOLUTION else 0.0,
        "longest": round(slowest["end"] - slowest["start"], 1) if slowest else 0.0,
        "slowest": f"{slowest['start'] - start:.1f} s {slowest['kind']}: {slowest.get('error', 'answered')}" if slowest else "",
    }


def healthy(since):
    """Whether each kind of request was answered well three times in a row since then, without one that failed after."""
    latest = {}
    for record in records("probe"):
        if record["start"] > since and record["kind"] != "slow":
            good = latest.setdefault((record["kind"], record["steady"]), [])
            good.append((record["start"], "error" not in record))
    kinds = len(STEADY) + 3
    return len(latest) == kinds and all(len(v) >= 3 and all(ok for _, ok in sorted(v)[-3:]) for v in latest.values())


def state(path, digest):
    """What there is of an upload that was not acknowledged."""
    try:
        return "whole" if Server().sha256(path) == digest else "half"
    except LookupError as error:
        return "absent" if f"{path}: 404 " in str(error) else str(error)


def main(command, *times):
    if command == "now":
        return time.time()
    if command == "writes":
        return sum(1 for record in records("client") if record.get("acknowledged"))
    if command == "read-back":
        return read_all_back()
    if command == "state":
        return state(*times)
    return {"checked": checked, "told": told, "healthy": healthy}[command](*map(float, times))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
