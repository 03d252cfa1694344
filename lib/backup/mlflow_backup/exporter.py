"""What Prometheus is told of the backups: it reads what the last runs have noted at the destination."""

from __future__ import annotations

import os
import time
from typing import Any

from preflight.environment import clean, number
from preflight.pages import Pages
from preflight.problem import say

from . import layout
from .bucket import Bucket

INTERVAL_SECONDS = 30
# of the last run that ended well
GAUGES = (
    ("mlflow_backup_last_success_timestamp_seconds", "succeeded", "time"),
    ("mlflow_backup_last_verified_timestamp_seconds", "verified", "time"),
    ("mlflow_backup_last_begin_timestamp_seconds", "begun", "time"),
    ("mlflow_backup_duration_seconds", "succeeded", "seconds"),
    ("mlflow_backup_objects", "succeeded", "objects"),
    ("mlflow_backup_objects_bytes", "succeeded", "bytes"),
    ("mlflow_backup_database_bytes", "succeeded", "dump_bytes"),
    ("mlflow_backup_database_rows", "succeeded", "rows"),
    ("mlflow_backup_copied_objects", "succeeded", "copied"),
    ("mlflow_backup_copied_bytes", "succeeded", "copied_bytes"),
    ("mlflow_backups", "succeeded", "backups"),
)


class Exporter:
    """The state at the destination, as it was when that last answered."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.readable = False
        self.line = ""

    def look(self) -> None:
        try:
            # without a backup the last one is as old as can be
            self.state = {"verified": {"time": 0}, **layout.read_state(Bucket.of_destination())}
            self.readable, line = True, "OK: the destination of the backups answers"
        except Exception as error:
            # whatever it is, it is an answer: the pod goes on, and its metrics tell
            self.readable, line = False, f"ERROR: the destination of the backups does not answer: {type(error).__name__}: {error}"
        if line != self.line:
            self.line = line
            say(line)

    def metrics(self) -> tuple[int, str]:
        values = {name: (self.state.get(part) or {}).get(key) for name, part, key in GAUGES}
        values["mlflow_backup_destination_readable"] = int(self.readable)
        if self.state:
            values["mlflow_backup_last_run_failed"] = int(bool(self.state.get("failed")))
        lines = [f"# TYPE {name} gauge\n{name} {value}\n" for name, value in values.items() if value is not None]
        return 200, "".join(lines)

    def ready(self) -> tuple[int, str]:
        return (200, "ok\n") if self.readable else (503, "the destination does not answer: see the log of this pod\n")


def exporter() -> None:
    clean(os.environ)
    watch = Exporter()
    Pages({"/metrics": watch.metrics, "/ready": watch.ready}, int(number("EXPORTER_PORT", 8080, most=65535)))
    while True:
        watch.look()
        time.sleep(INTERVAL_SECONDS)


STEPS = {"exporter": exporter}
