"""Makes what an older MLflow leaves behind, as its users do: with the S3 keys in their environment.

python fill.py EXPERIMENTS RUNS MODELS TRACES BUCKET      prints one JSON object that read.py compares with
It runs with MLflow 2.22 and later, and takes what the version does not have yet for absent.
"""

import concurrent.futures
import hashlib
import json
import os
import sys
import tempfile

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

THREADS = 6


class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


def content(name):
    """A file of some KiB that no other has, and that needs no storing to be known."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return digest * (16 + int(digest[:2], 16))


def fill_run(client, experiment, number):
    run = client.create_run(experiment, run_name=f"run {number}")
    identity = run.info.run_id
    metrics = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(3)]
    client.log_batch(identity, metrics, [Param("number", str(number))], [RunTag("kind", "old")])
    client.log_text(identity, content(identity), f"plots/{number}.txt")
    client.set_terminated(identity)
    return identity


def data_set(client, experiment, number):
    """A run with a data set whose source is one of its own artifacts, and its first child."""
    with mlflow.start_run(experiment_id=experiment, run_name=f"data {number}") as run:
        mlflow.log_text(f"a,b\n1,{number}\n", "data/table.csv")
        # a place behind a proxy is no source that MLflow knows
        source = f"{run.info.artifact_uri}/data/table.csv" if run.info.artifact_uri.startswith("s3:") else None
        table = pandas.DataFrame({"a": [1], "b": [number]})
        mlflow.log_input(mlflow.data.from_pandas(table, source=source, name=f"table {number}"), context="training")
        with mlflow.start_run(nested=True, experiment_id=experiment) as child:
            mlflow.log_text("child", "child.txt")
    return {"run": run.info.run_id, "source": source, "child": child.info.run_id, "b": number}


def register(client, experiment, number):
    name = f"model-{number}"
    with mlflow.start_run(experiment_id=experiment, run_name=name) as run:
        mlflow.pyfunc.log_model("model", python_model=Twice(), pip_requirements=["mlflow"], registered_model_name=name)
    client.set_registered_model_alias(name, "champion", "1")
    copied = client.copy_model_version(f"models:/{name}/1", f"copy-{number}")
    return {"name": name, "copy": copied.name, "run": run.info.run_id}


def traced(experiment, count):
    mlflow.set_experiment(experiment_id=experiment)

    @mlflow.trace
    def answer(question):
        return {"answer": question * 2}

    for number in range(count):
        answer(f"question {number}")
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()


def evaluation_rows(experiment, bucket):
    """A data set of questions, one from a document in the bucket, where the version has such data sets on a server."""
    try:
        from mlflow.genai.datasets import create_dataset

        data = create_dataset(name="questions", experiment_id=experiment)
        document = f"s3://{bucket}/documents/handbook.txt"
        source = {"source_type": "DOCUMENT", "source_data": {"doc_uri": document, "content": "text"}}
        data.merge_records(
            [{"inputs": {"question": f"{n}?"}, "expectations": {"answer": str(n)}, "source": source} for n in range(3)]
        )
        return {"name": "questions", "rows": 3}
    except Exception as error:  # which one depends on the version
        print(f"no evaluation data sets: {error}", file=sys.stderr)
        return None


def main(experiments, runs, models, traces, bucket):
    client = MlflowClient()
    made = {"version": mlflow.__version__, "experiments": {}, "runs": {}, "models": [], "traces": {}, "data": []}
    for number in range(experiments):
        made["experiments"][f"old {number}"] = client.create_experiment(f"old {number}")
    places = list(made["experiments"].values())
    where = [places[number % len(places)] for number in range(runs)]
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        filled = [pool.submit(fill_run, client, place, number) for number, place in enumerate(where)]
        made["models"] = [register(client, places[number % len(places)], number) for number in range(models)]
        made["data"] = [data_set(client, places[0], number) for number in range(2)]
        for number, place in enumerate(places[: min(4, len(places))]):
            share = traces // min(4, len(places)) + (number < traces % min(4, len(places)))
            traced(place, share)
            made["traces"][place] = share
    made["runs"] = {run.result(): hashlib.sha256(content(run.result()).encode()).hexdigest() for run in filled}
    if hasattr(mlflow, "register_prompt"):
        mlflow.register_prompt(name="greeting", template="Hello {{name}}")
        made["prompt"] = "greeting"
    made["rows"] = evaluation_rows(places[0], bucket)
    deleted = client.create_experiment("deleted")
    client.log_text(client.create_run(deleted).info.run_id, "x", "x.txt")
    client.delete_experiment(deleted)
    made["deleted"] = deleted
    print(json.dumps(made))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(*map(int, sys.argv[1:5]), sys.argv[5])
