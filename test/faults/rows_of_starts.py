"""Many that start at once, and what they start with."""

import copy
import json
import os
import time

from cluster import kubectl, say, wait_until
from rows import OTHER, TWO, row
from rows_of_parts import SERVER, identities, restarts

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "4"))
JOBS = int(os.environ.get("FAULTS_JOBS", "10"))
EMPTY = "The database is empty: initialising it"
GENERATED = ("controller-uid", "job-name")


def secrets(stack):
    return {secret["metadata"]["name"]: secret.get("data", {}) for secret in stack.get("secrets")["items"]}


def copies(job, count):
    """Jobs of the same content, under names of their own."""
    for number in range(count):
        made = copy.deepcopy(job)
        made["metadata"] = {"name": f"again-{number}-{job['metadata']['name']}", "namespace": job["metadata"]["namespace"]}
        del made["status"], made["spec"]["selector"]
        labels = made["spec"]["template"]["metadata"]["labels"]
        made["spec"]["template"]["metadata"] = {
            "labels": {name: value for name, value in labels.items() if name.split("/")[-1] not in GENERATED}
        }
        yield made


@row(OTHER, "each Job that makes databases, buckets and Secrets, many times at once", failed=0)
def bootstrap_jobs(stack):
    before, jobs = secrets(stack), stack.get("jobs")["items"]
    assert len(jobs) == 3
    again = [made for job in jobs for made in copies(job, JOBS)]
    names = [f"job/{made['metadata']['name']}" for made in again]
    kubectl("create", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": again}))
    stack.kubectl("wait", "--for=condition=Complete", *names, "--timeout=300s")
    assert secrets(stack) == before
    stack.kubectl("delete", *names, "--wait=false")
    return f"{JOBS} times; all {len(names)} Jobs ended well, and changed no Secret"


@row(
    OTHER,
    "Secrets of MLflow's users deleted, and the manifests applied again",
    failed=0,
)
def secrets_deleted(stack):
    deleted = ("postgres-user", "minio-user")
    wait_until("the Jobs are gone, so that an apply makes them anew", 120, lambda: not stack.get("jobs")["items"])
    stack.kubectl("delete", *(f"secret/{name}" for name in deleted))
    stack.apply_again()
    wait_until("the Secrets are filled again", 180, lambda: all(secrets(stack).get(name) for name in deleted))
    # pods go on with the users that they know, and later ones have the new
    names = {name: secrets(stack)[name] for name in deleted}
    stack.kubectl("rollout", "restart", "deployment/mlflow", "deployment/mlflow-monitor")
    stack.kubectl("rollout", "status", "deployment/mlflow", "--timeout=4m")
    assert {name: secrets(stack)[name] for name in deleted} == names
    return "a rollout after this gave the pods the new values"


def complete(job):
    return any(one["type"] == "Complete" and one["status"] == "True" for one in job["status"].get("conditions", []))


@row(OTHER, "Secrets of the superuser and the root user deleted, and the manifests applied again")
def administrators_deleted(stack):
    wait_until("the Jobs are gone, so that an apply makes them anew", 120, lambda: not stack.get("jobs")["items"])
    database, store = identities(stack, "backend-store"), identities(stack, "artifact-store")
    stack.kubectl("delete", "secret/postgres-superuser", "secret/minio-root")
    stack.apply_again()
    # a Job does not end without its administrator, and those that have ended go by and by
    wait_until("the Jobs have ended", 300, lambda: all(map(complete, stack.get("jobs")["items"])))
    stack.wait()
    assert (identities(stack, "backend-store"), identities(stack, "artifact-store") & store) == (database, set())
    return "PostgreSQL took the new password where it ran, MinIO started again"


def sql(stack, command, database="postgres"):
    return stack.execute("postgres-0", f'psql -qAtU postgres -d {database} -v ON_ERROR_STOP=1 -c "{command}"').strip()


def renamed(stack, old, new):
    connected = f"FROM pg_stat_activity WHERE datname = '{old}'"
    sql(stack, f"ALTER DATABASE {old} ALLOW_CONNECTIONS false")
    sql(stack, "SELECT pg_terminate_backend(pid) " + connected)
    wait_until("nobody is connected", 20, lambda: sql(stack, "SELECT count(*) " + connected) == "0")
    sql(stack, f"ALTER DATABASE {old} RENAME TO {new}")
    sql(stack, f"ALTER DATABASE {new} ALLOW_CONNECTIONS true")


def scale(stack, replicas):
    stack.kubectl("scale", "deployment/mlflow", f"--replicas={replicas}")
    if replicas == 0:
        wait_until("no server", 150, lambda: not stack.pods(SERVER))
    else:
        stack.kubectl("rollout", "status", "deployment/mlflow", "--timeout=5m")


def start_on_nothing(stack, replicas):
    """Servers that find an empty database all at once."""
    sql(stack, "DROP DATABASE IF EXISTS mlflow WITH (FORCE)")
    sql(stack, "CREATE DATABASE mlflow OWNER mlflow")
    start = time.monotonic()
    scale(stack, replicas)
    took = time.monotonic() - start
    texts = [stack.kubectl("logs", pod["metadata"]["name"]) for pod in stack.pods(SERVER)]
    makers = sum(EMPTY in text for text in texts)
    assert (len(texts), makers, restarts(stack, SERVER)) == (replicas, 1, 0), texts
    assert sql(stack, "SELECT count(*) FROM alembic_version", "mlflow") == "1"
    scale(stack, 0)
    return took


@row(TWO, "two and three replicas on an empty database, again and again", clients=False)
def empty_database(stack):
    times = []
    scale(stack, 0)
    renamed(stack, "mlflow", "kept")
    for number in range(ROUNDS):
        times.append(start_on_nothing(stack, 2 + number % 2))
        say(f"round {number + 1}: ready after {times[-1]:.1f} s")
    sql(stack, "DROP DATABASE mlflow WITH (FORCE)")
    renamed(stack, "kept", "mlflow")
    scale(stack, 2)
    return (
        f"{ROUNDS} times; one made the schema each time, no pod restarted; all ready after {min(times):.0f} to {max(times):.0f} s"
    )
