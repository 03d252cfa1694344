"""What the tests need of kubectl."""

import base64
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

NAMESPACE = "mlflow"
ROOT = pathlib.Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
# that of the stack with the options of a production, and that of the clients that its NetworkPolicy names
PROD = "mlflow-prod"
CLIENTS = "mlflow-clients"
STARTED = time.monotonic()
# by how much longer everything may take, where the machine does other work as well
SLACK = float(os.environ.get("E2E_SLACK", "1"))


def say(text):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


def figure(part, text):
    """Says what was measured, and keeps it for docs/reference/reliability.md where RELIABILITY_FIGURES names a file."""
    say(text)
    if os.environ.get("RELIABILITY_FIGURES"):
        with open(os.environ["RELIABILITY_FIGURES"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"part": part, "text": text, "date": time.strftime("%Y-%m-%d", time.gmtime())}) + "\n")


def patient(argument):
    """A deadline of kubectl, with the slack that there is."""
    return re.sub(r"\A--timeout=(\d+)([sm])\Z", lambda found: f"--timeout={float(found[1]) * SLACK:.0f}{found[2]}", argument)


def kubectl(*arguments, check=True, stdin=None):
    arguments = [patient(argument) for argument in arguments]
    result = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(arguments)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout if check else result


def synth(program, folder, **variables):
    """The manifests of an app of the tests, in a folder."""
    command = [ROOT / "node_modules/.bin/tsx", ROOT / "test" / program]
    subprocess.run(command, env=os.environ | {"CDK8S_OUTDIR": str(folder), **variables}, check=True)
    return folder


def end_pods(namespace):
    """Before the namespace is deleted, which waits for half of the longest grace period that it finds in it."""
    where = ("--all", "--namespace", namespace, "--wait=false")
    kubectl("delete", "deployments,statefulsets,jobs,cronjobs", *where, check=False)
    kubectl("delete", "pods", *where, "--grace-period=0", "--force", check=False)


def remove_namespace(namespace):
    """Without waiting for its end."""
    if os.environ.get("E2E_KEEP") is not None:
        return
    say(f"removing the namespace {namespace}")
    end_pods(namespace)
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


def get(kind, *arguments, namespace=NAMESPACE):
    return json.loads(kubectl("get", kind, "--namespace", namespace, "--output", "json", *arguments))


def pods(component, namespace=NAMESPACE):
    return get("pods", "--selector", f"app.kubernetes.io/component={component}", namespace=namespace)["items"]


def execute(target, *command, namespace=NAMESPACE):
    return kubectl("exec", "--namespace", namespace, target, "--", *command)


def processes_arguments(target, namespace=NAMESPACE):
    """Arguments of process 1 of a container."""
    return execute(target, "cat", "/proc/1/cmdline", namespace=namespace).split("\0")[:-1]


def client_doctor(directory, namespace=NAMESPACE):
    """The program that examines the server from outside, by the line of the guide that prints it."""
    file = pathlib.Path(directory) / "mlflow_doctor.py"
    where = ("--namespace", namespace, "--output", r"jsonpath={.data.mlflow_doctor\.py}")
    file.write_text(kubectl("get", "configmap", "mlflow-preflight", *where))
    return file


def run_client_doctor(file, *arguments, **variables):
    """Exit code and output of it in an environment that has nothing of this cluster but the URL."""
    command = [sys.executable, "-I", str(file), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")} | variables
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, result.stdout


def secret_value(secret, key, namespace=NAMESPACE):
    return base64.b64decode(get("secret", secret, namespace=namespace)["data"][key]).decode()


def problems(pod):
    """Containers of a pod that crashed, or wait to be started again after a crash."""
    status = pod["status"]
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        reason = container["state"].get("waiting", {}).get("reason", "")
        if reason in ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull") or container["restartCount"] > 0:
            yield f"{pod['metadata']['name']}/{container['name']}: {reason or 'restarted'}"


def ready(pod):
    conditions = {condition["type"]: condition["status"] for condition in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def is_job_pod(pod):
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))


def end_of_job(name, seconds, namespace=NAMESPACE):
    """How a Job ends: "Complete" or "Failed"."""

    def ended():
        conditions = get("job", name, namespace=namespace)["status"].get("conditions", [])
        ends = (one["type"] for one in conditions if one["status"] == "True" and one["type"] in ("Complete", "Failed"))
        return next(ends, None)

    return wait_until(f"Job {name}", seconds, ended, every=2)


def servers(namespace=NAMESPACE):
    return [pod for pod in get("pods", namespace=namespace)["items"] if not is_job_pod(pod)]


def pod_with_python(name, namespace, program, labels=None, server=NAMESPACE):
    """A pod of nobody's, for a test to look at the cluster from, with the image of the server in a namespace."""
    image = get("deployment", "mlflow", namespace=server)["spec"]["template"]["spec"]["containers"][0]["image"]
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "python", "image": image, "command": ["python3", "-c", program], "securityContext": security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
                # a stand-in of DNS listens at 53
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


def run_python(pod, namespace, program, value):
    """What a program prints that runs in a pod, both as JSON. The value goes in by standard input, where secrets may stand."""
    command = ("exec", "--stdin", "--namespace", namespace, pod, "--", "python3", "-c", program)
    return json.loads(kubectl(*command, stdin=json.dumps(value)))


def wait_until(what, seconds, condition, every=0.5):
    """Polls; the condition returns something true, or raises to end the wait at once."""
    seconds *= SLACK
    every *= min(SLACK, 2)  # each look takes a tenth of a second of CPU
    start = time.monotonic()
    while True:
        result = condition()
        if result:
            say(f"{what}: after {time.monotonic() - start:.1f} s")
            return result
        if time.monotonic() - start > seconds:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


def wait_for_servers(seconds, count, unharmed=True, namespace=NAMESPACE):
    def condition():
        now = servers(namespace)
        if unharmed:
            found = [problem for pod in get("pods", namespace=namespace)["items"] for problem in problems(pod)]
            assert not found, found
        return len(now) == count and all(ready(pod) for pod in now)

    wait_until(f"{count} servers ready", seconds, condition)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def forwarded(target, port, namespace=NAMESPACE):
    """The port on this machine that leads to one of a Service or a pod."""
    here = free_port()
    command = ["kubectl", "port-forward", "--namespace", namespace, target, f"{here}:{port}"]
    wanted, running = True, []

    def forward():
        # kubectl ends a port-forward with the first connection that breaks; the client tries again, and so does this
        while wanted:
            running[:] = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)]
            _, error = running[0].communicate()
            if wanted:
                say(f"port-forward ended with exit code {running[0].returncode}: {error.strip()}")
                time.sleep(0.5)

    thread = threading.Thread(target=forward)
    thread.start()
    try:
        yield here
    finally:
        wanted = False
        for process in running:
            process.terminate()
        thread.join()


@contextlib.contextmanager
def tracking_server(namespace=NAMESPACE, prefix=""):
    """URI of the tracking server on this machine, through a port-forward.

    One for the whole session: the client keeps the URI of a run's artifacts for as long as its process lives.
    """
    with forwarded("service/mlflow-service", 5000, namespace) as port:
        uri = f"http://127.0.0.1:{port}{prefix}"
        wait_until("port-forward", 30, lambda: answers(uri + "/health"))
        yield uri


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def logs(namespace=NAMESPACE):
    """All that any container of the namespace has written, by pod and container."""
    texts = {}
    for pod in get("pods", namespace=namespace)["items"]:
        name = pod["metadata"]["name"]
        spec = pod["spec"]
        for container in spec.get("initContainers", []) + spec["containers"]:
            result = kubectl("logs", "--namespace", namespace, name, "--container", container["name"], check=False)
            texts[f"{name}/{container['name']}"] = result.stdout
    return texts


def places_of_secrets(manifests, namespace=NAMESPACE):
    """Where a value of a Secret stands: in which manifest, object, argument of a process or log."""
    values = set()
    for secret in get("secrets", namespace=namespace)["items"]:
        for value in secret.get("data", {}).values():
            text = base64.b64decode(value).decode()
            if len(text) >= 12:  # user names such as "mlflow" are no secrets, and stand everywhere
                values.update({text, value})
    assert len(values) >= 8
    texts = dict(logs(namespace))
    for kind in ("pods", "jobs", "deployments", "statefulsets", "configmaps", "services", "events"):
        texts[kind] = json.dumps(get(kind, namespace=namespace))
    for manifest in manifests.glob("*.yaml"):
        texts[str(manifest)] = manifest.read_text()
    for pod in servers(namespace):
        name = pod["metadata"]["name"]
        texts[f"arguments in {name}"] = execute(name, "bash", "-c", "cat /proc/[0-9]*/cmdline", namespace=namespace)
    return [place for place, text in texts.items() if any(value in text for value in values)]


def what_a_second_apply_changes(manifests):
    """But for Jobs, which go a minute after their end, so that an apply runs them again."""
    lines = kubectl("apply", "--filename", str(manifests)).splitlines()
    changed = [line for line in lines if not line.endswith(" unchanged") and not re.fullmatch(r"job\.batch/\S+ created", line)]
    difference = kubectl("diff", "--filename", str(manifests), check=False)
    if "\n+kind: Job\n" in difference.stdout:
        # it has gone since the apply; the next one makes it anew
        return what_a_second_apply_changes(manifests)
    return changed, difference.returncode, difference.stdout


def report(namespace=NAMESPACE):
    """What somebody wants to see of a test that failed."""
    for arguments in (
        ["get", "pods,jobs,pvc", "--output", "wide"],
        ["describe", "pods"],
        ["get", "events", "--sort-by", ".lastTimestamp"],
    ):
        say(f"kubectl {' '.join(arguments)}")
        print(kubectl(*arguments, "--namespace", namespace, check=False).stdout, flush=True)
    for container, text in logs(namespace).items():
        say(f"last lines of {container}")
        print("\n".join(re.split(r"\r?\n", text)[-60:]), flush=True)
