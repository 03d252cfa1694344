"""What something takes: seconds, CPU, memory and disk; and the lines of JSON that say so."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
# how often memory and disk are looked at
EVERY_SECONDS = 0.5
TICKS = os.sysconf("SC_CLK_TCK")
FORK = multiprocessing.get_context("fork")
Each = TypeVar("Each")


def stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def smaps(pid: int, *names: str) -> float:
    """MiB of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in names) / KIBIBYTE


class Server(NamedTuple):
    """A server that is measured."""

    # as it stands in the tables
    name: str
    url: str
    # of its processes, and of no others
    home: str
    # its TMPDIR
    scratch: str

    def processes(self) -> list[int]:
        marker = f"\0HOME={self.home}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if marker in b"\0" + (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found

    def memory(self, pids: list[int] | None = None) -> float:
        """MiB of all of its processes, of which what they share counts once (Pss)."""
        total = 0.0
        for pid in pids or self.processes():
            with contextlib.suppress(OSError):
                total += smaps(pid, "Pss")
        return total

    def disk(self) -> float:
        """MiB in its scratch folder."""
        total = 0
        for folder, _, names in os.walk(self.scratch):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
        return total / MEBIBYTE

    def cpu(self) -> float:
        """Seconds of CPU that its processes have had."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                total += sum(int(field) for field in stat(pid)[11:13])
        return total / TICKS


class Taken(NamedTuple):
    """What one measurement took."""

    seconds: float
    # of clients and servers together, without the store
    cpu: float
    # the most of the server, in MiB
    memory: float
    disk: float


@contextlib.contextmanager
def measured(server: Server | None, taken: list[Taken]) -> Iterator[None]:
    """Appends what the block took."""
    memory, disk = [0.0], [0.0]
    over = threading.Event()

    def watch(watched: Server) -> None:
        pids = watched.processes()
        while not over.is_set():
            memory.append(watched.memory(pids))
            disk.append(watched.disk())
            over.wait(EVERY_SECONDS)

    watcher = threading.Thread(target=watch, args=(server,)) if server else None
    cpu, started = all_cpu(server), time.monotonic()
    if watcher:
        watcher.start()
    try:
        yield
    finally:
        seconds = time.monotonic() - started
        over.set()
        if watcher:
            watcher.join()
    taken.append(Taken(seconds, all_cpu(server) - cpu, max(memory), max(disk)))


def all_cpu(server: Server | None) -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages) + (server.cpu() if server else 0.0)


def report(part: str, what: str, who: str, values: list[float], **more: Any) -> None:
    """A row: `values` are seconds unless `unit` says otherwise."""
    row = {"part": part, "what": what, "with": who, "unit": "s", "values": values, "load": os.getloadavg()[0], **more}
    print(json.dumps(row), flush=True)


def report_pairs(part: str, what: str, taken: dict[str, list[Taken]], target: float | None = None) -> None:
    """Rows of those that took turns: each is compared with the first, turn by turn."""
    first, *others = taken
    for who, all_taken in taken.items():
        more: dict[str, Any] = {"cpu": statistics.median(one.cpu for one in all_taken)}
        if any(one.memory for one in all_taken):
            more["memory"] = max(one.memory for one in all_taken)
        if who in others:
            more["ratios"] = [one.seconds / before.seconds for one, before in zip(all_taken, taken[first])]
        if who in others[:1] and target is not None:
            more["target"] = target
        report(part, what, who, [one.seconds for one in all_taken], **more)


def in_turn(ways: dict[str, Callable[[int], None]], rounds: int) -> None:
    """Each way once in each round, the first one last in every other."""
    for number in range(rounds):
        names = list(ways) if number % 2 == 0 else list(reversed(ways))
        for name in names:
            ways[name](number)


def at_once(action: Callable[[Each], None], each: Iterable[Each]) -> None:
    """Clients that all do it at the same time, each in a process of its own."""
    clients = [FORK.Process(target=action, args=(one,)) for one in each]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if any(client.exitcode for client in clients):
        raise AssertionError(f"clients ended with {[client.exitcode for client in clients]}")
