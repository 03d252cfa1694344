"""How many transfers of artifacts are under way, for the page /metrics of the server, by which pods can be added.

MLflow's own numbers leave transfers out. Where the server has no such page, nothing is counted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from typing import Any

NAME = "mlflow_artifact_transfers_in_progress"
FOLDERS = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
GAUGE_FILE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


class InFlight:
    """Counts in this process; the page adds up those that live."""

    def __init__(self) -> None:
        self._gauge = gauge_of_process()

    @contextlib.contextmanager
    def counted(self, direction: str) -> Iterator[None]:
        if self._gauge is None:
            yield
            return
        gauge = self._gauge.labels(direction)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()


@functools.cache
def gauge_of_process() -> Any:
    """One, however often the app is wrapped: the library refuses a second one of its name."""
    folder = next((os.environ[name] for name in FOLDERS if os.environ.get(name)), None)
    if folder is None:
        return None
    # a server that has the page has it
    from prometheus_client import Gauge, multiprocess

    # as MLflow does, which may be imported later
    os.makedirs(folder, exist_ok=True)
    forget_the_dead(folder, multiprocess.mark_process_dead)
    what = "Transfers of artifacts that are under way"
    made = Gauge(NAME, what, ["direction"], multiprocess_mode="livesum")
    for direction in ("upload", "download"):
        # a process before a restart may have had the number of this one
        made.labels(direction).set(0)
    return made


def forget_the_dead(folder: str, forget: Any) -> None:
    """Processes that were killed have left their numbers, which would count for ever."""
    with contextlib.suppress(OSError):
        for pid in {found[1] for name in os.listdir(folder) if (found := GAUGE_FILE.fullmatch(name))}:
            if not os.path.exists(f"/proc/{pid}"):
                forget(int(pid), folder)
