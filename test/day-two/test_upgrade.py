"""Databases that MLflow 2.22, 3.1 and 3.10 have made: refused by surprise, upgraded on purpose, killed in the middle, failed, and
taken back."""

import concurrent.futures
import contextlib
import json
import subprocess
import time

import old
import pytest

from cluster import (
    end_of_job,
    execute,
    figure,
    forwarded,
    get,
    kubectl,
    problems,
    ready,
    remove_namespace,
    say,
    secret_value,
    synth,
    wait_until,
)

NAMESPACE = "dayold-upgrade"
PART = "Upgrades"
IN_NAMESPACE = ("--namespace", NAMESPACE)
# by the version that has made its database: name of the server, of the database, and the releases of its schema
SERVERS = {
    "2.22": ("mlflow", "mlflow", "MLflow 2.18.0 to 2.22.5"),
    "3.1": ("from-3-1", "old_3_1", "MLflow 3.1.1 to 3.1.4"),
    "3.10": ("from-3-10", "old_3_10", "MLflow 3.10.0 to 3.10.1"),
}
REPLICAS = {"mlflow": 2, "from-3-1": 1, "from-3-10": 1}
NEW = "MLflow 3.17.0 to 3.17.2"
EXPERIMENTS, RUNS, MODELS, TRACES = 2, 6, 1, 4
ALL = {"experiments": EXPERIMENTS, "runs": RUNS, "models": MODELS, "data": 2, "traces": TRACES}
# a migration has begun, and waits to write down that a step of it is done
MIDDLE = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'alembic_version'::regclass"
HELD = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ShareLock' AND relation = 'alembic_version'::regclass"
PSQL = ("psql", "--username=postgres", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1")


def sql(statement, database):
    return execute("postgres-0", *PSQL, database, "--command", statement, namespace=NAMESPACE).splitlines()


@contextlib.contextmanager
def revision_held(database):
    """Lets everybody read the revision, and nobody write it."""
    lock = "BEGIN; LOCK TABLE alembic_version IN SHARE MODE; SELECT pg_sleep(600)"
    command = ["kubectl", "exec", "postgres-0", *IN_NAMESPACE, "--", *PSQL, database, "--command", lock]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        try:
            wait_until("the revision is held", 30, lambda: sql(HELD, database) == ["1"])
            yield
        finally:
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'", database)


def revision(database):
    (found,) = sql("SELECT version_num FROM alembic_version", database)
    return found


def pods_of(server, component="tracking-server"):
    selector = f"app.kubernetes.io/instance={server},app.kubernetes.io/component={component}"
    return get("pods", "--selector", selector, namespace=NAMESPACE)["items"]


def ready_pods(server):
    return [pod for pod in pods_of(server) if ready(pod)]


def ended(server, title, component="tracking-server"):
    """The log of a pod that ended with exit code 8 and this title, once its termination message has the same."""

    def condition():
        for pod in pods_of(server, component):
            status = pod["status"]
            for container in status.get("containerStatuses", []):
                for state in (container["state"], container["lastState"]):
                    if title in state.get("terminated", {}).get("message", ""):
                        return pod["metadata"]["name"], container["name"], state["terminated"]
        return None

    name, container, state = wait_until(f"{server}: {title}", 180, condition, every=2)
    assert state["exitCode"] == 8, state

    def logged():
        # a container that is started again takes the log of the one before away for a moment
        for which in ((), ("--previous",)):
            text = kubectl("logs", name, "--container", container, *which, *IN_NAMESPACE, check=False).stdout
            if title in text:
                return text
        return None

    return wait_until(f"{server}: in its log too", 60, logged, every=2)


def job_of(server):
    selector = f"app.kubernetes.io/instance={server},app.kubernetes.io/component=schema-upgrade"
    (job,) = get("jobs", "--selector", selector, namespace=NAMESPACE)["items"]
    return job


def upgraded(server):
    """The log of its Job, when that is complete."""
    job = job_of(server)
    name, spec = job["metadata"]["name"], job["spec"]["template"]["spec"]
    assert end_of_job(name, 240, NAMESPACE) == "Complete"
    # one after the other: asked for all of them, kubectl has an order of its own
    containers = [container["name"] for container in spec["initContainers"] + spec["containers"]]
    return "".join(kubectl("logs", f"job/{name}", "--container", container, *IN_NAMESPACE) for container in containers)


def fill(version, folder):
    _, database, _ = SERVERS[version]
    with old.stores(NAMESPACE) as (uri, login, key):
        flags = ("--artifacts-destination=s3://mlflow-bucket", "--serve-artifacts")
        with old.server(version, f"{uri}/{database}", {**login, **key}, *flags) as server:
            python = old.python_of(version)
            text = old.run(python, "fill.py", EXPERIMENTS, RUNS, MODELS, TRACES, "none", MLFLOW_TRACKING_URI=server)
    file = folder.parent / f"made-{version}.json"
    file.write_text(text)
    return file


def apply(folder, stage):
    kubectl("apply", "--filename", str(synth("day-two/upgrade/main.ts", folder, STAGE=stage)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("upgrade")


@pytest.fixture(scope="module")
def made(folder):
    """The stores, with what the old versions have made in them; the files that tell what that is, and the revisions."""
    started = time.monotonic()
    try:
        kubectl("create", "namespace", NAMESPACE)
        apply(folder, "stores")
        for component in ("backend-store-bootstrap", "artifact-store-bootstrap"):
            selector = ("--selector", f"app.kubernetes.io/component={component}")
            kubectl("wait", "job", *selector, "--for=condition=Complete", "--timeout=180s", *IN_NAMESPACE)
        owner = secret_value("postgres-user", "username", NAMESPACE)
        for _, database, _ in SERVERS.values():
            if database != "mlflow":
                sql(f'CREATE DATABASE {database} OWNER "{owner}"', "postgres")
        filling = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            files = dict(zip(SERVERS, pool.map(lambda version: fill(version, folder), SERVERS), strict=True))
        say(f"{', '.join(old.RELEASES.values())} have filled their databases in {time.monotonic() - filling:.0f} s")
        yield files
    finally:
        remove_namespace(NAMESPACE)
        say(f"the whole of it took {time.monotonic() - started:.0f} s")


@pytest.fixture(scope="module")
def before(made):
    return {version: revision(database) for version, (_, database, _) in SERVERS.items()}


def test_a_surprise_is_refused_and_names_the_versions_of_mlflow(made, before, folder):
    apply(folder, "surprise")
    for version, (server, database, releases) in SERVERS.items():
        wanted = f"it is at revision {before[version]}, of {releases}, MLflow wants revision dc11669786a5, of {NEW}"
        log = ended(server, f"ERROR: the schema of the database is older than this MLflow: {wanted}")
        assert "fix:    Upgrade it on purpose: set the prop preflight.upgradeSchema of the tracking server" in log
        assert revision(database) == before[version]


def test_killed_in_the_middle_it_begins_anew_and_all_servers_serve_what_was_there(made, before, folder):
    with revision_held("mlflow"):
        apply(folder, "upgrade")
        started = time.monotonic()
        wait_until("the middle of a migration", 120, lambda: sql(MIDDLE, "mlflow") == ["t"])
        (pod,) = [pod["metadata"]["name"] for pod in pods_of("mlflow", "schema-upgrade") if pod["status"]["phase"] == "Running"]
        kubectl("delete", "pod", pod, "--force", "--grace-period=0", *IN_NAMESPACE)
        assert revision("mlflow") == before["2.22"]
    say(f"{pod} was killed in the middle of its migration")
    for version, (server, database, releases) in SERVERS.items():
        log = upgraded(server)
        step = f"from revision {before[version]}, of {releases} to revision dc11669786a5, of {NEW}"
        assert log.count("Upgrading the schema of the database") == 1 and f"Upgrading the schema of the database {step}" in log, (
            log
        )
        assert log.index("The backup is whole: ") < log.index("Upgrading the schema"), log
        assert revision(database) == "dc11669786a5"
    figure(PART, f"three databases were upgraded in {time.monotonic() - started:.0f} s, one of them after it was killed")
    (one,) = [pod["metadata"]["name"] for pod in pods_of("mlflow", "schema-upgrade") if pod["status"]["phase"] == "Succeeded"]
    assert one != pod
    for server, count in REPLICAS.items():
        kubectl("rollout", "status", f"deployment/{server}", "--timeout=300s", *IN_NAMESPACE)
        assert len(ready_pods(server)) == count

    def read(version):
        server = SERVERS[version][0]
        with forwarded(f"service/{server}-service", 5000, NAMESPACE) as port:
            uri = f"http://127.0.0.1:{port}"
            wait_until(f"{server} on this machine", 30, lambda: old.answers(f"{uri}/health"))
            return json.loads(old.read(made[version], uri))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert list(pool.map(read, SERVERS)) == [ALL] * 3


def test_the_backup_is_whole(before):
    """By the means of PostgreSQL: restored into a database of its own, it has the rows of the old one."""
    name = f"mlflow-{before['2.22']}.dump"
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    postgres = get("pod", "postgres-0", namespace=NAMESPACE)["spec"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "look", "namespace": NAMESPACE},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": postgres["securityContext"],
            "volumes": [{"name": "backup", "persistentVolumeClaim": {"claimName": "mlflow-schema-backup"}}],
            "containers": [
                {
                    "name": "look",
                    "image": postgres["containers"][0]["image"],
                    "command": ["sleep", "3600"],
                    "securityContext": restricted,
                    "volumeMounts": [{"name": "backup", "mountPath": "/backup"}],
                }
            ],
        },
    }
    kubectl("apply", "--filename", "-", stdin=json.dumps(pod))
    kubectl("wait", "--for=condition=Ready", "pod/look", "--timeout=60s", *IN_NAMESPACE)
    files = execute("look", "bash", "-c", "cd /backup && ls *.dump* && sha256sum --check --quiet *.sha256", namespace=NAMESPACE)
    assert files.split() == [name, f"{name}.sha256"], "a try that was killed has left something"
    sql("CREATE DATABASE from_dump", "postgres")
    text = execute("look", "pg_restore", "--no-owner", "--file=-", f"/backup/{name}", namespace=NAMESPACE)
    kubectl("exec", "--stdin", *IN_NAMESPACE, "postgres-0", "--", *PSQL, "--output=/dev/null", "from_dump", stdin=text)
    kubectl("delete", "pod", "look", *IN_NAMESPACE, "--wait=false")
    assert revision("from_dump") == before["2.22"]
    # what nobody has changed since
    for table in ("params", "datasets", "registered_models", "model_versions"):
        statement = f"SELECT count(*) FROM {table}"  # noqa: S608
        (count,) = sql(statement, "from_dump")
        assert int(count) > 0 and sql(statement, "mlflow") == [count], table


def test_one_that_fails_leaves_the_old_pods_serving_and_tells_the_way_back(made, folder):
    """The image has one version. So its own schema is said to be the one before, and the migration cannot make its tables."""
    server, database, _ = SERVERS["3.10"]
    (serving,) = [pod["metadata"]["name"] for pod in ready_pods(server)]
    with forwarded(f"pod/{serving}", 5000, NAMESPACE) as port:
        # MLflow looks at the revision with its first request, and not again
        first = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id=0"
        wait_until("the first request", 60, lambda: old.answers(first))
    sql("UPDATE alembic_version SET version_num = 'b7e2c1a4d9f3'", database)
    kubectl("delete", "job", job_of(server)["metadata"]["name"], *IN_NAMESPACE)
    apply(folder, "upgrade")
    kubectl("rollout", "restart", f"deployment/{server}", *IN_NAMESPACE)
    log = ended(
        server,
        "ERROR: the schema of the database could not be upgraded: it is at revision b7e2c1a4d9f3, of MLflow 3.16",
        "schema-upgrade",
    )
    assert "The schema is as it was, and what used it before can go on." in log
    job = job_of(server)["metadata"]["name"]
    assert end_of_job(job, 60, NAMESPACE) == "Failed"

    waits = f"the Job {server}-schema-upgrade has not upgraded it yet"
    new = lambda: [pod["metadata"]["name"] for pod in pods_of(server) if pod["metadata"]["name"] != serving]  # noqa: E731
    wait_until("the new pod waits", 120, lambda: new() and waits in kubectl("logs", new()[0], *IN_NAMESPACE, check=False).stdout)
    assert [pod["metadata"]["name"] for pod in ready_pods(server)] == [serving]
    with forwarded(f"pod/{serving}", 5000, NAMESPACE) as port:
        uri = f"http://127.0.0.1:{port}"
        wait_until("the old pod on this machine", 30, lambda: old.answers(f"{uri}/health"))
        assert json.loads(old.read(made["3.10"], uri)) == ALL

    sql("UPDATE alembic_version SET version_num = 'dc11669786a5'", database)
    wait_until("the new pod serves", 240, lambda: [p["metadata"]["name"] for p in ready_pods(server)] == new() and new())


def test_a_schema_of_a_newer_mlflow_is_told_before_the_image_is_rolled_back_for_all():
    server, database, _ = SERVERS["3.10"]
    (serving,) = [pod["metadata"]["name"] for pod in ready_pods(server)]
    sql("UPDATE alembic_version SET version_num = 'feedfeedfeed'", database)
    kubectl("rollout", "restart", f"deployment/{server}", *IN_NAMESPACE)
    log = ended(server, "ERROR: the schema of the database is newer than this MLflow: it is at revision feedfeedfeed")
    assert "This program knows MLflow up to " in log and "it is of a newer one, or of no release" in log
    assert "Use the newer image again, or go back to the backup that was taken before the upgrade" in log
    assert [pod["metadata"]["name"] for pod in ready_pods(server)] == [serving]
    assert not list(problems(next(pod for pod in pods_of(server) if pod["metadata"]["name"] == serving)))
    sql("UPDATE alembic_version SET version_num = 'dc11669786a5'", database)


def test_the_way_back_brings_the_old_tables_and_the_old_version_serves_them(made, before):
    server, database, _ = SERVERS["3.1"]
    job = f"{server}-way-back"
    kubectl("scale", f"deployment/{server}", "--replicas=0", *IN_NAMESPACE)
    wait_until("no pods", 240, lambda: not pods_of(server))
    started = time.monotonic()
    kubectl("create", "job", f"--from=cronjob/{server}-schema-restore", job, *IN_NAMESPACE)
    assert end_of_job(job, 120, NAMESPACE) == "Complete"
    log = kubectl("logs", f"job/{job}", *IN_NAMESPACE)
    print(log)
    assert f"The database is as it was before the upgrade: revision {before['3.1']}" in log
    assert revision(database) == before["3.1"]
    figure(PART, f"the way back took {time.monotonic() - started:.0f} s")
    with old.stores(NAMESPACE) as (uri, login, key):
        flags = ("--artifacts-destination=s3://mlflow-bucket", "--serve-artifacts")
        with old.server("3.1", f"{uri}/{database}", {**login, **key}, *flags) as address:
            # to MLflow by itself a file that is not there is an error of the server, which clients try again for minutes
            told = old.read(made["3.1"], address, python=old.python_of("3.1"), MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
            assert json.loads(told) == ALL
