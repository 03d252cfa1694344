"""Writes into old experiments while they are moved, with a journal of what was acknowledged.

python write.py JOURNAL EXPERIMENT...   with the keys of the bucket, until JOURNAL.stop is there
python write.py JOURNAL --read          without any: all that the journal has is read back
The server is that in MLFLOW_TRACKING_URI.
"""

import concurrent.futures
import json
import os
import sys
import tempfile
import threading

import mlflow
from mlflow import MlflowClient

errors: list[str] = []
lock = threading.Lock()


def note(journal, **line):
    with lock:
        journal.write(json.dumps(line) + "\n")
        journal.flush()
        os.fsync(journal.fileno())


def in_flight(client, journal, experiment, stop):
    """One run all the time: the client keeps the place that the run had at its start."""
    run = client.create_run(experiment).info
    number = 0
    while not os.path.exists(stop):
        number += 1
        client.log_text(run.run_id, f"{number}", f"{number}.txt")
        client.log_metric(run.run_id, "n", number, step=number)
        note(journal, kind="in flight", run=run.run_id, file=f"{number}.txt", text=f"{number}", n=number, uri=run.artifact_uri)


def fresh(client, journal, experiment, stop):
    """A run after the other, each with a file and a tag."""
    while not os.path.exists(stop):
        run = client.create_run(experiment).info
        client.log_text(run.run_id, run.run_id, "a.txt")
        client.set_terminated(run.run_id)
        note(journal, kind="new", run=run.run_id, file="a.txt", text=run.run_id, uri=run.artifact_uri)


def write(path, experiments):
    client, stop = MlflowClient(), f"{path}.stop"
    with open(path, "a") as journal, concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(work, client, journal, place, stop) for place in experiments for work in (in_flight, fresh)]
        for job in jobs:
            try:
                job.result()
            except Exception as error:
                errors.append(repr(error))
    print("\n".join(errors), f"errors: {len(errors)}", sep="\n")


def read(path):
    client = MlflowClient()
    with open(path) as file:
        found = [json.loads(line) for line in file]
    runs = {run: client.get_run(run) for run in {line["run"] for line in found}}

    def compare(line):
        with tempfile.TemporaryDirectory() as folder, open(client.download_artifacts(line["run"], line["file"], folder)) as file:
            assert file.read() == line["text"], line

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(compare, found))
    last = {line["run"]: line["n"] for line in found if line["kind"] == "in flight"}
    for run, number in last.items():
        assert runs[run].data.metrics["n"] >= number, run
    direct = sum(line["kind"] == "in flight" and line["uri"].startswith("s3:") for line in found)
    proxied = sum(line["kind"] == "new" and line["uri"].startswith("mlflow-artifacts:") for line in found)
    print(f"{len(found)} acknowledged writes are there, {direct} by runs in flight, {proxied} by runs with the new place")


if __name__ == "__main__":
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    if sys.argv[2] == "--read":
        read(sys.argv[1])
    else:
        write(sys.argv[1], sys.argv[2:])
