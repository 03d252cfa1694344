"""A stack with the options of a production: two replicas behind a prefix, with login, metrics and garbage collection."""

import base64
import json
import os
import pathlib
import re
import shutil
import time
import urllib.error
import urllib.request

import mlflow
import numpy
import pytest
import requests
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from cluster import (
    CLIENTS,
    PROD,
    client_doctor,
    execute,
    get,
    kubectl,
    places_of_secrets,
    pod_with_python,
    pods,
    run_client_doctor,
    run_python,
    say,
    secret_value,
    tracking_server,
    wait_for_servers,
    wait_until,
    what_a_second_apply_changes,
)

PREFIX = "/mlflow"
EXPERIMENT = PREFIX + "/api/2.0/mlflow/experiments/get?experiment_id=0"
HOST = "mlflow.example.com"
SERVERS = 5
# asks for pages, and tells their status and text
FETCH = """
import json, sys, urllib.error, urllib.request
def fetch(url, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
print(json.dumps([fetch(*page) for page in json.load(sys.stdin)]))
"""


def basic(username, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def status(uri, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(uri, headers=headers), timeout=20) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module", autouse=True)
def ready_stack(prod):
    """Once for all: the pods, and one of a client in the namespace that may connect."""
    kubectl("apply", "--filename", "-", stdin=json.dumps(pod_with_python("client", CLIENTS, "import time; time.sleep(3600)")))
    wait_for_servers(240, SERVERS, namespace=PROD)
    kubectl("wait", "--for=condition=ready", "pod/client", "--namespace", CLIENTS)
    yield
    kubectl("delete", "pod/client", "--namespace", CLIENTS)


@pytest.fixture(scope="module")
def login():
    return {key: secret_value("mlflow-login", key, PROD) for key in ("username", "password")}


@pytest.fixture(scope="module")
def uri():
    with tracking_server(PROD, PREFIX) as uri:
        yield uri


@pytest.fixture
def user(uri, monkeypatch):
    """Makes the MLflow of this process that of a user."""

    def become(username, password):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", username)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        mlflow.set_tracking_uri(uri)
        return mlflow.MlflowClient()

    return become


@pytest.fixture
def admin(user, login):
    return user(**login)


@pytest.fixture(scope="module")
def memory():
    """What one test leaves for the next."""
    return {}


def test_one_replica_of_two_fills_the_empty_database_and_makes_the_login():
    texts = [kubectl("logs", "--namespace", PROD, pod["metadata"]["name"]) for pod in pods("tracking-server", PROD)]
    assert len(texts) == 2
    for line in ("The database is empty: initialising it", "There is no login yet: making its tables and the admin"):
        assert sum(line in text for text in texts) == 1


def test_a_second_apply_changes_nothing(prod):
    # kubectl sends the selector of a PodDisruptionBudget each time, which changes nothing either
    assert what_a_second_apply_changes(prod) == (["poddisruptionbudget.policy/mlflow configured"], 0, "")


def test_one_replica_of_two_may_be_taken():
    assert get("poddisruptionbudget", "mlflow", namespace=PROD)["status"]["disruptionsAllowed"] == 1


def test_the_bucket_is_as_it_was_asked_for():
    login = 'mc alias set -q s http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null'
    questions = [f"mc {question} --json s/mlflow-bucket" for question in ("version info", "quota info", "ilm rule ls")]
    script = "; ".join(["export MC_CONFIG_DIR=/tmp/mc", login, *questions])
    text = execute("minio-0", "bash", "-euc", script, namespace=PROD)
    versions, quota, rules = (json.loads(answer) for answer in re.split(r"(?<=\})\n(?=\{)", text.strip()))
    assert versions["versioning"]["status"] == "Enabled"
    assert quota["quota"] == 5 * 1024**3
    assert [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules["config"]["Rules"]] == [7]


def test_nobody_gets_in_without_login(uri, login):
    api = uri.removesuffix(PREFIX) + EXPERIMENT
    assert status(api, {}) == 401
    assert status(api, basic(login["username"], "not the password")) == 401
    assert status(api, basic(**login)) == 200


def test_a_model_is_logged_and_loaded_back_through_the_prefix(admin, memory):
    rows, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(rows, labels)
    memory["experiment"] = admin.create_experiment("production")
    with mlflow.start_run(experiment_id=memory["experiment"], run_name="kept") as run:
        info = mlflow.sklearn.log_model(model, name="model", input_example=rows[:2])
        mlflow.log_text(memory.setdefault("text", "the text of an artifact, ü\n" * 100), "notes/text.txt")
    memory["kept"] = run.info.run_id
    assert numpy.array_equal(mlflow.sklearn.load_model(info.model_uri).predict(rows), model.predict(rows))


def test_a_user_with_read_reads_and_does_not_write(uri, admin, user, memory):
    password = base64.b64encode(os.urandom(18)).decode()
    users = AuthServiceClient(uri)
    users.create_user("reader", password)
    users.grant_user_permission("reader", "experiment", memory["experiment"], "READ")
    reader = user("reader", password)
    assert reader.get_run(memory["kept"]).info.run_name == "kept"
    artifact = download_artifacts(run_id=memory["kept"], artifact_path="notes/text.txt")
    assert pathlib.Path(artifact).read_text() == memory["text"]
    for write in (
        lambda: reader.create_run(memory["experiment"]),
        lambda: reader.log_metric(memory["kept"], "metric", 1),
        lambda: reader.log_text(memory["kept"], "not the text", "notes/text.txt"),
        lambda: reader.delete_run(memory["kept"]),
        lambda: users.create_user("another", password),
    ):
        with pytest.raises((MlflowException, requests.HTTPError), match=r"403|Permission denied"):
            write()


def test_the_doctor_is_well():
    text = execute("deployment/mlflow", "python3", "/app/start-mlflow.py", "doctor", namespace=PROD)
    assert "\u2717" not in text and "\u2713 tracking server" in text


def test_the_client_doctor_of_the_configmap_works_from_outside(uri, login, tmp_path):
    file = client_doctor(tmp_path, PROD)
    code, text = run_client_doctor(file, uri)
    assert code == 9 and "the tracking server wants a login" in text, text
    access = {"MLFLOW_TRACKING_USERNAME": login["username"], "MLFLOW_TRACKING_PASSWORD": login["password"]}
    code, text = run_client_doctor(file, uri, **access)
    assert code == 0 and "\u2717" not in text and "\u2713 upload through the server" in text, text
    assert login["password"] not in text


def scrapes(monitor):
    """The pages that the Prometheus operator makes of a ServiceMonitor: URL and headers."""
    selector = ",".join(f"{key}={value}" for key, value in monitor["spec"]["selector"]["matchLabels"].items())
    services = {service["metadata"]["name"] for service in get("services", "--selector", selector, namespace=PROD)["items"]}
    for endpoint in monitor["spec"]["endpoints"]:
        keep = endpoint["relabelings"][0]
        assert (keep["action"], keep["sourceLabels"]) == ("keep", ["__meta_kubernetes_service_name"])
        shown = endpoint.get("authorization")
        token = shown and secret_value(shown["credentials"]["name"], shown["credentials"]["key"], PROD)
        headers = {"Authorization": f"{shown['type']} {token}"} if shown else {}
        for service in services:
            if not re.fullmatch(keep["regex"], service):
                continue
            for part in get("endpointslices", "--selector", f"kubernetes.io/service-name={service}", namespace=PROD)["items"]:
                ports = [port["port"] for port in part["ports"] if port["name"] == endpoint["port"]]
                for address in (address for member in part["endpoints"] for address in member["addresses"]):
                    for port in ports:
                        yield f"http://{address}:{port}{endpoint['path']}", headers


def test_prometheus_gets_the_metrics_of_every_pod(login):
    monitors = {
        monitor["metadata"]["name"]: list(scrapes(monitor)) for monitor in get("servicemonitors", namespace=PROD)["items"]
    }
    assert {name: len(pages) for name, pages in monitors.items()} == {"mlflow": 2, "mlflow-monitor": 1}
    # a pod counts from the first request on
    access = basic(login["username"], login["password"])
    requested = [[url.replace("/metrics", EXPERIMENT), access] for url, _ in monitors["mlflow"]]
    assert [code for code, _ in run_python("client", CLIENTS, FETCH, requested)] == [200, 200]
    for code, text in run_python("client", CLIENTS, FETCH, monitors["mlflow"]):
        assert code == 200 and "mlflow_http_request_total{" in text
    ((code, text),) = run_python("client", CLIENTS, FETCH, monitors["mlflow-monitor"])
    assert code == 200 and {"mlflow_artifact_store_writable 1", "mlflow_database_reachable 1"} <= set(text.splitlines())
    # who has the token gets this page and no other
    elsewhere = [[url.replace("/metrics", EXPERIMENT), headers] for url, headers in monitors["mlflow"]]
    assert [code for code, _ in run_python("client", CLIENTS, FETCH, elsewhere)] == [401, 401]
    without_login = [[url, {}] for url, _ in monitors["mlflow"]]
    assert [code for code, _ in run_python("client", CLIENTS, FETCH, without_login)] == [401, 401]


def test_the_server_answers_for_its_own_hosts_only(login):
    address = get("service", "mlflow-service", namespace=PROD)["spec"]["clusterIP"]
    services = [
        f"{name}.{PROD}{domain}:5000" for name in ("mlflow-service", "mlflow-server") for domain in ("", ".svc.cluster.local")
    ]
    codes = {host: 200 for host in (*services, HOST, "gateway.example.com")}
    codes |= {host: 403 for host in (f"{address}:5000", "evil.example.com", f"{HOST}.evil.com")}
    pages = [[f"http://{address}:5000{EXPERIMENT}", {**basic(**login), "Host": host}] for host in codes]
    assert dict(zip(codes, (code for code, _ in run_python("client", CLIENTS, FETCH, pages)))) == codes
    # and under the names of its Services, which resolve
    pages = [[f"http://{service}{EXPERIMENT}", basic(**login)] for service in services]
    assert {code for code, _ in run_python("client", CLIENTS, FETCH, pages)} == {200}


@pytest.fixture
def browser(uri, tmp_path):
    """Chromium, for which the host of the Ingress is the tracking server, and nothing else exists."""
    port = uri.split(":")[2].split("/")[0]
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "--headless=new",
        "--no-sandbox",  # the tests run as root
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-features=HttpsUpgrades",
        "--window-size=1400,1000",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{port}, MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path / "downloads")})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def test_a_browser_finds_the_run_and_downloads_an_artifact(browser, login, memory, tmp_path):
    def click(by, what):
        WebDriverWait(browser, 60).until(expected_conditions.element_to_be_clickable((by, what))).click()

    ui = f"http://{HOST}{PREFIX}/"
    try:
        browser.get(ui)
        assert "production" not in browser.page_source
        # in place of the dialog that asks for them
        browser.get(ui.replace("://", f"://{login['username']}:{login['password']}@"))
        browser.get(ui + "#/experiments")
        WebDriverWait(browser, 60).until(expected_conditions.element_to_be_clickable((By.LINK_TEXT, "production")))
        browser.get(ui + f"#/experiments/{memory['experiment']}/runs?workflowType=machine_learning")
        click(By.LINK_TEXT, "kept")
        click(By.XPATH, "//button[@role='tab'][.='Artifacts']")
        click(By.XPATH, "//li[.='notes']")
        click(By.XPATH, "//li[.='text.txt']")
        click(By.CSS_SELECTOR, "button[data-component-id*='artifactview.tsx']")
        file = tmp_path / "downloads/text.txt"
        wait_until("the browser has downloaded the artifact", 30, file.exists)
        assert file.read_text() == memory["text"]
        assert browser.current_url.startswith(ui)
    except Exception:
        browser.save_screenshot(str(tmp_path / "browser.png"))
        say(f"the browser shows {tmp_path / 'browser.png'}")
        raise


def test_what_is_deleted_is_gone_for_good_after_garbage_collection(admin, memory):
    with mlflow.start_run(experiment_id=memory["experiment"], run_name="deleted") as run:
        mlflow.log_text("to be deleted", "text.txt")
    deleted = run.info.run_id
    admin.delete_run(deleted)
    both = {deleted, memory["kept"]}
    assert runs() >= both and objects(memory["experiment"]) >= both
    time.sleep(2)

    kubectl("create", "job", "gc-now", "--from=cronjob/mlflow-gc", "--namespace", PROD)

    def ended():
        state = get("job", "gc-now", namespace=PROD)["status"]
        log = kubectl("logs", "--namespace", PROD, "job/gc-now", check=False).stdout
        assert not state.get("failed"), log
        return state.get("succeeded")

    wait_until("garbage collection ended", 120, ended)
    assert runs() & both == {memory["kept"]}
    assert objects(memory["experiment"]) & both == {memory["kept"]}
    with pytest.raises(MlflowException, match="not found"):
        admin.get_run(deleted)


def runs():
    query = ("--tuples-only", "--no-align", "--command", "SELECT run_uuid FROM runs")
    return set(execute("postgres-0", "psql", "--username=postgres", "--dbname=mlflow", *query, namespace=PROD).split())


def objects(experiment):
    """Runs that have objects in the bucket."""
    script = (
        "import boto3, os, json\n"
        "s3 = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL'])\n"
        f"pages = s3.get_paginator('list_objects_v2').paginate(Bucket='mlflow-bucket', Prefix='{experiment}/')\n"
        "print(json.dumps([o['Key'] for page in pages for o in page.get('Contents', [])]))"
    )
    return {key.split("/")[1] for key in json.loads(execute("deployment/mlflow", "python3", "-c", script, namespace=PROD))}


def test_no_secret_value_stands_in_a_manifest_an_argument_or_a_log(prod):
    assert places_of_secrets(prod, PROD) == []
    say("no secret stands anywhere")
