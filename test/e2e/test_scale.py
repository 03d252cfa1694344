"""Transfers in pods of their own: one URI in the cluster, three artifact servers under load, and transfers that break off.

Memory and scratch are asserted, and times are not.
"""

import json
import re
import subprocess
import threading

import mlflow
import pytest

from cluster import (
    execute,
    get,
    kubectl,
    pod_with_python,
    pods,
    remove_namespace,
    run_python,
    say,
    synth,
    tracking_server,
    wait_for_servers,
    wait_until,
    what_a_second_apply_changes,
)

NAMESPACE = "mlflow-scale"
# database, object store, tracking server, its monitor, artifact servers
SERVERS = 7
CLIENT = "client"
MIB = 2**20
CLIENTS, MEBIBYTES = 8, 96
# what a pod of MLflow may take with its transfers, as the issue of the streams has it, and nginx, in MiB
MOST_MEMORY, MOST_SCRATCH, MOST_OF_ROUTER = 700, 100, 64

# what all programs of the client share: it has the one URI, and the standard library
COMMON = f"""
import hashlib, http.client, json, os, socket, struct, sys, threading, time
BLOCK = os.urandom({MIB})
def connect(): return http.client.HTTPConnection("mlflow-service", 5000, timeout=300)
def path(name): return "/api/2.0/mlflow-artifacts/artifacts/1/scale/artifacts/" + name
def put(name, pieces, length):
    connection = connect()
    connection.request("PUT", path(name), pieces, {{"Content-Length": str(length)}})
    return connection.getresponse().status
def get(name):
    connection = connect()
    connection.request("GET", path(name))
    answer, digest, size = connection.getresponse(), hashlib.sha256(), 0
    while piece := answer.read({MIB}):
        digest.update(piece)
        size += len(piece)
    return answer.status, size, digest.hexdigest()
def digest(blocks):
    found = hashlib.sha256()
    for _ in range(blocks): found.update(BLOCK)
    return found.hexdigest()
"""

# many large transfers at once, a slow one beside them, and metadata all the time
LOAD = (
    COMMON
    + """
clients, blocks = json.load(sys.stdin)
wanted, found, metadata, over = digest(blocks), {}, [], threading.Event()
def transfer(name):
    up = put(name, (BLOCK for _ in range(blocks)), blocks * len(BLOCK))
    status, size, came = get(name)
    found[name] = [up, status, size == blocks * len(BLOCK), came == wanted]
def slow():
    def pieces():
        for _ in range(100):
            yield BLOCK[:1024]
            time.sleep(0.1)
    found["slow"] = [put("slow", pieces(), 100 * 1024), *get("slow")[:2]]
def ask():
    connection = connect()
    while not over.is_set():
        connection.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
        answer = connection.getresponse()
        answer.read()
        metadata.append(answer.status)
        time.sleep(0.05)
threads = [threading.Thread(target=transfer, args=(f"large-{number}",)) for number in range(clients)]
threads.append(threading.Thread(target=slow))
asking = threading.Thread(target=ask)
asking.start()
for thread in threads: thread.start()
for thread in threads: thread.join()
over.set()
asking.join()
print(json.dumps({"found": found, "metadata": sorted(set(metadata)), "asked": len(metadata)}))
"""
)

# an upload of which half comes, and whose connection is then broken off; a client that sends less than it said
ABORTED = (
    COMMON
    + """
blocks = json.load(sys.stdin)
def half(name, broken):
    connection = connect()
    connection.putrequest("PUT", path(name))
    connection.putheader("Content-Length", str(blocks * len(BLOCK)))
    connection.endheaders()
    for _ in range(blocks // 2): connection.send(BLOCK)
    if broken: connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
half("aborted", True)
half("short", False)
time.sleep(3)
print(json.dumps([get("aborted")[0], get("short")[0]]))
"""
)

# a download that waits in its middle until it is told that its server is gone, or in vain
TRUNCATED = (
    COMMON
    + """
connection = connect()
connection.request("GET", path("large-0"))
answer = connection.getresponse()
size = len(answer.read(len(BLOCK)))
print("begun", flush=True)
sys.stdin.readline()
try:
    size += len(answer.read())
    ended = "whole"
except http.client.IncompleteRead as error:
    size += len(error.partial)
    ended = "incomplete"
except OSError as error:
    ended = type(error).__name__
print(json.dumps([answer.status, int(answer.headers["Content-Length"]), size, ended]), flush=True)
"""
)

# runs in a pod of MLflow until it is told to end: the most memory without page cache, and the most in /tmp, in MiB
WATCH = """
import os, re, select, sys
def memory():
    for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        for name in ("memory.usage_in_bytes", "memory.current"):
            if os.path.exists(f"{root}/{name}"):
                usage = int(open(f"{root}/{name}").read())
                return usage - int(re.search(r"^(?:total_)?inactive_file (\\d+)", open(f"{root}/memory.stat").read(), re.M)[1])
    raise SystemExit("this pod does not see its cgroup")
def scratch():
    size = 0
    for folder, _, files in os.walk("/tmp"):
        for name in files:
            try: size += os.lstat(os.path.join(folder, name)).st_size
            except OSError: pass
    return size
most = [0, 0]
while True:
    most = [max(pair) for pair in zip(most, (memory(), scratch()))]
    if select.select([sys.stdin], [], [], 0.5)[0]: break
print(most[0] // 2**20, most[1] // 2**20)
"""

# ends the server processes of a pod, which its process 1 starts again
KILL = """
import os, signal
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) not in (1, os.getpid()): os.kill(int(pid), signal.SIGKILL)
"""

# the shell of the image of nginx has no more than its own words
ROUTER = """
for file in /proc/[0-9]*/status; do while read -r line; do echo "$line"; done <"$file"; done
for file in /tmp/*/*; do echo "$file"; done
"""


@pytest.fixture(scope="module", autouse=True)
def manifests(stack, tmp_path_factory):
    folder = synth("e2e/scale/main.ts", tmp_path_factory.mktemp("scale"))
    try:
        say("applying the stack with artifact servers")
        kubectl("apply", "--filename", str(folder))
        wait_for_servers(480, SERVERS, namespace=NAMESPACE)
        kubectl(
            "apply",
            "--filename",
            "-",
            stdin=json.dumps(pod_with_python(CLIENT, NAMESPACE, "import time; time.sleep(86400)", server=NAMESPACE)),
        )
        kubectl("wait", "--for=condition=ready", f"pod/{CLIENT}", "--namespace", NAMESPACE, "--timeout=120s")
        yield folder
    finally:
        remove_namespace(NAMESPACE)


def artifact_servers():
    return pods("artifact-server", NAMESPACE)


def in_client(program, value):
    return run_python(CLIENT, NAMESPACE, program, value)


class Watch:
    """How much the pods of MLflow take, from beginning to end."""

    def __enter__(self):
        names = [pod["metadata"]["name"] for pod in artifact_servers() + pods("tracking-server", NAMESPACE)]
        command = ("kubectl", "exec", "--stdin", "--namespace", NAMESPACE, "--container", "mlflow")
        self._watching = {
            name: subprocess.Popen(
                [*command, name, "--", "python3", "-c", WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for name in names
        }
        return self

    def __exit__(self, *_):
        self.most = {}
        for name, process in self._watching.items():
            out, _ = process.communicate("\n")
            self.most[name] = tuple(map(int, out.split()))


def incomplete():
    login = 'mc alias set -q s http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null'
    script = f"export MC_CONFIG_DIR=/tmp/mc; {login}; mc ls --incomplete --recursive s/mlflow-bucket"
    return execute("minio-0", "bash", "-euc", script, namespace=NAMESPACE).strip()


def test_a_second_apply_changes_nothing(manifests):
    # kubectl sends the selector of a PodDisruptionBudget each time, which changes nothing either
    changed, _, _ = what_a_second_apply_changes(manifests)
    assert changed == ["poddisruptionbudget.policy/mlflow-artifacts configured"]
    assert get("poddisruptionbudget", "mlflow-artifacts", namespace=NAMESPACE)["status"]["disruptionsAllowed"] == 1


def test_the_official_client_knows_one_uri(tmp_path):
    with tracking_server(NAMESPACE) as uri:
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("scale")
        file = tmp_path / "file.bin"
        file.write_bytes(b"0123456789" * 500_000)
        with mlflow.start_run() as run:
            mlflow.log_metric("metric", 1)
            mlflow.log_artifact(str(file), "folder")
        client = mlflow.MlflowClient()
        assert client.get_run(run.info.run_id).data.metrics == {"metric": 1}
        assert [found.path for found in client.list_artifacts(run.info.run_id, "folder")] == ["folder/file.bin"]
        back = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="folder/file.bin")
        with open(back, "rb") as came:
            assert came.read() == file.read_bytes()


def test_large_transfers_run_in_three_pods_in_bounded_memory_while_metadata_is_answered():
    with Watch() as watch:
        came = in_client(LOAD, [CLIENTS, MEBIBYTES])
    assert came["found"].pop("slow") == [200, 200, 100 * 1024]
    assert came["found"] == {f"large-{number}": [200, 200, True, True] for number in range(CLIENTS)}
    assert came["metadata"] == [200] and came["asked"] > 10

    memory, scratch = (max(values) for values in zip(*watch.most.values(), strict=True))
    say(
        f"{CLIENTS} times {MEBIBYTES} MiB up and down at 3 artifact servers: at most {memory} MiB in a pod, {scratch} MiB in /tmp"
    )
    assert memory < MOST_MEMORY and scratch < MOST_SCRATCH

    transfer = re.compile(r'"(PUT|GET) /api/2\.0/mlflow-artifacts/')
    logs = {
        pod["metadata"]["name"]: kubectl("logs", "--namespace", NAMESPACE, pod["metadata"]["name"], "--container", "mlflow")
        for pod in artifact_servers() + pods("tracking-server", NAMESPACE)
    }
    with_transfers = {name for name, log in logs.items() if transfer.search(log)}
    assert with_transfers == {pod["metadata"]["name"] for pod in artifact_servers()}


def test_nginx_keeps_nothing_of_them():
    (server,) = pods("tracking-server", NAMESPACE)
    found = kubectl(
        "exec", "--namespace", NAMESPACE, server["metadata"]["name"], "--container", "router", "--", "sh", "-c", ROUTER
    )
    memory = max(int(size) for size in re.findall(r"^VmHWM:\s+(\d+) kB", found, re.M)) / 1024
    say(f"nginx before the server, which handed on all of it: at most {memory:.0f} MiB")
    assert memory < MOST_OF_ROUTER
    # a pattern that fits nothing stands for itself
    assert [line for line in found.splitlines() if line.startswith("/tmp/")] == ["/tmp/*/*"]  # noqa: S108


def test_an_upload_that_is_broken_off_leaves_nothing():
    assert in_client(ABORTED, 64) == [404, 404]
    wait_until("parts to be taken back", 60, lambda: incomplete() == "")


def test_a_download_whose_server_goes_is_no_whole_file():
    command = ["kubectl", "exec", "--stdin", "--namespace", NAMESPACE, CLIENT, "--", "python3", "-u", "-c", TRUNCATED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as download:
        # a client that hangs is ended, and not waited for
        limit = threading.Timer(240, download.kill)
        limit.start()
        assert download.stdout.readline() == "begun\n"
        for pod in artifact_servers():
            execute(pod["metadata"]["name"], "python3", "-c", KILL, namespace=NAMESPACE)
        out, _ = download.communicate("\n")
        limit.cancel()
    status, announced, size, ended = json.loads(out)
    assert (status, announced, size < announced, ended != "whole") == (200, MEBIBYTES * MIB, True, True)
    again = COMMON + 'json.load(sys.stdin); print(json.dumps(get("large-0")[:2]))'
    wait_until("all servers answer again", 300, lambda: in_client(again, None) == [200, MEBIBYTES * MIB], every=5)
