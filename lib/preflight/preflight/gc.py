"""mlflow gc, where it would delete what it should."""

from __future__ import annotations

import os
import re

from .doctor import server_arguments
from .environment import clean, flag
from .kept import NAMES, Kept
from .lost import USAGE as LOST_USAGE
from .lost import lost
from .mlflow_doctor import TrackingServer
from .orphans import USAGE, orphans
from .problem import Problem, fail, say, warn
from .server import an_experiment, has_workspaces, lets_in, log_in_by_environment, server_at, server_in_this_pod
from .store import installed
from .stores import backend_store
from .wait import Wait, end_at_sigterm, until_well

# what mlflow gc does not have, with its help
REPORTS = {"--lost": (lost, LOST_USAGE), "--orphans": (orphans, USAGE)}


def gc(arguments: list[str]) -> int:
    """Runs mlflow gc, which without a server that lets it in would delete rows and leave their artifacts for ever."""
    end_at_sigterm()
    clean(os.environ)
    report, usage = next((REPORTS[option] for option in REPORTS if option in arguments), (None, ""))
    if report and "--help" in arguments:
        say(usage)
        return 0
    # of the server, where this runs in its pod
    inside = server_arguments([])
    uri = flag(arguments, "--tracking-uri", os.environ.get("MLFLOW_TRACKING_URI", ""))
    database = backend_store([*arguments, *inside])
    server = server_in_this_pod(inside) if inside and not uri else server_at(uri)
    if "--help" not in arguments:
        try:
            for variable, value, what in (
                ("MLFLOW_TRACKING_URI", server.uri, "the URL of the tracking server, for example http://mlflow-service:5000"),
                ("MLFLOW_BACKEND_STORE_URI", database.uri, "the URI of the server's backend store, or pass --backend-store-uri"),
            ):
                if not value:
                    raise Problem("gc-missing", f"reading {variable} from the environment", variable=variable, what=what)
            wait = Wait.of_the_environment()
            until_well(wait, server.name, lambda: lets_in(server))
            if database.checkable and installed(database):
                until_well(wait, database.name, database.check)
                database.check_same(lambda: an_experiment(server))
            if report:
                return report([*arguments, *inside], database)
        except Problem as problem:
            if not report:
                say("mlflow gc was not started, and nothing was deleted")
            fail(problem.cause.code, problem.lines())
        if has_workspaces(server) and not any(re.match("--(all-)?workspaces?(=|$)", argument) for argument in arguments):
            # without it mlflow gc refuses the database, or cleans up the workspace "default" only
            arguments = [*arguments, "--all-workspaces"]
        say(f"Starting mlflow gc with {server.name}")
    # what MLflow's own client reads
    os.environ.update(MLFLOW_BACKEND_STORE_URI=database.uri, MLFLOW_TRACKING_URI=uri or server.uri)
    if not uri:
        log_in_by_environment(inside)
    return run(server, database.uri, arguments)


def run(server: TrackingServer, uri: str, arguments: list[str]) -> int:
    """mlflow gc in this process, whose arguments, which every process of the machine can read, have no URI."""
    from mlflow import cli as module

    kept = Kept(module, lambda: lets_in(server)) if all(hasattr(module, name) for name in NAMES) else None
    if not kept:
        warn("this MLflow is not known here: its gc ends at the first thing that it cannot delete")
    code: object = 0
    try:
        module.cli(["gc", "--backend-store-uri", uri, *arguments], prog_name="mlflow")
    except SystemExit as end:
        code = end.code or 0
    except Problem as problem:
        fail(problem.cause.code, problem.lines())
    if kept and kept.kept and not code:
        told = kept.problem()
        fail(told.cause.code, told.lines())
    return code if isinstance(code, int) else 1
