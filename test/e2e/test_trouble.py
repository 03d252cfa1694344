"""What the pods say, and whether they heal, when something is wrong. Runs after test_stack.py, on the same stack."""

import base64
import contextlib
import json
import subprocess

import mlflow
import pytest

from cluster import (
    DIST,
    NAMESPACE,
    client_doctor,
    execute,
    get,
    kubectl,
    pod_with_python,
    pods,
    ready,
    run_client_doctor,
    say,
    tracking_server,
    wait_until,
)

# asks again and again, each time on a connection of its own, until its standard input ends
LOAD = f"""
import http.client, json, sys, threading, time, urllib.request
URLS = [
    "http://mlflow-service.{NAMESPACE}.svc.cluster.local:5000" + path
    for path in ("/health", "/api/2.0/mlflow/experiments/get?experiment_id=0")
]
start, over, answers, failures = time.time(), threading.Event(), [], []
def ask(url):
    while not over.is_set():
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                response.read()
            answers.append(time.time())
        except (OSError, http.client.HTTPException) as error:
            failures.append([time.time(), url, repr(error)])
        time.sleep(0.02)
threads = [threading.Thread(target=ask, args=(url,)) for url in URLS * 2]
for thread in threads:
    thread.start()
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
answers.sort()
pauses = [later - earlier for earlier, later in zip([start, *answers], [*answers, time.time()])]
print(json.dumps({{"answers": len(answers), "longest pause": max(pauses), "failures": failures}}))
"""


@pytest.fixture(scope="module", autouse=True)
def one_server(stack):
    kubectl("scale", "deployment/mlflow", "--replicas=1", "--namespace", NAMESPACE)
    healed()
    yield


@pytest.fixture(scope="module")
def client():
    with tracking_server() as uri:
        mlflow.set_tracking_uri(uri)
        yield mlflow.MlflowClient()


def healed():
    """Both the tracking server and the monitor are ready, with nothing else of theirs around."""
    wait_until(
        "healed",
        150,
        lambda: all(len(found := pods(part)) == 1 and ready(found[0]) for part in ("tracking-server", "store-monitor")),
    )


def restart():
    kubectl("delete", "pods", "--namespace", NAMESPACE, "--selector", "app.kubernetes.io/component=tracking-server")


def value(secret, key):
    return base64.b64decode(get("secret", secret)["data"][key]).decode()


def put(secret, key, text):
    kubectl("patch", "secret", secret, "--namespace", NAMESPACE, "--patch", json.dumps({"stringData": {key: text}}))


@pytest.fixture
def changed():
    """Changes values of Secrets, and puts them back."""
    before = {}

    def change(secret, key, text):
        before.setdefault((secret, key), value(secret, key))
        put(secret, key, text)

    yield change
    for (secret, key), text in before.items():
        put(secret, key, text)
    healed()


def ends_with(exit_code, *texts):
    """Waits for a container of the tracking server that ended, and looks into its termination message."""

    def condition():
        for pod in pods("tracking-server"):
            for container in pod["status"].get("containerStatuses", []):
                for state in (container["state"], container["lastState"]):
                    if "terminated" in state and not ready(pod):
                        return state["terminated"]
        return None

    end = wait_until(f"a container ended with {texts[0]}", 60, condition)
    assert end["exitCode"] == exit_code, end
    for text in texts:
        assert text in end["message"], end["message"]


def administer(*commands):
    """Runs commands of mc in MinIO's pod, as its root user."""
    login = 'mc alias set -q s http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null'
    execute("minio-0", "bash", "-euc", "; ".join(["export MC_CONFIG_DIR=/tmp/mc", login, *commands]))


def log():
    return kubectl("logs", "--namespace", NAMESPACE, "deployment/mlflow", check=False).stdout


def doctor(*arguments):
    command = ["exec", "--namespace", NAMESPACE, "deployment/mlflow", "--", "python3", "/app/start-mlflow.py", "doctor"]
    result = kubectl(*command, *arguments, check=False)
    return result.returncode, result.stdout


def test_the_doctor_finds_a_healthy_stack_healthy():
    code, text = doctor()
    assert code == 0, text
    assert "\u2717" not in text and text.count("\u2713") == 9
    code, text = doctor("--json")
    assert code == 0 and json.loads(text)["ok"] is True


def test_a_change_of_the_preflight_reaches_the_pods_without_new_ones():
    """The kubelet refreshes the folder, so that a better sentence costs no restart; what runs goes on."""

    def state():
        parts = [pod for part in ("tracking-server", "store-monitor") for pod in pods(part)]
        return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in parts}

    def seen(mark):
        script = f"print({mark!r} in open('/app/preflight/problem.py').read())"
        places = ("deployment/mlflow", "deployment/mlflow-monitor")
        return [execute(place, "python3", "-c", script).strip() for place in places]

    before, mark = state(), "# a change that reaches the pods"
    text = get("configmap", "mlflow-preflight")["data"]["problem.py"]
    try:
        patch = json.dumps({"data": {"problem.py": f"{text}\n{mark}\n"}})
        kubectl("patch", "configmap", "mlflow-preflight", "--namespace", NAMESPACE, "--patch", patch)
        # the kubelet looks every minute or so
        wait_until("the pods have the new preflight", 180, lambda: seen(mark) == ["True", "True"])
        assert state() == before
        assert doctor()[0] == 0
    finally:
        kubectl("apply", "--filename", str(DIST))


@contextlib.contextmanager
def under_load():
    """Requests to the Service from a pod of another namespace, as a notebook makes them; gives what became of them."""
    pod = json.dumps(pod_with_python("load", "default", "import time; time.sleep(3600)"))
    kubectl("apply", "--filename", "-", stdin=pod)
    kubectl("wait", "--for=condition=ready", "pod/load", "--namespace", "default", "--timeout=120s")
    command = ["kubectl", "exec", "--stdin", "--namespace", "default", "load", "--", "python3", "-c", LOAD]
    load, result = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True), {}
    try:
        yield result
        output, _ = load.communicate(timeout=60)
        assert load.returncode == 0, output
        result.update(json.loads(output))
    finally:
        load.kill()
        kubectl("delete", "pod/load", "--namespace", "default", "--wait=false")


def test_a_rollout_under_requests_has_no_failed_request():
    """A pod that is asked to stop serves on until no request comes to it any more (preStop)."""
    (old,) = pods("tracking-server")
    with under_load() as requests:
        kubectl("rollout", "restart", "deployment/mlflow", "--namespace", NAMESPACE)
        kubectl("rollout", "status", "deployment/mlflow", "--namespace", NAMESPACE, "--timeout=3m")
        healed()
    (new,) = pods("tracking-server")
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    say(f"{requests['answers']} requests answered during the rollout, the longest pause was {requests['longest pause']:.1f} s")
    assert requests["failures"] == []
    # how many there are is the machine's; there were some all the time
    assert requests["longest pause"] < 30


def test_a_wrong_secret_key(changed):
    changed("minio-user", "AWS_SECRET_ACCESS_KEY", "not-the-secret-key")
    restart()
    ends_with(4, "SignatureDoesNotMatch", "key AWS_SECRET_ACCESS_KEY of Secret minio-user", "fix:")
    assert "not-the-secret-key" not in log()


def test_a_newline_at_the_end_of_a_secret(changed):
    changed("minio-user", "AWS_SECRET_ACCESS_KEY", value("minio-user", "AWS_SECRET_ACCESS_KEY") + "\n")
    restart()
    healed()
    assert pods("tracking-server")[0]["status"]["containerStatuses"][0]["restartCount"] == 0
    assert "WARNING: key AWS_SECRET_ACCESS_KEY of Secret minio-user (AWS_SECRET_ACCESS_KEY) has white space" in log()


def test_a_wrong_password_of_the_database(changed):
    changed("postgres-user", "password", "not-the-password")
    restart()
    ends_with(6, "the database refuses the user", "key password of Secret postgres-user", "fix:")
    assert "not-the-password" not in log()


def test_a_bucket_that_is_made_later():
    administer("mc rb --force s/mlflow-bucket >/dev/null")
    restart()
    wait_until("the log names the bucket", 60, lambda: "Waiting for the artifact store" in log() and "mlflow-bucket" in log())
    administer("mc mb -q s/mlflow-bucket >/dev/null")
    healed()
    assert pods("tracking-server")[0]["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_user_who_is_revoked_while_the_server_runs():
    key = value("minio-user", "AWS_ACCESS_KEY_ID")
    administer(f"mc admin user disable s {key} >/dev/null")
    try:
        wait_until("the monitor is not ready", 60, lambda: not ready(pods("store-monitor")[0]))
        assert ready(pods("tracking-server")[0])
        page = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
        assert "mlflow_artifact_store_writable 0\n" in execute("deployment/mlflow-monitor", "python3", "-c", page)
        assert "mlflow_database_reachable 1\n" in execute("deployment/mlflow-monitor", "python3", "-c", page)
        code, text = doctor()
        assert code == 4 and "InvalidAccessKeyId" in text and "key AWS_ACCESS_KEY_ID of Secret minio-user" in text
        assert key not in text
        restart()
        ends_with(4, "InvalidAccessKeyId", "key AWS_ACCESS_KEY_ID of Secret minio-user", "mc admin user ls")
    finally:
        administer(f"mc admin user enable s {key} >/dev/null")
    healed()


def test_a_lost_volume_of_minio_is_mended_as_the_message_says():
    kubectl("scale", "statefulset/minio", "--replicas=0", "--namespace", NAMESPACE)
    wait_until("MinIO gone", 90, lambda: not pods("artifact-store"))
    kubectl("delete", "pvc/data-minio-0", "--namespace", NAMESPACE)
    kubectl("scale", "statefulset/minio", "--replicas=1", "--namespace", NAMESPACE)
    wait_until("MinIO back, and empty", 60, lambda: pods("artifact-store") and ready(pods("artifact-store")[0]))
    restart()
    ends_with(
        4,
        "InvalidAccessKeyId",
        "MinIO's volume was lost",
        f"kubectl --namespace {NAMESPACE} delete job --selector app.kubernetes.io/component=artifact-store-bootstrap",
    )
    kubectl("delete", "job", "--selector", "app.kubernetes.io/component=artifact-store-bootstrap", "--namespace", NAMESPACE)
    kubectl("apply", "--filename", str(DIST))
    healed()
    assert doctor()[0] == 0


def test_an_endpoint_without_scheme_leaves_the_old_pod_in_service():
    serving = pods("tracking-server")[0]["metadata"]["name"]
    kubectl("set", "env", "deployment/mlflow", "MLFLOW_S3_ENDPOINT_URL=minio:9000", "--namespace", NAMESPACE)
    ends_with(3, "MLFLOW_S3_ENDPOINT_URL is no endpoint: it has no scheme", "fix:")
    assert [pod["metadata"]["name"] for pod in pods("tracking-server") if ready(pod)] == [serving]
    kubectl("apply", "--filename", str(DIST))
    healed()


def test_an_old_experiment_is_found_by_the_doctor_on_both_sides(client, tmp_path):
    file, uri = client_doctor(tmp_path), mlflow.get_tracking_uri()
    assert run_client_doctor(file, uri)[0] == 0
    old = client.create_experiment("from before")
    # as one was made before artifacts were proxied, which nobody can make any more
    moved = "UPDATE experiments SET artifact_location = 's3://mlflow-bucket/from-before' WHERE name = 'from before'"
    kubectl("exec", "--namespace", NAMESPACE, "postgres-0", "--", "psql", "-U", "postgres", "-d", "mlflow", "-c", moved)
    code, text = doctor()
    assert (
        code == 10
        and f'{old} "from before" at s3://mlflow-bucket/from-before' in text
        and "start-mlflow.py relocate tells what would change" in text
    )
    code, text = run_client_doctor(file, uri)
    assert code == 10 and "from before" in text, text
    code, text = run_client_doctor(file, "--json", MLFLOW_TRACKING_URI=uri)
    assert code == 10 and json.loads(text)["ok"] is False
    client.delete_experiment(old)
    code, text = run_client_doctor(file, uri)
    assert code == 0, text
    assert doctor()[0] == 0
