"""What MLflow 3.1 has made without a proxy, in the stores of a stack: upgraded, moved, taken back, moved while clients write."""

import json
import re
import subprocess
import time

import old
import pytest

from cluster import (
    end_of_job,
    execute,
    figure,
    get,
    kubectl,
    logs,
    remove_namespace,
    say,
    secret_value,
    synth,
    tracking_server,
    wait_for_servers,
    wait_until,
)

NAMESPACE = "dayold-relocate"
PART = "Old experiments come in"
EXPERIMENTS, RUNS, MODELS, TRACES = 50, 500, 5, 200
# database, object store, tracking server and its monitor
SERVERS = 4
UPGRADE_JOB = ("--selector", "app.kubernetes.io/component=schema-upgrade")
IN_NAMESPACE = ("--namespace", NAMESPACE)
# every text in the database that has a place in a bucket in it, with its table and column
PLACES = """
SELECT string_agg(format('SELECT %L || %I::text FROM %I WHERE %I::text LIKE ''%%s3://%%''',
  table_name || '.' || column_name || ' ', column_name, table_name, column_name), ' UNION ALL ')
FROM information_schema.columns
WHERE table_schema = 'public' AND data_type IN ('character varying', 'text', 'json', 'jsonb')
"""


def sql(statement, database="mlflow"):
    command = (
        "psql",
        "--username=postgres",
        "--no-align",
        "--tuples-only",
        "--set=ON_ERROR_STOP=1",
        database,
        "--command",
        statement,
    )
    return execute("postgres-0", *command, namespace=NAMESPACE).splitlines()


def places():
    (statement,) = sql(" ".join(PLACES.split()))
    return sorted(sql(statement))


def job(name):
    """The end of a Job: whether it is well, and what it wrote."""
    return end_of_job(name, 240, NAMESPACE), kubectl("logs", f"job/{name}", "--all-containers", *IN_NAMESPACE)


def relocations():
    jobs = get("jobs", "--selector", "app.kubernetes.io/component=relocation", namespace=NAMESPACE)["items"]
    return {job["metadata"]["name"] for job in jobs}


def relocate(folder, **props):
    """Applies the stack with a relocation; the log of its Job."""
    manifests = synth("day-two/relocate/main.ts", folder, RELOCATION=json.dumps(props))
    before = relocations()
    kubectl("apply", "--filename", str(manifests))
    (name,) = relocations() - before
    end, log = job(name)
    assert end == "Complete", log
    print("\n".join(line for line in log.splitlines() if not re.match(r"\d+ +old ", line)))
    return name, log


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("relocate")


@pytest.fixture(scope="module")
def made(folder):
    """The stack, and what the old version has made in its stores; the file that tells what that is."""
    started = time.monotonic()
    python = old.python_of("3.1")
    synth("day-two/relocate/main.ts", folder)
    try:
        say("applying a stack; its server waits, and its upgrade finds an empty database")
        kubectl("apply", "--filename", str(folder))
        kubectl("scale", "deployment/mlflow", "deployment/mlflow-monitor", "--replicas=0", *IN_NAMESPACE)
        (upgrade,) = get("jobs", *UPGRADE_JOB, namespace=NAMESPACE)["items"]
        end, log = job(upgrade["metadata"]["name"])
        assert end == "Complete" and "There is nothing to upgrade" in log, log
        for component in ("backend-store-bootstrap", "artifact-store-bootstrap"):
            kubectl(
                "wait",
                "job",
                "--selector",
                f"app.kubernetes.io/component={component}",
                "--for=condition=Complete",
                "--timeout=120s",
                *IN_NAMESPACE,
            )
        kubectl(
            "wait",
            "pod",
            "--selector",
            "app.kubernetes.io/component=tracking-server",
            "--for=delete",
            "--timeout=120s",
            *IN_NAMESPACE,
        )
        # a server that was quick has made its tables by now
        owner = secret_value("postgres-user", "username", NAMESPACE)
        sql("DROP DATABASE mlflow WITH (FORCE)", "postgres")
        sql(f'CREATE DATABASE mlflow OWNER "{owner}"', "postgres")
        flags = ("--default-artifact-root=s3://mlflow-bucket", "--no-serve-artifacts")
        with old.stores(NAMESPACE) as (uri, login, key), old.server("3.1", f"{uri}/mlflow", {**login, **key}, *flags) as server:
            filling = time.monotonic()
            text = old.run(
                python, "fill.py", EXPERIMENTS, RUNS, MODELS, TRACES, "mlflow-bucket", MLFLOW_TRACKING_URI=server, **key
            )
            say(f"MLflow {old.RELEASES['3.1']} has filled the stores in {time.monotonic() - filling:.0f} s")
        file = folder.parent / "made.json"
        file.write_text(text)
        yield file
    finally:
        remove_namespace(NAMESPACE)
        say(f"the whole of it took {time.monotonic() - started:.0f} s")


@pytest.fixture(scope="module")
def uri(made, folder):
    """That of the server, when the Job that looked at the empty database has been deleted and applied again."""
    kubectl("delete", "job", *UPGRADE_JOB, *IN_NAMESPACE)
    kubectl("apply", "--filename", str(folder))
    wait_for_servers(300, SERVERS, namespace=NAMESPACE)
    with tracking_server(NAMESPACE) as uri:
        yield uri


def test_the_old_database_is_upgraded_and_old_clients_still_need_their_key(made, uri):
    (upgrade,) = get("jobs", *UPGRADE_JOB, namespace=NAMESPACE)["items"]
    end, log = job(upgrade["metadata"]["name"])
    assert end == "Complete" and "The backup is whole: " in log, log
    assert re.search(
        r"Upgrading the schema of the database from revision \w+, of MLflow 3\.1\.1 to 3\.1\.4 to revision \w+, of MLflow 3\.17",
        log,
    ), log
    told = json.loads(old.read(made, uri, "--before"))
    assert told["direct"] != "worked" and told["through"] and told["again"].startswith("mlflow-artifacts:/"), told


def test_a_dry_run_tells_what_would_move_and_moves_nothing(made, uri):
    before = places()
    started = time.monotonic()
    table = execute("deployment/mlflow", "python3", "/app/start-mlflow.py", "relocate", namespace=NAMESPACE)
    figure(PART, f"a dry run of {len(before)} texts with a place took {time.monotonic() - started:.1f} s")
    print("\n".join(table.splitlines()[:4] + table.splitlines()[-3:]))
    (total,) = re.findall(r"^all +(\d+) places +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) ", table, re.MULTILINE)
    _, runs, models, versions, traces, data, files = map(int, total)
    # the runs of models, of data sets with a child each, and the one of a deleted experiment
    assert (runs, traces) == (RUNS + MODELS + 4 + 1, TRACES)
    assert models >= MODELS and versions == 2 * MODELS and data >= 2 and files > RUNS + TRACES
    assert (
        len(re.findall(r"^\d+ +old \d+ +active +s3://mlflow-bucket/(\d+) +mlflow-artifacts:/\1 ", table, re.MULTILINE))
        == EXPERIMENTS
    )
    assert table.endswith("Nothing was changed: --apply changes it\n")
    assert places() == before


def test_a_relocation_is_taken_back_to_the_last_place(made, uri, folder):
    before = places()
    name, log = relocate(folder, apply=True)
    rows, seconds = re.search(r"(\d+) places have been moved in one transaction of ([\d.]+) s", log).groups()
    assert f" of {rows} places, " in log and "all as they are in the store" in log, log
    assert places() == []
    figure(PART, f"{rows} places moved in one transaction of {seconds} s, and taken back")

    undo = re.search(r"Undo file: (\S+)\. ", log)[1]
    _, log = relocate(folder, undo=undo, apply=True)
    assert f"{rows} of {rows} places have their old URI again" in log
    assert places() == before
    # the Job of the next relocation has the name of the first
    kubectl("delete", "job", name, *IN_NAMESPACE)


def test_clients_that_write_meanwhile_lose_nothing(made, uri, folder):
    places_of_writers = list(json.loads(made.read_text().splitlines()[-1])["experiments"].values())[:2]
    journal = folder.parent / "journal"
    journal.touch()
    lines = lambda: len(journal.read_text().splitlines())  # noqa: E731
    with old.stores(NAMESPACE) as (_, _, key):
        command = [old.python_of("3.1"), str(old.MIGRATION / "write.py"), str(journal), *places_of_writers]
        variables = {"HOME": str(folder.parent), **old.QUIET, **key, "MLFLOW_TRACKING_URI": uri}
        writer = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until("clients write", 60, lambda: lines() > 8)
            relocate(folder, apply=True)
            written = lines()
            wait_until("clients have written after it", 60, lambda: lines() > written + 8)
        finally:
            (folder.parent / "journal.stop").touch()
            out, _ = writer.communicate(timeout=120)
    assert out.splitlines()[-1] == "errors: 0", out
    # what the server had begun to make with the old place just before
    execute("deployment/mlflow", "python3", "/app/start-mlflow.py", "relocate", "--apply", namespace=NAMESPACE)
    assert places() == []
    told = old.run(old.python_of("3.1"), "write.py", journal, "--read", MLFLOW_TRACKING_URI=uri).splitlines()[-1]
    figure(PART, f"clients that wrote meanwhile: {told}")
    count, direct, proxied = map(int, re.findall(r"\d+", told))
    assert count == lines() and direct > 0 and proxied > 0


def test_the_official_client_has_all_of_it_without_a_key(made, uri):
    started = time.monotonic()
    told = json.loads(old.read(made, uri))
    figure(PART, f"read through the server, every file of a run by sha256, in {time.monotonic() - started:.0f} s: {told}")
    assert told == {"experiments": EXPERIMENTS, "runs": RUNS, "models": MODELS, "data": 2, "traces": TRACES}


def test_no_secret_value_is_in_a_log(uri):
    texts = "".join(logs(NAMESPACE).values())
    for secret, key in (("postgres-user", "password"), ("minio-user", "AWS_SECRET_ACCESS_KEY")):
        assert secret_value(secret, key, NAMESPACE) not in texts
