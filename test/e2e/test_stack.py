"""The stack on a real cluster, used from outside by the official MLflow client. The tests build on each other, in order."""

import hashlib
import json
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

import mlflow
import numpy
import pytest
from mlflow.artifacts import download_artifacts
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from cluster import (
    DIST,
    NAMESPACE,
    execute,
    get,
    kubectl,
    places_of_secrets,
    pods,
    processes_arguments,
    say,
    servers,
    tracking_server,
    wait_for_servers,
    wait_until,
    what_a_second_apply_changes,
)

MIB = 1024 * 1024
SERVERS = 4


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()


def tree(directory):
    root = pathlib.Path(directory)
    return {str(path.relative_to(root)): sha256(path) for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def features():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def memory():
    """What one test leaves for the next: ids of runs and models."""
    return {}


@pytest.fixture(scope="module")
def client():
    with tracking_server() as uri:
        mlflow.set_tracking_uri(uri)
        yield mlflow.MlflowClient()


def test_an_empty_cluster_converges_without_a_crash_within_90_seconds():
    wait_for_servers(90, SERVERS)


def test_the_namespace_enforces_restricted():
    namespace = json.loads(kubectl("get", "namespace", NAMESPACE, "--output", "json"))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "root", "image": "docker.io/library/busybox:1.35"}]},
    }
    refused = kubectl("apply", "--dry-run=server", "--filename", "-", stdin=json.dumps(pod), check=False)
    assert refused.returncode != 0 and "violates PodSecurity" in refused.stderr


def test_the_log_says_which_credentials_and_process_1_is_mlflow():
    log = kubectl("logs", "--namespace", NAMESPACE, "deployment/mlflow")
    assert "Starting MLflow with AWS credentials: minio...\n" in log
    argv = processes_arguments("deployment/mlflow")
    assert any(argument.endswith("/mlflow") for argument in argv[:2]), argv
    assert argv[2:4] == ["server", "--host=0.0.0.0"]


def test_the_monitor_runs_the_package_of_the_preflight():
    assert processes_arguments("deployment/mlflow-monitor")[1:3] == ["/app/preflight", "monitor"]


def test_the_pod_is_at_rest_within_450_mib():
    """What the kernel cannot take back: all but the page cache of files, which depends on who read them first."""
    time.sleep(10)
    script = (
        "cd /sys/fs/cgroup; [ -d memory ] && cd memory; cat memory.stat; "
        "echo usage $(cat memory.usage_in_bytes memory.current 2>/dev/null)"
    )
    figures = dict(line.split()[:2] for line in execute("deployment/mlflow", "sh", "-c", script).splitlines())
    usage, cache = int(figures["usage"]), int(figures.get("total_cache") or figures["file"])
    say(f"memory of the tracking server: {(usage - cache) / MIB:.0f} MiB, and {cache / MIB:.0f} MiB of page cache")
    assert (usage - cache) / MIB <= 450


def test_the_pod_of_minio_has_a_name_of_its_own():
    """A StatefulSet gives it one by its headless Service, whose name that of MinIO itself is not."""
    script = "import socket; print(socket.gethostbyname('minio-0.minio-headless'))"
    assert execute("deployment/mlflow", "python3", "-c", script).strip() == pods("artifact-store")[0]["status"]["podIP"]


def test_both_names_resolve_in_the_cluster():
    for name in ("mlflow-server", f"mlflow-service.{NAMESPACE}.svc.cluster.local"):
        script = f"import urllib.request as u; print(u.urlopen('http://{name}:5000/version', timeout=10).read().decode())"
        assert execute("deployment/mlflow", "python3", "-c", script).strip() == mlflow.__version__


def test_the_assistant_is_closed_to_who_seems_to_be_the_machine_itself(client):
    path = "/ajax-api/3.0/mlflow/assistant/config"
    for given in (path, path.replace("assistant", "%61ssistant"), "/" + path):
        with pytest.raises(urllib.error.HTTPError) as met:
            urllib.request.urlopen(client.tracking_uri + given, timeout=10)
        assert (met.value.code, json.load(met.value)["error_code"]) == (403, "PERMISSION_DENIED")
    # a sidecar of a mesh comes from 127.0.0.6
    script = (
        "import http.client as h; c = h.HTTPConnection('127.0.0.1', 5000, source_address=('127.0.0.6', 0)); "
        f"c.request('GET', '{path}'); print(c.getresponse().status)"
    )
    assert execute("deployment/mlflow", "python3", "-c", script).strip() == "403"


def test_a_client_that_cannot_reach_minio_makes_a_proxied_experiment(client, memory):
    with pytest.raises(OSError):
        socket.create_connection((f"minio.{NAMESPACE}.svc.cluster.local", 9000), timeout=5)
    experiment = client.get_experiment(client.create_experiment("end-to-end"))
    assert experiment.artifact_location == f"mlflow-artifacts:/{experiment.experiment_id}"
    memory["experiment"] = experiment.experiment_id


def test_a_model_is_logged_loaded_back_and_registered(client, memory, features):
    rows, labels = features
    model = LogisticRegression(max_iter=500).fit(rows, labels)
    with mlflow.start_run(experiment_id=memory["experiment"]) as run:
        info = mlflow.sklearn.log_model(model, name="model", input_example=rows[:2], registered_model_name="iris")
    memory["run"], memory["model"], memory["predictions"] = run.info.run_id, info.model_uri, model.predict(rows)
    assert_predictions(info.model_uri, memory, rows)

    client.set_registered_model_alias("iris", "champion", "1")
    assert client.get_model_version_by_alias("iris", "champion").run_id == run.info.run_id
    assert_predictions("models:/iris@champion", memory, rows)


def assert_predictions(uri, memory, rows):
    start = time.monotonic()
    loaded = mlflow.sklearn.load_model(uri)
    say(f"loaded {uri} in {time.monotonic() - start:.1f} s")
    assert numpy.array_equal(loaded.predict(rows), memory["predictions"])


def test_a_directory_of_200_files_comes_back_the_same(client, memory, tmp_path):
    source = tmp_path / "source"
    generator = numpy.random.default_rng(1)
    for number in range(200):
        file = source / f"part {number % 7}" / f"{number}-ü.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(generator.bytes(number * 97))
    client.log_artifacts(memory["run"], str(source), "files")
    back = download_artifacts(run_id=memory["run"], artifact_path="files", dst_path=str(tmp_path / "back"))
    assert tree(back) == tree(source)
    memory["files"] = tree(source)


def test_a_file_of_600_mib_comes_back_the_same(client, memory, tmp_path):
    source = tmp_path / "large.bin"
    generator = numpy.random.default_rng(2)
    with open(source, "wb") as file:
        for _ in range(600):
            file.write(generator.bytes(MIB))
    start = time.monotonic()
    client.log_artifact(memory["run"], str(source))
    say(f"uploaded 600 MiB in {time.monotonic() - start:.1f} s")
    start = time.monotonic()
    back = download_artifacts(run_id=memory["run"], artifact_path="large.bin", dst_path=str(tmp_path / "back"))
    say(f"downloaded 600 MiB in {time.monotonic() - start:.1f} s")
    assert sha256(back) == sha256(source)


def test_the_objects_are_in_the_bucket(memory):
    script = (
        "import boto3, os, json\n"
        "s3 = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL'])\n"
        "pages = s3.get_paginator('list_objects_v2').paginate(Bucket='mlflow-bucket')\n"
        "print(json.dumps({o['Key']: o['Size'] for page in pages for o in page.get('Contents', [])}))"
    )
    objects = json.loads(execute("deployment/mlflow", "python3", "-c", script))
    prefix = f"{memory['experiment']}/{memory['run']}/artifacts/"
    assert objects[prefix + "large.bin"] == 600 * MIB
    assert {key.removeprefix(prefix + "files/") for key in objects if key.startswith(prefix + "files/")} == set(memory["files"])
    assert any(key.endswith("/model.pkl") or key.endswith("/model.skops") for key in objects), sorted(objects)[:20]


def test_the_user_of_the_tracking_server_has_this_bucket_only_and_the_public_nothing():
    script = (
        "import boto3, os, urllib.request, urllib.error\n"
        "from botocore.exceptions import ClientError\n"
        "s3 = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL'])\n"
        "try: s3.create_bucket(Bucket='another'); print('made a bucket')\n"
        "except ClientError as error: print(error.response['Error']['Code'])\n"
        "try: urllib.request.urlopen(os.environ['MLFLOW_S3_ENDPOINT_URL'] + '/mlflow-bucket'); print('public')\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    assert execute("deployment/mlflow", "python3", "-c", script).split() == ["AccessDenied", "403"]


def test_no_secret_value_stands_in_a_manifest_an_argument_or_a_log():
    assert places_of_secrets(DIST) == []


def test_a_second_apply_changes_nothing():
    assert what_a_second_apply_changes(DIST) == ([], 0, "")


def test_a_gitops_controller_sees_no_drift_and_keeps_what_the_cluster_filled_in():
    def state():
        secrets = {secret["metadata"]["name"]: secret.get("data") for secret in get("secrets")["items"]}
        return secrets, {pod["metadata"]["uid"] for pod in servers()}

    before = state()
    controller = ("--server-side", "--field-manager=argocd-controller", "--force-conflicts", "--filename", str(DIST))
    kubectl("apply", *controller)
    difference = kubectl("diff", *controller, check=False)
    assert (difference.returncode, difference.stdout) == (0, "")
    assert state() == before
    assert all(before[0].values())


def test_the_script_of_the_pipelines_applies_and_waits():
    script = DIST.parent / "pipelines/apply.sh"
    for _ in range(2):
        result = subprocess.run(["bash", script, DIST], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")
        changes, applied = result.stdout.split("=== Apply\n")
        assert applied.endswith("Everything is ready\n")
    assert changes == "=== What changes in the cluster\n  nothing\n"


def test_everything_comes_back_after_all_pods_are_deleted_at_once(client, memory, features, tmp_path):
    gone = {pod["metadata"]["uid"] for pod in servers()}
    start = time.monotonic()
    kubectl("delete", "pods", "--all", "--namespace", NAMESPACE, "--wait=false")
    wait_until("old pods gone", 120, lambda: not gone & {pod["metadata"]["uid"] for pod in servers()})
    wait_for_servers(120 - (time.monotonic() - start), SERVERS)
    assert client.get_experiment_by_name("end-to-end").experiment_id == memory["experiment"]
    assert_predictions("models:/iris@champion", memory, features[0])
    back = download_artifacts(run_id=memory["run"], artifact_path="files", dst_path=str(tmp_path))
    assert tree(back) == memory["files"]


def test_a_database_that_comes_late_is_waited_for():
    kubectl("scale", "statefulset/postgres", "--replicas=0", "--namespace", NAMESPACE)
    wait_until("database gone", 120, lambda: not pods("backend-store"))
    kubectl("delete", "pods", "--namespace", NAMESPACE, "--selector", "app.kubernetes.io/component=tracking-server")

    def waiting():
        result = kubectl("logs", "--namespace", NAMESPACE, "deployment/mlflow", check=False)
        return "Waiting for the database at postgres." in result.stdout

    wait_until("the log says so", 60, waiting)
    time.sleep(60)
    kubectl("scale", "statefulset/postgres", "--replicas=1", "--namespace", NAMESPACE)
    wait_for_servers(90, SERVERS)


def test_two_servers_on_an_empty_database_start_without_a_crash():
    kubectl("scale", "deployment/mlflow", "--replicas=0", "--namespace", NAMESPACE)
    wait_until("tracking server gone", 150, lambda: not pods("tracking-server"))
    for statement in ("DROP DATABASE mlflow", "CREATE DATABASE mlflow OWNER mlflow"):
        execute("postgres-0", "psql", "--username=postgres", "--quiet", "--command", statement)
    kubectl("scale", "deployment/mlflow", "--replicas=2", "--namespace", NAMESPACE)
    wait_for_servers(120, SERVERS + 1)
    texts = [kubectl("logs", "--namespace", NAMESPACE, pod["metadata"]["name"]) for pod in pods("tracking-server")]
    assert sum("The database is empty: initialising it" in text for text in texts) == 1


def test_a_bootstrap_job_never_gives_up():
    """What it waits for may take longer than any limit; a Job that failed would have to be deleted by hand."""
    kubectl("apply", "--filename", str(DIST))
    specs = {job["metadata"]["labels"]["app.kubernetes.io/component"]: job["spec"] for job in get("jobs")["items"]}
    assert {part: spec["backoffLimit"] for part, spec in specs.items()} == {
        part: 2**31 - 1 for part in ("artifact-store-bootstrap", "backend-store-bootstrap", "secrets-bootstrap")
    }
    assert {spec["template"]["spec"]["restartPolicy"] for spec in specs.values()} == {"OnFailure"}
    for spec in specs.values():
        assert "activeDeadlineSeconds" not in spec and "activeDeadlineSeconds" not in spec["template"]["spec"]


def test_jobs_that_were_made_anew_change_nothing_and_go():
    def data():
        return {secret["metadata"]["name"]: secret["data"] for secret in get("secrets")["items"]}

    before = data()
    kubectl("apply", "--filename", str(DIST))
    wait_until("the Jobs have ended", 120, lambda: [job["status"].get("succeeded") for job in get("jobs")["items"]] == [1, 1, 1])
    assert data() == before
    wait_until("the Jobs are gone", 90, lambda: not get("jobs")["items"])
