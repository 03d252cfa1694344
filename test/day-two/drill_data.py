"""What users keep in MLflow, of each kind something, and how it is read back: all of it through the API."""

import hashlib
import json
import os
import pathlib
import tempfile

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

MEBIBYTES = 600
ODD = (
    "with space.txt",
    "\u00fcber/stra\u00dfe.txt",
    "a+b&c=d.txt",
    "'quoted'.txt",
    "\u65e5\u672c/\u8a9e.txt",
    ".hidden",
    "UPPER/lower.TXT",
    "empty",
)
BIG = "large/weights.bin"


class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


def big_file(folder):
    """Of bytes that no other file has, and whose sha256 is computed while it is written."""
    file = pathlib.Path(folder) / BIG
    file.parent.mkdir(parents=True)
    digest = hashlib.sha256()
    with open(file, "wb") as target:
        for _ in range(MEBIBYTES):
            chunk = os.urandom(2**20)
            digest.update(chunk)
            target.write(chunk)
    return file, digest.hexdigest()


def fill(folder):
    """The sha256 of the large artifact."""
    client = MlflowClient()
    for name in ("vision", "speech", "empty one"):
        experiment = client.create_experiment(name, tags={"team": name, "odd": "\u00fc % / #"})
    client.set_experiment_tag(experiment, "note", "nothing is in it")
    for number in range(8):
        run = client.create_run(client.get_experiment_by_name("vision").experiment_id, run_name=f"run {number}")
        metrics = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(20)]
        client.log_batch(run.info.run_id, metrics, [Param("rate", f"0.{number}")], [RunTag("kind", "drill")])
        client.log_text(run.info.run_id, f"text {number}", f"notes/{number}.txt")
        client.set_terminated(run.info.run_id, "FAILED" if number == 3 else "FINISHED")
    mlflow.set_experiment("speech")
    with mlflow.start_run(run_name="parent") as parent:
        for name in ODD:
            mlflow.log_text("" if name == "empty" else f"in {name}", name)
        table = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        mlflow.log_input(mlflow.data.from_pandas(table, name="table"), context="training")
        mlflow.log_table({"question": ["?"], "answer": ["!"]}, "table.json")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("nan", float("nan"))
            mlflow.log_dict({"of": "child"}, "folder/deep/er/child.json")
            mlflow.pyfunc.log_model(
                name="model", python_model=Twice(), pip_requirements=["mlflow"], registered_model_name="registered"
            )
    with mlflow.start_run(run_name="second version"):
        mlflow.pyfunc.log_model(
            name="model", python_model=Twice(), pip_requirements=["mlflow"], registered_model_name="registered"
        )
    client.set_registered_model_alias("registered", "champion", "2")
    client.set_model_version_tag("registered", "1", "state", "old")
    for number in range(3):
        with mlflow.start_span(f"traced {number}") as span:
            span.set_inputs({"question": number})
            with mlflow.start_span("inner") as inner:
                inner.set_outputs({"answer": [number] * 3})
    mlflow.flush_trace_async_logging()
    mlflow.genai.register_prompt("greeting", "Hello, {{name}}", commit_message="first", tags={"lang": "en"})
    mlflow.genai.register_prompt("greeting", "Good day, {{name}}", commit_message="second")
    mlflow.genai.set_prompt_alias("greeting", "production", 2)
    client.create_webhook("told", "https://1.1.1.1/told", ["registered_model.created"], secret="of the webhook")
    client.delete_run(client.search_runs([client.get_experiment_by_name("vision").experiment_id], max_results=1)[0].info.run_id)
    file, digest = big_file(folder)
    client.log_artifact(parent.info.run_id, str(file), "large")
    file.unlink()
    return digest


def files_of(run_id, path=None):
    client = MlflowClient()
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from files_of(run_id, entry.path)
        else:
            yield entry.path, entry.file_size


def digests(run_id, skip=()):
    found = {}
    for path, size in files_of(run_id):
        if path in skip:
            found[path] = size
            continue
        with tempfile.TemporaryDirectory() as folder, open(MlflowClient().download_artifacts(run_id, path, folder), "rb") as file:
            found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def model_files(model_id):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=folder))
        files = [path for path in root.rglob("*") if path.is_file() and path.name != "registered_model_meta"]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def plain(entity):
    return json.loads(
        json.dumps(entity, default=lambda value: sorted(value) if isinstance(value, set) else str(value), sort_keys=True)
    )


def snapshot(skip=()):
    """All that is there, in an order of its own, so that two of them can be compared."""
    client = MlflowClient()
    experiments = client.search_experiments(view_type=3, order_by=["experiment_id"])
    ids = [experiment.experiment_id for experiment in experiments]
    runs = client.search_runs(ids, run_view_type=3, max_results=1000)
    models = client.search_logged_models(ids)
    versions = client.search_model_versions()
    traces = client.search_traces(ids, max_results=100)
    found = {
        "experiments": {e.name: [e.experiment_id, e.artifact_location, e.lifecycle_stage, e.tags] for e in experiments},
        "runs": {run.info.run_id: plain(run.to_dictionary()) for run in runs},
        "metrics": {
            run.info.run_id: [
                [m.key, str(m.value), m.step, m.timestamp]
                for key in sorted(run.data.metrics)
                for m in client.get_metric_history(run.info.run_id, key)
            ]
            for run in runs
        },
        "artifacts": {run.info.run_id: digests(run.info.run_id, skip) for run in runs},
        "logged models": {model.model_id: plain(model.to_dictionary()) for model in models},
        "model files": {model.model_id: model_files(model.model_id) for model in models},
        "registered models": {
            model.name: [model.aliases, model.tags, model.description] for model in client.search_registered_models()
        },
        "versions": {f"{v.name}/{v.version}": [v.source, v.run_id, v.status, v.tags, v.aliases] for v in versions},
        "traces": {trace.info.trace_id: plain(trace.to_dict()) for trace in traces},
        "prompts": {
            str(version): [prompt.template, prompt.commit_message, prompt.tags]
            for version in (1, 2)
            for prompt in [mlflow.genai.load_prompt(f"prompts:/greeting/{version}")]
        },
        "prompt aliases": mlflow.genai.load_prompt("prompts:/greeting@production").version,
        "webhooks": [[webhook.name, webhook.url, str(webhook.status)] for webhook in client.list_webhooks()],
        "predictions": [
            int(mlflow.pyfunc.load_model(f"models:/registered{name}").predict(pandas.DataFrame({"a": [21]}))["a"][0])
            for name in ("@champion", "/1")
        ],
    }
    return plain(found)


def count(found):
    sizes = {kind: len(value) if isinstance(value, (dict, list)) else 1 for kind, value in found.items()}
    for kind in ("artifacts", "model files"):
        sizes[kind] = sum(len(files) for files in found[kind].values())
    sizes["metrics"] = sum(len(values) for values in found["metrics"].values())
    return sizes
