#!/usr/bin/env python3
"""Starts the MLflow tracking server: start-mlflow.py COMMAND [ARGUMENT...]

Puts the S3 credentials in place, waits for the database, lets one pod at a time initialise an empty one, and then
replaces itself with the command, so that the server is process 1 and gets the signals.
"""

import os
import re
import signal
import subprocess
import sys
import time

EXIT_CREDENTIALS = 1
EXIT_USAGE = 2
EXIT_DATABASE = 3

DEFAULT_REGION = "us-east-1"
RETRY_SECONDS = 1
# "mlflow" in ASCII: any number does, as long as all pods of one database use the same
INIT_LOCK = 0x6D6C666C6F77
# what a PostgreSQL that is not ready yet, or is busy, answers; every other refusal is final
PASSING_REFUSALS = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "remaining connection slots are reserved",
    "too many clients already",
    "too many connections",
)
INITIALISE = """
import sys
from mlflow.server.handlers import initialize_backend_stores
initialize_backend_stores(sys.argv[1], None, sys.argv[2] or None)
"""


def say(line):
    print(line, flush=True)


def fail(code, *lines):
    for line in lines:
        print(line, file=sys.stderr, flush=True)
    sys.exit(code)


def put_credentials_in_place(environment):
    """Sets what boto3 reads, all of it, so that no other source of credentials can win."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        value = environment.get(variable, "")
        if not value:
            fail(
                EXIT_CREDENTIALS,
                f"ERROR: {variable} not set!",
                "Fix: the pod takes it from a Secret (kubectl describe pod names Secret and key): "
                "give that key a value, and restart the pod.",
            )
        environment[variable] = value
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or DEFAULT_REGION
    environment["AWS_DEFAULT_REGION"] = region
    environment["AWS_REGION"] = environment.get("AWS_REGION") or region


def flag(arguments, name, default=""):
    """The value of a flag of the command, written as one argument or as two."""
    for position, argument in enumerate(arguments):
        if argument.startswith(name + "="):
            return argument[len(name) + 1 :]
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
    return default


class Deadline:
    """Waits, with a line whenever the reason for it changes, until the time is up."""

    def __init__(self, seconds, what):
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self.what = what
        self.reason = None

    def wait(self, reason):
        if reason != self.reason:
            self.reason = reason
            say(f"Waiting for {self.what}: {reason}")
        if time.monotonic() + RETRY_SECONDS > self.end:
            fail(
                EXIT_DATABASE,
                f"ERROR: gave up after {self.seconds:g} s of waiting for {self.what}: {reason}",
                "Fix: see why the database does not answer (kubectl get pods, kubectl logs); the next try follows by itself. "
                "The time to wait is the prop startupDeadline of TrackingServer.",
            )
        time.sleep(RETRY_SECONDS)


def connect(driver, uri, deadline):
    while True:
        try:
            return driver.connect(uri, connect_timeout=5)
        except driver.OperationalError as error:
            reason = " ".join(str(error).split())
            if "FATAL:" in reason and not any(refusal in reason for refusal in PASSING_REFUSALS):
                fail(
                    EXIT_DATABASE,
                    f"ERROR: the database refuses the tracking server: {reason}",
                    "Fix: make PGUSER and PGPASSWORD, in the Secret that the pod takes them from, "
                    "those of a user of this database, and restart the pod.",
                )
            deadline.wait(reason)


def database_server(uri):
    """Host and port of a URI, without what else may stand in it."""
    return re.sub(r"^[^:]+://([^/@]*@)?([^/?]*).*$", r"\2", uri) or "localhost"


def is_initialised(cursor):
    cursor.execute("SELECT to_regclass('alembic_version')")
    if cursor.fetchone()[0] is None:
        return False
    cursor.execute("SELECT count(*) FROM alembic_version")
    return cursor.fetchone()[0] > 0


def prepare_database(arguments, seconds):
    """Waits for PostgreSQL, and initialises an empty database while no other pod does.

    Two servers that start on an empty database at the same time both make the tables, and one of them dies of it.
    """
    uri = flag(arguments, "--backend-store-uri", os.environ.get("MLFLOW_BACKEND_STORE_URI", ""))
    if not re.match(r"postgres(ql)?(\+\w+)?://", uri):
        return
    try:
        import psycopg2 as driver
    except ImportError:
        say("WARNING: this Python has no psycopg2, so the database is not waited for: use an MLflow image with the suffix -full")
        return
    deadline = Deadline(seconds, f"the database at {database_server(uri)}")
    libpq_uri = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", uri)
    connection = connect(driver, libpq_uri, deadline)
    connection.autocommit = True
    with connection.cursor() as cursor:
        # held until the connection closes, even if this pod dies
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (INIT_LOCK,))
        while not cursor.fetchone()[0]:
            deadline.wait("another pod is initialising it")
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (INIT_LOCK,))
        if not is_initialised(cursor):
            say("The database is empty: initialising it")
            root = flag(arguments, "--default-artifact-root", os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", ""))
            result = subprocess.run([sys.executable, "-c", INITIALISE, uri, root], check=False)
            if result.returncode != 0:
                fail(
                    EXIT_DATABASE,
                    f"ERROR: the database could not be initialised (exit code {result.returncode}); the lines above say why.",
                    "Fix: the user PGUSER has to be the owner of the database, or have the right to create tables in it.",
                )
    connection.close()


def main(arguments):
    # process 1 ignores signals that it has no handler for, and waiting must not outlive the pod
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    put_credentials_in_place(os.environ)
    if not arguments:
        fail(EXIT_USAGE, "ERROR: no command to start", __doc__.splitlines()[0])
    prepare_database(arguments, float(os.environ.get("STARTUP_DEADLINE_SECONDS", "300")))
    say(f"Starting MLflow with AWS credentials: {os.environ['AWS_ACCESS_KEY_ID'][:5]}...")
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
