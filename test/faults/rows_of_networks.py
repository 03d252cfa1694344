"""Parts that do not hear each other: a cut network, a node that is gone, programs that hang, and rules that let nobody in."""

import json
import os
import time

from cluster import execute, kubectl, wait_until
from rows import OTHER, row
from rows_of_parts import SERVER
from stacks import CLIENTS

CUT = float(os.environ.get("FAULTS_CUT", "60"))
HANG = float(os.environ.get("FAULTS_HANG", "30"))
STORES = {"postgres-0": "backend-store", "minio-0": "artifact-store"}
# tries for a connection, of which there is none in 3 seconds
CONNECT = 'import socket; socket.create_connection(("postgres", 5432), timeout=3)'


class Cutter:
    """A pod that reaches into the network of others on its node: what they send to an address is lost, without a word."""

    NAME = "cutter"

    def __init__(self, stack):
        self._stack = stack
        self._routes = []
        security = {"privileged": True}
        container = {"name": "cutter", "image": "busybox:1.35", "command": ["sleep", "3600"], "securityContext": security}
        spec = {"hostPID": True, "hostNetwork": True, "terminationGracePeriodSeconds": 0, "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.NAME, "namespace": CLIENTS}}
        kubectl("apply", "--filename", "-", stdin=json.dumps(pod | {"spec": spec}))
        kubectl("wait", "--for=condition=ready", f"pod/{self.NAME}", "--namespace", CLIENTS, "--timeout=60s")

    def _run(self, script):
        return execute(self.NAME, "sh", "-euc", script, namespace=CLIENTS).strip()

    def cut(self, pod, address):
        uid = pod["metadata"]["uid"].replace("-", "[-_]")
        # the first process of a pod is there as long as its network; others come and go, such as those of probes
        process = self._run(f"grep -l 'pod{uid}' /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3 | sort -n | head -n 1")
        assert process.isdigit(), pod["metadata"]["name"]
        self._run(f"nsenter -t {process} -n ip route add blackhole {address}")
        self._routes.append((process, address))

    def mend(self):
        for process, address in self._routes:
            self._run(f"nsenter -t {process} -n ip route del blackhole {address}")


def from_server(cutter, stack, *names):
    (server,) = stack.pods(SERVER)
    for name in names:
        (store,) = stack.pods(STORES[name])
        cutter.cut(store, server["status"]["podIP"])


def connects(stack):
    """Whether the server may open a connection to the database."""
    return stack.kubectl("exec", "deployment/mlflow", "--", "python3", "-c", CONNECT, check=False).returncode == 0


@row(OTHER, "the network between MLflow and both stores is cut", longest=CUT + 45)
def cut(stack):
    cutter = Cutter(stack)
    assert connects(stack)
    from_server(cutter, stack, *STORES)
    start = time.monotonic()
    assert not connects(stack)
    time.sleep(max(0.0, CUT - (time.monotonic() - start)))
    cutter.mend()
    return f"for {CUT:.0f} s"


@row(OTHER, "PostgreSQL's node is gone without a word, and its pod comes back elsewhere", longest=60)
def database_lost(stack):
    cutter = Cutter(stack)
    from_server(cutter, stack, "postgres-0")
    stack.kubectl("delete", "pod/postgres-0", "--grace-period=0", "--force", "--wait=false")
    wait_until("another PostgreSQL", 120, lambda: connects(stack))


@row(OTHER, "PostgreSQL and MinIO hang (STOP)", longest=HANG + 45)
def hang(stack):
    for store in STORES:
        stack.execute(store, "kill -STOP -1")
    time.sleep(HANG)
    for store in STORES:
        stack.execute(store, "kill -CONT -1")
    return f"for {HANG:.0f} s"


@row(OTHER, "NetworkPolicies let nobody to the stores")
def closed(stack):
    for name in ("postgres", "minio"):
        stack.kubectl("patch", "networkpolicy", name, "--type=merge", "--patch", json.dumps({"spec": {"ingress": []}}))
    wait_until("no new connection", 60, lambda: not connects(stack))
    time.sleep(15)
    stack.apply_again()
    wait_until("new connections", 60, lambda: connects(stack))
    return "for 15 s"
