"""Disaster drill: a stack is filled and backed up, its namespace and its volumes go, and it is applied and restored. Then all
is as it was, by MLflow's API and by sha256."""

import hashlib
import json
import time
import urllib.request

import mlflow
import pytest

import drill_data
from cluster import (
    end_of_job,
    figure,
    forwarded,
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

NAMESPACE, VAULT = "backup-drill", "backup-vault"
# database, object store, tracking server, its monitor and that of the backups
SERVERS = 5
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(scope="module")
def manifests(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drill")
    synth("day-two/drill/main.ts", folder)
    try:
        kubectl("create", "namespace", VAULT)
        kubectl("apply", "--filename", str(folder / "vault.k8s.yaml"))
        yield folder
    finally:
        for namespace in (NAMESPACE, VAULT):
            remove_namespace(namespace)


def vault_keys():
    data = get("secret", "minio-user", namespace=VAULT).get("data", {})
    return all(data.get(key) for key in KEYS)


def deploy(manifests, kept=None):
    """Applies the stack, with the key of the backups, and with what an administrator has kept of the lost one."""
    kubectl("create", "namespace", NAMESPACE)
    if kept is not None:
        kubectl("create", "--filename", "-", stdin=json.dumps(kept))
    kubectl("apply", "--filename", str(manifests / "drill.k8s.yaml"))
    wait_until("keys of the destination", 300, vault_keys)
    literals = [f"--from-literal={key}={secret_value('minio-user', key, VAULT)}" for key in KEYS]
    kubectl("create", "secret", "generic", "backup-key", "--namespace", NAMESPACE, *literals)
    wait_for_servers(300, SERVERS, unharmed=False, namespace=NAMESPACE)


def run_job(name, cronjob):
    """Runs a CronJob by hand; what its containers print."""
    started = time.monotonic()
    kubectl("create", "job", name, f"--from=cronjob/{cronjob}", "--namespace", NAMESPACE)
    outcome = end_of_job(name, 600, NAMESPACE)
    printed = {place: text for place, text in logs(NAMESPACE).items() if place.startswith(f"{name}-")}
    for place, text in printed.items():
        print("".join(f"    {place.split('/')[1]}: {line}\n" for line in text.splitlines()), end="", flush=True)
    assert outcome == "Complete"
    return time.monotonic() - started, "".join(printed.values())


def lose():
    """As when a cluster is gone: nobody says goodbye."""
    kept = get("secret", "mlflow-server-secrets", namespace=NAMESPACE)
    kept["metadata"] = {"name": kept["metadata"]["name"], "namespace": NAMESPACE, "labels": kept["metadata"]["labels"]}
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    kubectl("delete", "pods", "--all", "--namespace", NAMESPACE, "--force", "--grace-period=0", "--wait=false", check=False)

    def gone():
        volumes = json.loads(kubectl("get", "pv", "--output", "json"))["items"]
        left = [v for v in volumes if v["spec"].get("claimRef", {}).get("namespace") == NAMESPACE]
        return not left and kubectl("get", "namespace", NAMESPACE, check=False).returncode != 0

    wait_until("namespace and volumes gone", 180, gone)
    return kept


def metrics():
    with forwarded("service/mlflow-backup-monitor", 8080, NAMESPACE) as port:

        def page():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
                    lines = [line.split() for line in response.read().decode().splitlines() if not line.startswith("#")]
            except OSError:
                return None
            values = {name: float(value) for name, value in lines}
            return values if values.get("mlflow_backup_last_verified_timestamp_seconds") else None

        return wait_until("metrics of the backup", 60, page)


def test_what_was_backed_up_comes_back_after_all_is_lost(manifests, tmp_path):
    started = time.monotonic()
    deploy(manifests)
    with tracking_server(NAMESPACE) as uri:
        mlflow.set_tracking_uri(uri)
        big = drill_data.fill(tmp_path)
        say(f"filled, with one artifact of {drill_data.MEBIBYTES} MiB")
        before = drill_data.snapshot(skip=(drill_data.BIG,))
    backup_seconds, _ = run_job("backup-by-hand", "mlflow-backup")
    figures = metrics()
    assert time.time() - figures["mlflow_backup_last_verified_timestamp_seconds"] < 120
    assert figures["mlflow_backup_last_run_failed"] == 0

    kept = lose()
    lost = time.monotonic()
    deploy(manifests, kept)
    restore_seconds, printed = run_job("restore-by-hand", "mlflow-restore")
    assert "WARNING" not in printed

    with tracking_server(NAMESPACE) as uri:
        mlflow.set_tracking_uri(uri)
        after = drill_data.snapshot(skip=(drill_data.BIG,))
        for kind, expected in before.items():
            assert after[kind] == expected, kind
        back = time.monotonic() - lost
        (run_id,) = [run for run, files in after["artifacts"].items() if drill_data.BIG in files]
        with open(mlflow.MlflowClient().download_artifacts(run_id, drill_data.BIG, str(tmp_path)), "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == big
        # and it goes on
        with mlflow.start_run(experiment_id=after["runs"][run_id]["info"]["experiment_id"]):
            mlflow.log_text("after", "after.txt")
    whole = time.monotonic() - started
    compared = ", ".join(f"{number} {kind}" for kind, number in drill_data.count(after).items())
    figure("Disaster drill", f"compared by MLflow's API and by SHA-256: {compared}")
    figure(
        "Disaster drill",
        f"backup of {figures['mlflow_backup_database_rows']:.0f} rows and {figures['mlflow_backup_objects']:.0f} objects of "
        f"{figures['mlflow_backup_objects_bytes'] / 2**20:.0f} MiB in {backup_seconds:.0f} s, back in {restore_seconds:.0f} s;"
        f" from nothing to all of it in {back:.0f} s; the drill took {whole:.0f} s",
    )
