"""All checks, against the running server."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
from collections.abc import Iterator

from .commands import LOGS, SERVER
from .environment import clean, destination_of, has_login, judge_environment, put_credentials_in_place
from .lost import check_not_emptied
from .mlflow_doctor import examine_client, examine_server, report
from .postgres import ReadReplica
from .problem import Problem, Result, examine, say
from .s3 import S3Store
from .server import server_in_this_pod
from .server_secrets import ServerSecrets
from .store import Store, installed
from .stores import artifact_store, backend_store, login_database, registry_store

# this is the doctor in the pod, to whom a client is sent
HERE = "See what the other checks found. Where they are well, the log of the server has the reason."


def examine_all(arguments: list[str]) -> Iterator[Result]:
    def judged() -> str:
        cleaned = clean(os.environ)
        put_credentials_in_place(os.environ, destination_of(arguments))
        judge_environment(os.environ, arguments)
        return f"white space was dropped: {', '.join(cleaned)}" if cleaned else ""

    yield examine("environment", judged)
    artifacts = artifact_store(arguments)
    database = backend_store(arguments)
    stores: list[Store] = [artifacts, database, *registry_store(arguments), ReadReplica(), ServerSecrets(database)]
    with contextlib.suppress(Problem):
        # the first check has told it
        stores += [login_database()] if has_login(arguments) else []
    well = True
    for store in stores:
        if store.checkable and installed(store):
            yield (found := examine(store.name, store.check))
            well = well and found.problem is None
    if well and isinstance(artifacts, S3Store) and installed(database):
        yield examine("artifacts are there", lambda: check_not_emptied(artifacts, database))
    yield from examine_server(server_in_this_pod(arguments), artifacts.direct)


def server_arguments(given: list[str]) -> list[str]:
    """Those of the server that runs as process 1, else those behind the word doctor."""
    if os.getpid() == 1:
        # a Job, which has flags of the server and is none
        return given
    try:
        with open("/proc/1/cmdline", "rb") as file:
            arguments = file.read().decode().split("\0")
    except OSError:
        arguments = []
    return arguments if any(argument.startswith("--artifacts-destination") for argument in arguments) else given


def doctor(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="start-mlflow.py doctor")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--client", metavar="URL", help="examine a tracking server as its client")
    options, _ = parser.parse_known_args(arguments)
    if options.client:
        return report(examine_client(options.client), options.json)
    for name in ("server-error", "server-waits"):
        Problem.causes[name] = Problem.causes[name]._replace(fix=HERE)
    code = report(examine_all(server_arguments(arguments)), options.json)
    if not options.json:
        say(f"This was pod {socket.gethostname()}. One that does not start says why in its own log, and one that was Evicted for")
        say(f"its volume tmp needs a larger scratchSize: {Problem.kubectl} get pods {SERVER}")
        say(LOGS.format(kubectl=Problem.kubectl))
    return code
