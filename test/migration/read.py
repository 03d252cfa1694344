"""Reads through a new server, without any key, what fill.py has made, and compares all of it.

python read.py MADE.json            after the relocation: prints what was read, as one JSON object
python read.py MADE.json --before   before it: what a client without keys gets of an old experiment
MADE.json is what fill.py has printed; the server is that in MLFLOW_TRACKING_URI.
"""

import concurrent.futures
import hashlib
import json
import os
import sys
import tempfile

import mlflow
import requests
from mlflow import MlflowClient

THREADS = 4


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read_run(client, identity, wanted):
    run = client.get_run(identity)
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/"), run.info.artifact_uri
    assert run.data.metrics["loss"] == 1 / 3 and run.data.tags["kind"] == "old", run.data
    with tempfile.TemporaryDirectory() as folder:
        assert sha256(client.download_artifacts(identity, f"plots/{run.data.params['number']}.txt", folder)) == wanted, identity


def read_model(model):
    import pandas

    for uri in (
        f"models:/{model['name']}/1",
        f"models:/{model['name']}@champion",
        f"models:/{model['copy']}/1",
        f"runs:/{model['run']}/model",
    ):
        predicted = mlflow.pyfunc.load_model(uri).predict(pandas.DataFrame({"x": [21]}))
        assert predicted["x"].tolist() == [42], (uri, predicted)


def read_data(client, data):
    run = client.get_run(data["run"])
    [given] = run.inputs.dataset_inputs
    if data["source"]:
        with open(mlflow.data.get_source(given).load()) as file:
            assert file.read() == f"a,b\n1,{data['b']}\n", given
    child = client.get_run(data["child"])
    assert child.data.tags["mlflow.parentRunId"] == data["run"]
    with tempfile.TemporaryDirectory() as folder:
        assert client.download_artifacts(data["child"], "child.txt", folder)


def read_traces(experiment, count):
    traces = mlflow.search_traces(experiment_ids=[experiment], return_type="list", max_results=1000)
    assert len(traces) == count, (experiment, len(traces))
    for trace in traces:
        [span] = trace.data.spans
        assert span.outputs == {"answer": span.inputs["question"] * 2}, span
    return len(traces)


def goes_on(client, experiment):
    """A new run in an old experiment logs without a key."""
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("new", "new.txt")
        model = mlflow.pyfunc.log_model(name="model", python_model=lambda model_input: model_input, pip_requirements=["mlflow"])
    assert mlflow.pyfunc.load_model(model.model_uri).predict([1]) == [1]
    client.delete_run(run.info.run_id)


def after(made):
    client = MlflowClient()
    for name, identity in made["experiments"].items():
        experiment = client.get_experiment(identity)
        assert experiment.name == name and experiment.artifact_location.startswith("mlflow-artifacts:/"), experiment
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda pair: read_run(client, *pair), made["runs"].items()))
    for model in made["models"]:
        read_model(model)
    for data in made["data"]:
        read_data(client, data)
    traces = sum(read_traces(experiment, count) for experiment, count in made["traces"].items())
    if made.get("prompt"):
        assert mlflow.genai.load_prompt(f"prompts:/{made['prompt']}/1").format(name="you") == "Hello you"
    if made["rows"]:
        from mlflow.genai.datasets import get_dataset

        assert len(get_dataset(name=made["rows"]["name"]).to_df()) == made["rows"]["rows"]
    goes_on(client, next(iter(made["experiments"].values())))
    counts = {kind: len(made[kind]) for kind in ("experiments", "runs", "models", "data")}
    print(json.dumps({**counts, "traces": traces}))


def before(made):
    """Direct downloads need a key, those by run id through the server need none, and a renamed experiment frees its name."""
    client, server = MlflowClient(), os.environ["MLFLOW_TRACKING_URI"]
    identity, wanted = next(iter(made["runs"].items()))
    run = client.get_run(identity)
    path = f"plots/{run.data.params['number']}.txt"
    try:
        client.download_artifacts(identity, path)
        direct = "worked"
    except Exception as error:
        direct = type(error).__name__
    answer = requests.get(f"{server}/get-artifact", {"run_uuid": identity, "path": path}, timeout=60)
    through = hashlib.sha256(answer.content).hexdigest() == wanted
    name, experiment = next(iter(made["experiments"].items()))
    client.rename_experiment(experiment, f"{name} (before)")
    made_again = client.get_experiment(client.create_experiment(name))
    client.rename_experiment(made_again.experiment_id, f"{name} (after)")
    client.rename_experiment(experiment, name)
    print(json.dumps({"direct": direct, "through": through, "again": made_again.artifact_location}))


if __name__ == "__main__":
    for variable in [name for name in os.environ if name.startswith("AWS_") or name.endswith("S3_ENDPOINT_URL")]:
        del os.environ[variable]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    with open(sys.argv[1]) as file:
        # MLflow prints lines of its own before
        made = json.loads(file.read().splitlines()[-1])
    before(made) if "--before" in sys.argv else after(made)
