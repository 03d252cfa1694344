"""Each credential of a stack is rotated while clients write that never try again, and each generated Secret is deleted."""

import json
import re
import time

import pytest

from cluster import (
    figure,
    get,
    kubectl,
    pod_with_python,
    pods,
    ready,
    remove_namespace,
    run_python,
    say,
    secret_value,
    synth,
    wait_for_servers,
    wait_until,
)

NAMESPACE = "rotate-e2e"
# database, object store, tracking server and its monitor
SERVERS = 4
# an address: the name service of a cluster with much to do is not what is measured
SERVER = "http://ADDRESS:5000"
CLIENT = "writer"
PASSWORD = "of-a-user-of-mlflow"  # noqa: S105
# Writes again and again, each request on a connection of its own and without a retry; a line for each: when it began, what it
# was, how long it took, and what went wrong.
WRITER = f"""
import hashlib, os, sys, threading, time
os.environ.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_TRACKING_USERNAME="{CLIENT}", MLFLOW_TRACKING_PASSWORD="{PASSWORD}")
import mlflow, requests
server, login = "{SERVER}", ("{CLIENT}", "{PASSWORD}")
mlflow.set_tracking_uri(server)
client = mlflow.MlflowClient()
run = client.create_run(client.create_experiment("written")).info.run_id
folder = server + "/api/2.0/mlflow-artifacts/artifacts/files"
def metadata():
    step = time.time_ns() // 1000000
    body = dict(run_id=run, key="a", value=1, timestamp=step, step=step)
    requests.post(server + "/api/2.0/mlflow/runs/log-metric", json=body, auth=login, timeout=60).raise_for_status()
def official():
    client.set_tag(run, "at", str(time.time()))
    assert client.get_run(run).info.run_id == run
def artifacts():
    content = os.urandom(200 * 1024)
    name = hashlib.sha256(content).hexdigest()
    requests.put(f"{{folder}}/{{name}}", data=content, auth=login, timeout=60).raise_for_status()
    answer = requests.get(f"{{folder}}/{{name}}", auth=login, timeout=60)
    answer.raise_for_status()
    assert hashlib.sha256(answer.content).hexdigest() == name
def again(action):
    while True:
        began = time.time()
        try:
            action()
            error = ""
        except Exception as failure:
            error = " ".join(repr(failure).split())[:300]
        print(f"{{began:.3f}} {{action.__name__}} {{time.time() - began:.3f}} {{error}}", flush=True)
        time.sleep(0.3)
threads = [threading.Thread(target=again, args=(action,)) for action in (metadata, official, artifacts)]
for thread in threads:
    thread.start()
"""
# whether old values still work: 200 and the like, or what refuses them
TRY = """
import json, sys, urllib.error, urllib.request
value = json.load(sys.stdin)
def http(path, authorization):
    request = urllib.request.Request("http://127.0.0.1:5000" + path, headers={"Authorization": authorization})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
def s3():
    import boto3, botocore
    client = boto3.client("s3", endpoint_url="http://minio:9000", aws_access_key_id=value["user"],
                          aws_secret_access_key=value["password"], region_name="us-east-1")
    try:
        client.list_objects_v2(Bucket="mlflow-bucket", MaxKeys=1)
        return 200
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
def database():
    import psycopg2
    try:
        psycopg2.connect(host="postgres", dbname=value["database"], user=value["user"], password=value["password"]).close()
        return 200
    except psycopg2.OperationalError as error:
        return str(error).split("FATAL:")[-1].strip()
def login():
    import base64
    pair = base64.b64encode((value["user"] + ":" + value["password"]).encode()).decode()
    return http("/api/2.0/mlflow/experiments/get?experiment_id=0", "Basic " + pair)
def token():
    return http("/metrics", "Bearer " + value["password"])
print(json.dumps({"s3": s3, "database": database, "login": login, "token": token}[value["kind"]]()))
"""


class Stack:
    """The stack, in the generations that were declared so far."""

    def __init__(self, folder):
        self.folder = folder
        self.generations = {}

    def apply(self, **generations):
        self.generations.update(generations)
        synth("day-two/rotation/main.ts", self.folder, GENERATIONS=json.dumps(self.generations))
        self.apply_again()

    def apply_again(self):
        for file in sorted(self.folder.glob("*.yaml"), key=lambda file: "programs" not in file.name):
            objects = [text for text in file.read_text().split("\n---\n") if "kind: ServiceMonitor" not in text]
            kubectl("apply", "--filename", "-", stdin="\n---\n".join(objects))

    def settled(self):
        """All Jobs have ended, and all pods are those of the last apply."""

        def over():
            jobs = [job for job in get("jobs", namespace=NAMESPACE)["items"] if not job["status"].get("succeeded")]
            rolled = [
                one
                for kind in ("deployments", "statefulsets")
                for one in get(kind, namespace=NAMESPACE)["items"]
                if one["status"].get("observedGeneration") != one["metadata"]["generation"]
                or {one["status"].get(number, 0) for number in ("replicas", "updatedReplicas", "readyReplicas")} != {1}
            ]
            leaving = [pod for pod in get("pods", namespace=NAMESPACE)["items"] if "deletionTimestamp" in pod["metadata"]]
            return not jobs and not rolled and not leaving

        wait_until("settled", 420, over)


@pytest.fixture(scope="module")
def rotated(tmp_path_factory):
    one = Stack(tmp_path_factory.mktemp("rotation"))
    try:
        one.apply()
        wait_for_servers(400, SERVERS, namespace=NAMESPACE)
        password = secret_value("mlflow-login", "password", NAMESPACE)
        address = get("service", "mlflow-service", namespace=NAMESPACE)["spec"]["clusterIP"]
        writer = pod_with_python("writer", NAMESPACE, WRITER_POD.replace("ADDRESS", address), server=NAMESPACE)
        kubectl("apply", "--filename", "-", stdin=json.dumps(writer))
        wait_until("the writer runs", 60, lambda: ready(get("pod", "writer", namespace=NAMESPACE)))
        assert run_python("writer", NAMESPACE, ADD_USER, {"admin": password, "user": CLIENT, "password": PASSWORD}) == 200
        wait_until("all clients write", 240, lambda: {kind for _, kind, _, error in written() if not error} == KINDS)
        yield one
    finally:
        remove_namespace(NAMESPACE)


KINDS = {"metadata", "official", "artifacts"}
# the user is made by the test when the pod is there
WRITER_POD = f"""
import os, time
while not os.path.exists("/tmp/go"):
    time.sleep(0.1)
{WRITER}
"""
ADD_USER = """
import base64, json, sys, urllib.request
value = json.load(sys.stdin)
login = base64.b64encode(("admin:" + value["admin"]).encode()).decode()
request = urllib.request.Request(
    "http://mlflow-service:5000/api/2.0/mlflow/users/create",
    data=json.dumps({"username": value["user"], "password": value["password"]}).encode(),
    headers={"Authorization": "Basic " + login, "Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).status)
open("/tmp/go", "w").close()
"""


def written():
    lines = kubectl("logs", "writer", "--namespace", NAMESPACE).splitlines()
    found = [re.fullmatch(r"(\d+\.\d+) (\w+) (\d+\.\d+) (.*)", line) for line in lines]
    return [(float(one[1]), one[2], float(one[3]), one[4]) for one in found if one]


def refused(value):
    return run_python("deployment/mlflow", NAMESPACE, TRY, value)


def values(kind, secret, user, password, **more):
    pair = {"user": secret_value(secret, user, NAMESPACE), "password": secret_value(secret, password, NAMESPACE)}
    return {"kind": kind, **pair, **more}


def longest_gap(lines, began, over):
    """Seconds without an end of a request that was answered, of the kind that had to wait longest."""
    gaps = []
    for kind in KINDS:
        ends = sorted(
            start + took for start, of, took, error in lines if of == kind and not error and began <= start + took <= over
        )
        gaps += [after - before for before, after in zip([began, *ends], [*ends, over], strict=True)]
    return max(gaps)


# what is declared, and the values that are to be dead afterwards
ROTATIONS = [
    ("user of MinIO", {"s3User": 2}, lambda: values("s3", "minio-user", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
    (
        "user of PostgreSQL",
        {"databaseUser": 2},
        lambda: values("database", "postgres-user", "username", "password", database="mlflow"),
    ),
    (
        "superuser of PostgreSQL",
        {"databaseSuperuser": 2},
        lambda: values("database", "postgres-superuser", "username", "password", database="postgres"),
    ),
    ("admin of the login, key of the forms", {"login": 2}, lambda: values("login", "mlflow-login", "username", "password")),
    (
        "token, passphrase, key of webhooks",
        {"token": 2, "kekVersion": 2, "webhookKeyVersion": 2},
        lambda: values("token", "mlflow-metrics", "token", "token"),
    ),
    ("root user of MinIO", {"s3Root": 2}, lambda: values("s3", "minio-root", "username", "password")),
]


@pytest.fixture(scope="module")
def table(rotated):
    rows = []
    for name, generations, old in ROTATIONS:
        before = old()
        assert refused(before) == 200, (name, refused(before))
        began = time.time()
        rotated.apply(**generations)
        rotated.settled()
        over = time.time()
        rows.append((name, began, over, refused(before)))
        say(f"{name}: rotated in {over - began:.0f} s")
    lines = written()
    shown = [("credential", "seconds", "requests", "failed", "longest gap", "old value")]
    for name, began, over, answer in rows:
        within = [line for line in lines if began <= line[0] <= over]
        failed = [line for line in within if line[3]]
        shown.append(
            (
                name,
                f"{over - began:.0f}",
                len(within),
                len(failed),
                f"{longest_gap(lines, began, over):.1f} s",
                f"refused: {answer}",
            )
        )
        for line in failed:
            say(f"failed at {line[0] - began:.1f} s: {line[1]} after {line[2]} s: {line[3]}")
    for row in (shown[0], ("---",) * len(shown[0]), *shown[1:]):
        figure("Rotation, with clients that never try again", "| " + " | ".join(str(cell) for cell in row) + " |")
    return [(*row, [line for line in lines if row[1] <= line[0] <= row[2]]) for row in rows]


def test_no_request_fails(table):
    for name, _, _, _, lines in table:
        assert {kind for _, kind, _, _ in lines} == KINDS, name
        assert not [line for line in lines if line[3]], name


def test_the_old_values_are_dead(table):
    assert all(answer != 200 for _, _, _, answer, _ in table), table


def test_a_generated_secret_that_is_deleted_heals_at_the_next_apply(rotated):
    wait_until("the Jobs are gone", 120, lambda: not get("jobs", namespace=NAMESPACE)["items"])
    secrets = ["minio-user", "postgres-user", "mlflow-login", "mlflow-server-secrets", "mlflow-metrics"]
    before = {name: get("secret", name, namespace=NAMESPACE)["data"] for name in secrets}
    kubectl("delete", "secret", *secrets, "--namespace", NAMESPACE)
    rotated.apply_again()
    # pods that run have the values that were lost, and the monitor says so
    wait_until(
        "the Jobs have ended",
        240,
        lambda: all(job["status"].get("succeeded") for job in get("jobs", namespace=NAMESPACE)["items"]),
    )
    kubectl("rollout", "restart", "deployment/mlflow", "deployment/mlflow-monitor", "--namespace", NAMESPACE)
    rotated.settled()
    for name in secrets:
        after = get("secret", name, namespace=NAMESPACE)["data"]
        assert all(
            after[key] != value for key, value in before[name].items() if key in after and key not in ("username", "username-2")
        )
    generation = rotated.generations.get("login", 1)
    admin = values("login", "mlflow-login", "username", "password" if generation == 1 else f"password-{generation}")
    assert refused(admin) == 200
    began = time.time()
    wait_until("written again", 120, lambda: {line[1] for line in written() if line[0] > began and not line[3]} == KINDS)
    monitor = pods("store-monitor", NAMESPACE)
    assert all(ready(pod) for pod in monitor)
