"""Writes to a tracking server all the time: official MLflow clients with default settings, and a client that sends nothing twice.

Runs in a pod of its own. What was acknowledged is in the journal before the next write begins.
"""

import functools
import hashlib
import os
import pathlib
import random
import tempfile
import threading
import time

import urllib3

from journal import FOLDER, STEADY, URI, Journal

WRITERS = int(os.environ.get("WRITERS", "3"))
KIBIBYTE = 1024
SMALLEST, LARGEST = 200 * KIBIBYTE, 20 * KIBIBYTE**2
PROBE = bytes(range(256)) * 256
API = f"{URI}/api/2.0/mlflow"
# between two writes of one client, and two requests of one probe
PAUSE, BEAT = 0.4, 0.7
STOP = FOLDER / "stop"


def random_size(dice):
    """Most are small, as files of experiments are, and one of ten is large."""
    return int(SMALLEST * (LARGEST / SMALLEST) ** (dice.random() ** 3))


class Writer:
    """A user of MLflow's client, in a process of its own."""

    def __init__(self, number):
        import mlflow

        self.mlflow, self.client = mlflow, mlflow.MlflowClient()
        self.dice, self.journal = random.Random(number), Journal(f"client-{number}")  # noqa: S311
        self.folder, self.number, self.serial = pathlib.Path(tempfile.mkdtemp()), number, 0
        self.experiment = None

    def write(self, kind, action, **told):
        """One write, with what came of it."""
        start = time.time()
        try:
            found = action()
        except Exception as error:
            self.journal.write(kind=kind, start=start, end=time.time(), error=f"{type(error).__name__}: {error}"[:300])
            raise
        # what the write is known by is told by its answer, where nothing else says it
        told = {key: value(found) if callable(value) else value for key, value in told.items()}
        self.journal.write(kind=kind, start=start, end=time.time(), acknowledged=True, **told)
        time.sleep(PAUSE)
        return found

    def file(self):
        self.serial += 1
        content = self.dice.randbytes(random_size(self.dice))
        path = self.folder / f"{self.number}-{self.serial}.bin"
        path.write_bytes(content)
        return path, hashlib.sha256(content).hexdigest()

    def one_run(self):
        client = self.client
        if self.experiment is None:
            self.experiment = client.create_experiment(f"writer {self.number} {time.time()}")
        made = self.write("run", lambda: client.create_run(self.experiment), run=lambda r: r.info.run_id)
        run, root = made.info.run_id, made.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        for step in range(3):
            point = {"key": "m", "value": self.dice.random(), "step": step}
            self.write("metric", functools.partial(client.log_metric, run, **point), run=run, **point)
        params = {f"p{n}": str(self.dice.random()) for n in range(20)}
        entities = [self.mlflow.entities.Param(*pair) for pair in params.items()]
        self.write("batch", lambda: client.log_batch(run, params=entities), run=run, params=params)
        for _ in range(2):
            path, digest = self.file()
            log = functools.partial(client.log_artifact, run, str(path), "files")
            self.write("artifact", log, files={f"{root}/files/{path.name}": digest})
            path.unlink()
        if self.dice.random() < 0.5:
            self.model(run)
        self.write("end", lambda: client.set_terminated(run), run=run)

    def model(self, run):
        """A model with a large file, and a version of it in the registry."""
        path, digest = self.file()
        name = f"model-{self.number}"

        def log():
            model = self.client.create_logged_model(self.experiment, name=name, source_run_id=run)
            self.client.log_model_artifact(model.model_id, str(path))
            self.client.finalize_logged_model(model.model_id, "READY")
            self.register(name)
            return model, self.client.create_model_version(name, f"models:/{model.model_id}", run, model_id=model.model_id)

        place = lambda found: f"{found[0].artifact_location.removeprefix('mlflow-artifacts:/')}/{path.name}"  # noqa: E731
        self.write("model", log, name=name, run=run, version=lambda f: str(f[1].version), files=lambda f: {place(f): digest})
        path.unlink()

    def register(self, name):
        """As `mlflow.register_model` does."""
        try:
            self.client.create_registered_model(name)
        except self.mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def work(self):
        while not STOP.exists():
            try:
                self.one_run()
            except Exception as error:
                print(f"writer {self.number}: {error!r}"[:500], flush=True)
                time.sleep(1)


class Probe:
    """Clients that send nothing twice: some keep their connection, some ask whatever became of the request before."""

    def __init__(self):
        self.journal, self.serial = Journal("probe", durable=False), 0
        self.digest, self.run, self.root = hashlib.sha256(PROBE).hexdigest(), None, None

    def prepare(self):
        pool = urllib3.PoolManager(retries=urllib3.Retry(8, backoff_factor=1))
        answer = pool.request("POST", f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
        self.run, self.root = answer["run_id"], answer["artifact_uri"].removeprefix("mlflow-artifacts:/")

    def ask(self, kind, pool, steady, timeout):
        told, start = {}, time.time()
        self.serial += 1
        try:
            if kind == "page":
                answer = pool.request("GET", f"{API}/experiments/get?experiment_id=0", timeout=timeout)
            elif kind == "metric":
                told = {"run": self.run, "key": "probe", "step": self.serial, "value": float(self.serial)}
                body = {
                    "run_id": self.run,
                    "key": "probe",
                    "value": told["value"],
                    "step": told["step"],
                    "timestamp": int(start * 1000),
                }
                answer = pool.request("POST", f"{API}/runs/log-metric", json=body, timeout=timeout)
            else:
                path = f"{self.root}/probe/{steady}-{self.serial}"
                told = {"files": {path: self.digest}}
                answer = pool.request("PUT", f"{URI}/api/2.0/mlflow-artifacts/artifacts/{path}", body=PROBE, timeout=timeout)
            if answer.status != 200:
                raise OSError(f"{answer.status} {answer.data[:300].decode(errors='replace')}")
            told["acknowledged"] = kind != "page"
        except Exception as error:
            told["error"] = f"{type(error).__name__}: {error}"[:400]
        self.journal.write(kind=kind, steady=steady, start=start, end=time.time(), **told)

    def keep_asking(self, kind):
        pool = urllib3.PoolManager(retries=False, maxsize=1)
        while not STOP.exists():
            self.ask(kind, pool, False, 150)
            time.sleep(BEAT)

    def beat(self, kind):
        while not STOP.exists():
            pool = urllib3.PoolManager(retries=False)
            threading.Thread(target=self.ask, args=(kind, pool, True, 30), daemon=True).start()
            time.sleep(BEAT)

    def work(self):
        self.prepare()
        work = [(self.keep_asking, kind) for kind in ("page", "upload", "metric")] + [(self.beat, kind) for kind in STEADY]
        threads = [threading.Thread(target=target, args=(kind,)) for target, kind in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main():
    FOLDER.mkdir(exist_ok=True)
    # once for all processes: it takes seconds, and memory
    import mlflow  # noqa: F401

    for number in range(WRITERS):
        if os.fork() == 0:
            Writer(f"{number}").work()
            os._exit(0)
    Probe().work()
    # the journal is still to be read
    while True:
        time.sleep(3600)


main()
