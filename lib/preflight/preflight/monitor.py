"""Both stores, checked again and again."""

from __future__ import annotations

import os
import time

from .environment import clean, destination_of, judge_s3, number, put_credentials_in_place, uses_s3
from .exits import EXIT_ENVIRONMENT
from .pages import Pages
from .problem import Problem, examine, fail, say
from .store import Store, installed
from .stores import artifact_store, backend_store
from .wait import end_at_sigterm

USAGE = """usage: start-mlflow.py monitor [FLAG...]

Checks both stores every 15 s, and tells by HTTP at the port in STARTUP_MONITOR_PORT, else 8080: /ready for Kubernetes,
/metrics for Prometheus. The flags are those of mlflow server that name the stores."""


class Monitor:
    """Checks both stores again and again, and tells by HTTP: /metrics for Prometheus, /ready for Kubernetes.

    It runs in a pod of its own: a store that takes no more writes must not take reading away from all users, as it would
    if the tracking server itself became unready. Whatever is wrong in its environment is an answer, and not its end.
    """

    INTERVAL_SECONDS = 15
    METRICS = (("mlflow_artifact_store_writable", "artifact"), ("mlflow_database_reachable", "database"))

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.checks = {"artifact": self.check_artifacts, "database": self.check_database}
        self.stores: dict[str, Store] = {}
        self.problems: dict[str, Problem | str | None] = dict.fromkeys(self.checks, "not checked yet")
        self.lines: dict[str, str] = {}

    def check_artifacts(self) -> str:
        destination = destination_of(self.arguments)
        put_credentials_in_place(os.environ, destination)
        if uses_s3(destination):
            judge_s3(os.environ, destination)
        if "artifact" not in self.stores:
            self.stores["artifact"] = artifact_store(self.arguments)
        return check(self.stores["artifact"])

    def check_database(self) -> str:
        if "database" not in self.stores:
            self.stores["database"] = backend_store(self.arguments)
        return check(self.stores["database"])

    def run_once(self) -> None:
        for name, action in self.checks.items():
            result = examine(f"the {name} store" if name == "artifact" else f"the {name}", action)
            problem = result.problem
            lines = problem.lines() if problem else [f"OK: {result.note}"]
            if lines[0] != self.lines.get(name):
                self.lines[name] = lines[0]
                for line in lines:
                    say(line)
            self.problems[name] = problem

    def metrics(self) -> tuple[int, str]:
        lines = []
        for metric, name in self.METRICS:
            lines += [f"# TYPE {metric} gauge", f"{metric} {0 if self.problems[name] else 1}"]
        return 200, "\n".join(lines) + "\n"

    def ready(self) -> tuple[int, str]:
        """What is wrong in two words: endpoints, users and the beginning of keys are for those who may read the log."""
        names = [f"{name}: {p if isinstance(p, str) else p.name}" for name, p in self.problems.items() if p]
        return (503, "\n".join([*names, "see the log of this pod", ""])) if names else (200, "ok\n")


def check(store: Store) -> str:
    """The name of a store that is well, or that nothing can be said about."""
    if store.checkable and installed(store):
        store.check()
    return store.name


def monitor(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        say(USAGE)
        return 0
    end_at_sigterm(code=0)
    clean(os.environ)
    watch = Monitor(arguments)
    port = int(number("STARTUP_MONITOR_PORT", 8080, most=65535))
    try:
        Pages({"/metrics": watch.metrics, "/ready": watch.ready}, port)
    except OSError as error:
        fail(
            EXIT_ENVIRONMENT,
            [
                f"ERROR: the monitor cannot listen at port {port} ({os.strerror(error.errno or 0)}): "
                "set STARTUP_MONITOR_PORT to another"
            ],
        )
    while True:
        watch.run_once()
        time.sleep(watch.INTERVAL_SECONDS)
