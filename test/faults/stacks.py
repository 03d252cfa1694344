"""Stacks of main.ts, each with its clients in a pod of another namespace, which no fault reaches."""

import functools
import json
import os
import pathlib
import subprocess
import tempfile

from cluster import ROOT, execute, get, kubectl, pod_with_python, ready, remove_namespace, say, servers, wait_until

HERE = pathlib.Path(__file__).parent
CLIENTS = "faults-clients"
# the namespaces that are there, and all that the suite has made
CURRENT, MADE = [], []
# seconds in which everything is as it was, at the most, whatever was done
HEALING = 240


class Stack:
    """One stack that is written to all the time."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.pod = f"clients-of-{namespace}"
        self.applied = False
        self.count = None

    def apply(self):
        if self.applied:
            return
        self.applied = True
        made(self.namespace)
        say(f"applying {self.namespace}")
        self.apply_again()
        self.count = sum(
            found["spec"].get("replicas", 1)
            for kind in ("deployments", "statefulsets")
            for found in get(kind, namespace=self.namespace)["items"]
        )

    def apply_again(self):
        for file in sorted(manifests().glob(f"{self.namespace}*"), key=lambda file: "programs" not in file.name):
            kubectl("apply", "--filename", str(file))

    def settled(self):
        """Whether every pod that there should be is ready, and no other is there."""
        now = servers(self.namespace)
        return len(now) == self.count and all(ready(pod) for pod in now)

    def wait(self, seconds=600):
        # it watches, where to ask again and again costs more than the start of a server
        for workload in ("statefulset/postgres", "statefulset/minio", "deployment/mlflow", "deployment/mlflow-monitor"):
            self.kubectl("rollout", "status", workload, f"--timeout={seconds}s")
        wait_until(f"{self.namespace}: {self.count} pods ready", 60, self.settled)

    def start_clients(self):
        pod = pod_with_python(self.pod, CLIENTS, "", server=self.namespace)
        (container,) = pod["spec"]["containers"]
        container["command"] = ["python3", "-u", "/programs/clients.py"]
        # who measures must not be the one that waits for a CPU
        container["resources"] = {"requests": {"cpu": "20m", "memory": "256Mi"}}
        container["env"] = [
            # by its address: the DNS of the cluster is not what is looked at
            {"name": "MLFLOW_TRACKING_URI", "value": f"http://{self.address()}:5000"},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "GIT_PYTHON_REFRESH", "value": "quiet"},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108
        ]
        container["volumeMounts"] = [{"name": name, "mountPath": f"/{name}"} for name in ("programs", "journal", "tmp")]
        pod["spec"]["volumes"] = [
            {"name": "programs", "configMap": {"name": "programs"}},
            *({"name": name, "emptyDir": {}} for name in ("journal", "tmp")),
        ]
        # the journal is of the user of the container
        pod["spec"]["securityContext"]["fsGroup"] = 1000
        kubectl("apply", "--filename", "-", stdin=json.dumps(pod))
        kubectl("wait", "--for=condition=ready", f"pod/{self.pod}", "--namespace", CLIENTS, "--timeout=120s")
        wait_until("all clients write", 400, lambda: self.ask("healthy", 0) and self.ask("writes") > 3)

    def address(self):
        return self.get("service", "mlflow-service")["spec"]["clusterIP"]

    def stop_clients(self):
        execute(self.pod, "touch", "/journal/stop", namespace=CLIENTS)

    def ask(self, *question):
        """What the journal says of a time."""
        return json.loads(execute(self.pod, "python3", "/programs/journal.py", *map(str, question), namespace=CLIENTS))

    def now(self):
        """By the clock of the clients."""
        return self.ask("now")

    def get(self, kind, *arguments):
        return get(kind, *arguments, namespace=self.namespace)

    def pods(self, component):
        return self.get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]

    def execute(self, target, script, container=None):
        chosen = ["--container", container] if container else []
        return kubectl("exec", "--namespace", self.namespace, target, *chosen, "--", "bash", "-euc", script)

    def kubectl(self, *arguments, **options):
        return kubectl("--namespace", self.namespace, *arguments, **options)

    def remove(self):
        if self.namespace in CURRENT:
            CURRENT.remove(self.namespace)
            kubectl("delete", f"pod/{self.pod}", "--namespace", CLIENTS, "--ignore-not-found", "--wait=false", "--grace-period=1")
            remove_namespace(self.namespace)


def made(namespace):
    CURRENT.append(namespace)
    MADE.append(namespace)


def make_room_for_clients():
    """Their namespace, and the programs in it."""
    made(CLIENTS)
    kubectl("create", "namespace", CLIENTS)
    files = [f"--from-file={HERE / name}" for name in ("clients.py", "journal.py", "slow.py")]
    kubectl("create", "configmap", "programs", "--namespace", CLIENTS, *files)


@functools.cache
def manifests():
    """The folder with those of main.ts, made once."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="faults-"))
    synth = [ROOT / "node_modules/.bin/tsx", HERE / "main.ts"]
    subprocess.run(synth, env=os.environ | {"CDK8S_OUTDIR": str(folder)}, check=True)
    return folder


def remove_all():
    say("removing what the suite applied")
    for namespace in CURRENT:
        remove_namespace(namespace)
    # also those that were removed before: who begins again at once makes them anew
    for namespace in MADE:
        kubectl("wait", "--for=delete", f"namespace/{namespace}", "--timeout=180s", check=False)
