"""Both stores, checked again and again."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time

from .causes import EXIT_ENVIRONMENT
from .environment import clean, destination_of, judge_s3, number, put_credentials_in_place, uses_s3
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
            judge_s3(os.environ)
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
        texts = [p if isinstance(p, str) else "\n".join(p.lines()) for p in self.problems.values() if p]
        return (503, "\n".join(texts) + "\n") if texts else (200, "ok\n")


def check(store: Store) -> str:
    """The name of a store that is well, or that nothing can be said about."""
    if store.checkable and installed(store):
        store.check()
    return store.name


class Server(http.server.ThreadingHTTPServer):
    """Listens on IPv6 and IPv4, where the machine has both."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def serve(watch: Monitor, port: int) -> Server:
    pages = {"/metrics": watch.metrics, "/ready": watch.ready}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = pages.get(self.path, lambda: (404, "no such page\n"))()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Kubernetes asks every few seconds."""

    server = Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def monitor(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        say(USAGE)
        return 0
    end_at_sigterm(code=0)
    clean(os.environ)
    watch = Monitor(arguments)
    port = int(number("STARTUP_MONITOR_PORT", 8080, most=65535))
    try:
        serve(watch, port)
    except OSError as error:
        fail(
            EXIT_ENVIRONMENT,
            [f"ERROR: the monitor cannot listen at port {port} ({error.strerror}): set STARTUP_MONITOR_PORT to another"],
        )
    while True:
        watch.run_once()
        time.sleep(watch.INTERVAL_SECONDS)
