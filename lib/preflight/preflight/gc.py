"""mlflow gc, where it would delete what it should."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from .environment import clean, flag
from .problem import Problem, fail, say
from .server import lets_in, server_at
from .store import installed
from .stores import backend_store
from .wait import Wait, end_at_sigterm, until_well

# The URI is in the environment: arguments can be read by every process of the machine.
GC = """
import os, sys
from mlflow.cli import cli
cli(["gc", "--backend-store-uri", os.environ["MLFLOW_BACKEND_STORE_URI"], *sys.argv[1:]], prog_name="mlflow")
"""


def gc(arguments: list[str]) -> NoReturn:
    """Becomes mlflow gc, which without a server that lets it in would delete rows and leave their artifacts for ever."""
    end_at_sigterm()
    clean(os.environ)
    uri = flag(arguments, "--tracking-uri", os.environ.get("MLFLOW_TRACKING_URI", ""))
    database = backend_store(arguments)
    if "--help" not in arguments:
        try:
            for variable, value, what in (
                ("MLFLOW_TRACKING_URI", uri, "the URL of the tracking server, for example http://mlflow-service:5000"),
                ("MLFLOW_BACKEND_STORE_URI", database.uri, "the URI of the server's backend store, or pass --backend-store-uri"),
            ):
                if not value:
                    raise Problem("gc-missing", f"reading {variable} from the environment", variable=variable, what=what)
            server, wait = server_at(uri), Wait.of_the_environment()
            until_well(wait, server.name, lambda: lets_in(server))
            if database.checkable and installed(database):
                until_well(wait, database.name, database.check)
        except Problem as problem:
            say("mlflow gc was not started, and nothing was deleted")
            fail(problem.cause.code, problem.lines())
        say(f"Starting mlflow gc with {server.name}")
    os.environ.update(MLFLOW_BACKEND_STORE_URI=database.uri, MLFLOW_TRACKING_URI=uri)
    os.execv(sys.executable, [sys.executable, "-c", GC, *arguments])
