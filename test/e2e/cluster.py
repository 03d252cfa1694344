"""What the tests need of kubectl."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

NAMESPACE = "mlflow"
DIST = pathlib.Path(__file__).resolve().parents[2] / "dist"
STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


def kubectl(*arguments, check=True, stdin=None):
    result = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(arguments)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout if check else result


def get(kind, *arguments):
    return json.loads(kubectl("get", kind, "--namespace", NAMESPACE, "--output", "json", *arguments))


def pods(component):
    return get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]


def execute(target, *command):
    return kubectl("exec", "--namespace", NAMESPACE, target, "--", *command)


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


def servers():
    return [pod for pod in get("pods")["items"] if not is_job_pod(pod)]


def wait_until(what, seconds, condition):
    """Polls; the condition returns something true, or raises to end the wait at once."""
    start = time.monotonic()
    while True:
        result = condition()
        if result:
            say(f"{what}: after {time.monotonic() - start:.1f} s")
            return result
        if time.monotonic() - start > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.5)


def wait_for_servers(seconds, count, unharmed=True):
    def condition():
        now = servers()
        if unharmed:
            found = [problem for pod in get("pods")["items"] for problem in problems(pod)]
            assert not found, found
        return len(now) == count and all(ready(pod) for pod in now)

    wait_until(f"{count} servers ready", seconds, condition)


@contextlib.contextmanager
def tracking_server():
    """URI of the tracking server on this machine, through a port-forward.

    One for the whole session: the client keeps the URI of a run's artifacts for as long as its process lives.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["kubectl", "port-forward", "--namespace", NAMESPACE, "service/mlflow-service", f"{port}:5000"]
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
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_until("port-forward", 30, lambda: answers(uri + "/health"))
        yield uri
    finally:
        wanted = False
        for process in running:
            process.terminate()
        thread.join()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def logs():
    """All that any container of the namespace has written, by pod and container."""
    texts = {}
    for pod in get("pods")["items"]:
        name = pod["metadata"]["name"]
        spec = pod["spec"]
        for container in spec.get("initContainers", []) + spec["containers"]:
            result = kubectl("logs", "--namespace", NAMESPACE, name, "--container", container["name"], check=False)
            texts[f"{name}/{container['name']}"] = result.stdout
    return texts


def report():
    """What somebody wants to see of a test that failed."""
    for arguments in (
        ["get", "pods,jobs,pvc", "--output", "wide"],
        ["describe", "pods"],
        ["get", "events", "--sort-by", ".lastTimestamp"],
    ):
        say(f"kubectl {' '.join(arguments)}")
        print(kubectl(*arguments, "--namespace", NAMESPACE, check=False).stdout, flush=True)
    for container, text in logs().items():
        say(f"last lines of {container}")
        print("\n".join(re.split(r"\r?\n", text)[-60:]), flush=True)
