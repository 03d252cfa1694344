"""All checks, against the running server."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

from .environment import clean, destination_of, has_login, judge_environment, put_credentials_in_place
from .mlflow_doctor import examine_client, examine_server, report
from .postgres import ReadReplica
from .problem import Problem, Result, examine
from .server import server_in_this_pod
from .store import Store, installed
from .stores import artifact_store, backend_store, login_database


def examine_all(arguments: list[str]) -> Iterator[Result]:
    def judged() -> str:
        cleaned = clean(os.environ)
        put_credentials_in_place(os.environ, destination_of(arguments))
        judge_environment(os.environ, arguments)
        return f"white space was dropped: {', '.join(cleaned)}" if cleaned else ""

    yield examine("environment", judged)
    artifacts = artifact_store(arguments)
    stores: list[Store] = [artifacts, backend_store(arguments), ReadReplica()]
    with contextlib.suppress(Problem):
        # the first check has told it
        stores += [login_database()] if has_login(arguments) else []
    for store in stores:
        if store.checkable and installed(store):
            yield examine(store.name, store.check)
    yield from examine_server(server_in_this_pod(arguments), artifacts.direct)


def server_arguments(given: list[str]) -> list[str]:
    """Those of the server that runs as process 1, else those behind the word doctor."""
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
    results = examine_client(options.client) if options.client else examine_all(server_arguments(arguments))
    return report(results, options.json)
