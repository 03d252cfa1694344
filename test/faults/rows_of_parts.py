"""Parts that end: asked to, killed, and for want of memory."""

from cluster import wait_until
from rows import ONE, SlowUpload, row

SERVER = "tracking-server"
# mc in the pod of MinIO, as its root user
ADMINISTER = (
    'export MC_CONFIG_DIR=/tmp/mc; mc alias set -q s http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null; '
)
# prints the processes of MLflow in the container, which are children of the first, the oldest first
CHILDREN = """
import os
def parent(number):
    try:
        return int(open(f"/proc/{number}/stat").read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return -1
numbers = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
print(*[number for number in numbers if parent(number) == 1])
"""
# Makes the processes of the server the first to go, and takes all memory there is. The kernel takes the largest one of those
# that are to go first, so none that takes memory may be as large as the server.
FILL_MEMORY = """
import os, sys, time
def alive():
    return all(os.path.exists(f"/proc/{number}") for number in sys.argv[1:])
def fill():
    taken = []
    while alive():
        if len(taken) < 100:
            taken.append(b"x" * (1 << 20))
        else:
            time.sleep(0.05)
for process in filter(lambda process: os.path.exists(f"/proc/{process}"), sys.argv[1:]):
    open(f"/proc/{process}/oom_score_adj", "w").write("1000")
for turn in range(300):
    if not alive():
        break
    if turn < 40 and os.fork() == 0:
        fill()
        os._exit(0)
    time.sleep(0.1)
print("here" if alive() else "gone")
"""


def restarts(stack, component):
    return sum(status["restartCount"] for pod in stack.pods(component) for status in pod["status"].get("containerStatuses", []))


def identities(stack, component):
    return {pod["metadata"]["uid"] for pod in stack.pods(component)}


def killed_in_place(stack, pod, component):
    """KILL of all processes of a store, in a pod that stays."""
    before = restarts(stack, component)
    # the shell that says it is spared; kubectl tells that it has lost it, where it goes as well
    stack.kubectl("exec", pod, "--", "bash", "-c", "kill -KILL -1", check=False)
    wait_until(f"{pod} was killed", 60, lambda: restarts(stack, component) > before)


def asked_to_stop(stack, pod, component):
    """TERM, by way of Kubernetes: the pod goes, and another comes."""
    before = identities(stack, component)
    stack.kubectl("delete", f"pod/{pod}", "--wait=false")
    wait_until(f"{pod} is another", 150, lambda: (now := identities(stack, component)) and not now & before)


def children(stack):
    """None, where there is no container to look into."""
    return set(stack.kubectl("exec", "deployment/mlflow", "--", "python3", "-c", CHILDREN, check=False).stdout.split())


@row(ONE, "KILL of PostgreSQL, in the middle of uploads", uploads=True)
def database_kill(stack):
    killed_in_place(stack, "postgres-0", "backend-store")


@row(ONE, "TERM of PostgreSQL, in the middle of uploads", uploads=True)
def database_term(stack):
    asked_to_stop(stack, "postgres-0", "backend-store")


@row(ONE, "KILL of MinIO, in the middle of uploads", uploads=True)
def store_kill(stack):
    killed_in_place(stack, "minio-0", "artifact-store")


@row(ONE, "TERM of MinIO, in the middle of uploads", uploads=True)
def store_term(stack):
    asked_to_stop(stack, "minio-0", "artifact-store")


@row(ONE, "KILL of PostgreSQL and MinIO at once, in the middle of uploads", uploads=True)
def both_stores(stack):
    killed_in_place(stack, "minio-0", "artifact-store")
    killed_in_place(stack, "postgres-0", "backend-store")


@row(ONE, "clients that go away in the middle of an upload")
def client_gone(stack):
    start = f"{stack.now():.0f}"
    replaced, new = f"gone-{start}-replaced", f"gone-{start}-new"
    first = SlowUpload(stack, replaced, 0, 10).end()
    assert first["status"] == 200, first
    broken = [SlowUpload(stack, name, 2, 20, 0.7) for name in (replaced, new, f"{new}-small")]
    ended = [upload.end() for upload in broken]
    # what is taken back may take a moment
    wait_until(
        "no parts are left",
        60,
        lambda: not stack.execute("minio-0", f"{ADMINISTER} mc ls --recursive --incomplete s/mlflow-bucket"),
    )
    states = [upload.state(found) for upload, found in zip(broken, ended)]
    assert broken[0].state(first) == "whole" and states[1:] == ["absent", "absent"], states
    return "nothing of them is there, not even hidden parts; a file that one would have replaced is as it was"


@row(ONE, "KILL of MLflow's server process, in the middle of uploads", outage=15, uploads=True)
def server_kill(stack):
    before = children(stack)
    assert before
    stack.execute("deployment/mlflow", f"kill -KILL {' '.join(before)}", "mlflow")


@row(ONE, "TERM of MLflow, in the middle of uploads", uploads=True)
def server_term(stack):
    (server,) = stack.pods(SERVER)
    asked_to_stop(stack, server["metadata"]["name"], SERVER)


@row(ONE, "no memory left for MLflow's server process (OOM)", uploads=True)
def server_oom(stack):
    before, started = children(stack), restarts(stack, SERVER)

    def gone():
        if restarts(stack, SERVER) > started:
            return "the container was started again"
        # the kernel may take the one that fills it
        stack.kubectl("exec", "deployment/mlflow", "--", "python3", "-c", FILL_MEMORY, *before, check=False)
        now = children(stack)
        return "process 1 started it again" if now and not now & before else ""

    return wait_until("the server process is gone", 120, gone)


@row(ONE, "all pods at once", uploads=True)
def all_pods(stack):
    parts = (SERVER, "store-monitor", "backend-store", "artifact-store")
    before = set.union(*(identities(stack, part) for part in parts))
    stack.kubectl("delete", "pods", "--wait=false", "--selector", f"app.kubernetes.io/component in ({','.join(parts)})")

    def others():
        now = [identities(stack, part) for part in parts]
        return all(now) and not set.union(*now) & before

    wait_until("all pods are others", 180, others)
