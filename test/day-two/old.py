"""Servers of old versions of MLflow on this machine, on the stores of a stack in the cluster."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

from cluster import ROOT, answers, forwarded, free_port, secret_value, wait_until

MIGRATION = ROOT / "test/migration"
RELEASES = {"2.22": "2.22.4", "3.1": "3.1.4", "3.10": "3.10.1"}
QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def python_of(version):
    variable = f"PYTHON_{version.replace('.', '_')}"
    advice = f"set {variable} to the Python of an environment with MLflow {version}: test/servers/old/{version}.txt"
    assert variable in os.environ, advice
    return os.environ[variable]


def run(python, program, *arguments, **variables):
    """What a program of test/migration prints, in an environment that has nothing but these variables."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, **QUIET, **variables}
        command = [python, str(MIGRATION / program), *map(str, arguments)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"[-4000:]
    return result.stdout


def read(made, uri, *arguments, python=sys.executable, **variables):
    """Everything that fill.py has made, by the official client and without any key; the last line of what it prints."""
    return run(python, "read.py", made, *arguments, MLFLOW_TRACKING_URI=uri, **variables).splitlines()[-1]


@contextlib.contextmanager
def stores(namespace):
    """The login of the database with its port here, and the key of the bucket with its endpoint here."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    key = {name: secret_value("minio-user", name, namespace) for name in names}
    login = {
        f"PG{name.upper()}": secret_value("postgres-user", key_of, namespace)
        for name, key_of in (("user", "username"), ("password", "password"))
    }
    with forwarded("service/postgres", 5432, namespace) as postgres, forwarded("service/minio", 9000, namespace) as minio:
        key.update(AWS_DEFAULT_REGION="us-east-1", MLFLOW_S3_ENDPOINT_URL=f"http://127.0.0.1:{minio}")
        wait_until("the object store on this machine", 30, lambda: answers(f"http://127.0.0.1:{minio}/minio/health/live"))
        yield f"postgresql://127.0.0.1:{postgres}", login, key


@contextlib.contextmanager
def server(version, uri, environment, *flags):
    """URI of a server of an old version, as somebody ran it: no preflight before it, and no plugin in it."""
    port = free_port()
    command = [
        python_of(version),
        "-m",
        "mlflow",
        "server",
        "--host=127.0.0.1",
        f"--port={port}",
        "--workers=1",
        f"--backend-store-uri={uri}",
        *flags,
    ]
    path = f"{pathlib.Path(python_of(version)).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as log:
        variables = {"PATH": path, "HOME": home, **QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **environment}
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, text=True, start_new_session=True)

        def serves():
            if process.poll() is not None:
                log.seek(0)
                raise AssertionError(f"MLflow {version} ended with {process.returncode}: {log.read()[-4000:]}")
            return answers(f"http://127.0.0.1:{port}/health")

        try:
            wait_until(f"MLflow {RELEASES[version]}", 120, serves)
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            process.wait()
