"""What a relocation would change, as a table by experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .orphans import readable
from .relocate_files import File
from .relocate_rows import OUTSIDE, Experiment, Row

# of the table, each with the kinds that it counts
COUNTS = {
    "runs": ("run",),
    "models": ("model",),
    "versions": ("version", "version's storage"),
    "traces": ("trace", "archived trace"),
    "data": ("dataset", "evaluation row"),
}


@dataclass
class Line:
    """One experiment; what belongs to none has a line, too."""

    identity: str
    name: str = ""
    workspace: str = ""
    state: str = ""
    old: str = ""
    new: str = ""
    counts: dict[str, set[str]] = field(default_factory=dict)
    # reason, and how many of each kind
    stays: dict[str, dict[str, int]] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0

    @property
    def numbers(self) -> dict[str, int]:
        return {name: len(self.counts.get(name, ())) for name in COUNTS}


class Plan:
    def __init__(self, experiments: dict[str, Experiment]) -> None:
        self.experiments = experiments
        self.found: dict[str, Line] = {}
        # of what moves, and whose line it is
        self.paths: dict[str, str] = {}
        self.changes = self.files = 0

    def line(self, identity: str) -> Line:
        if identity not in self.found:
            known = self.experiments.get(identity)
            line = Line(identity)
            if known:
                line.name, line.workspace, line.state, line.old = known.name, known.workspace, known.state, known.location
            self.found[identity] = line
        return self.found[identity]

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            line = self.line(row.experiment)
            if row.place.why:
                stays = line.stays.setdefault(row.place.why, {})
                stays[row.column.kind] = stays.get(row.column.kind, 0) + 1
                continue
            self.changes += 1
            if row.column.kind == "experiment":
                line.new = row.place.uri
            if row.place.path:
                self.paths.setdefault(row.place.path, row.experiment)
            for name, kinds in COUNTS.items():
                if row.column.kind in kinds:
                    line.counts.setdefault(name, set()).add(" ".join(str(value) for value in row.keys.values()))

    def count(self, files: Iterable[File]) -> None:
        """Whose files they are, by the nearest place above."""
        for file in files:
            path = file.path
            while path and path not in self.paths:
                path = path.rpartition("/")[0]
            if path:
                line = self.line(self.paths[path])
                line.files += 1
                line.bytes += file.size
                self.files += 1

    @property
    def sorted(self) -> list[Line]:
        return sorted(self.found.values(), key=lambda line: (line.identity == OUTSIDE, len(line.identity), line.identity))

    def record(self) -> dict[str, Any]:
        """For machines."""
        lines = [
            {
                "experiment": line.identity,
                "name": line.name,
                "workspace": line.workspace,
                "state": line.state,
                "from": line.old,
                "to": line.new,
                **line.numbers,
                "files": line.files,
                "bytes": line.bytes,
                "stays": line.stays,
            }
            for line in self.sorted
        ]
        return {"changes": self.changes, "experiments": lines}

    def lines(self) -> list[str]:
        head = ["experiment", "name", "state", "from", "to", *COUNTS, "files", "size"]
        cells = []
        for line in self.sorted:
            named = [
                line.identity or "(none)",
                short(line.name, 30),
                line.state,
                short(line.old, 50),
                line.new or ("stays" if line.identity and line.stays else ""),
            ]
            numbers = [str(number) for number in line.numbers.values()]
            cells.append([*named, *numbers, str(line.files), readable(line.bytes)])
        total = [str(sum(line.numbers[name] for line in self.sorted)) for name in COUNTS]
        sizes = [str(sum(line.files for line in self.sorted)), readable(sum(line.bytes for line in self.sorted))]
        cells.append(["all", "", "", "", f"{self.changes} places", *total, *sizes])
        widths = [max(len(row[column]) for row in [head, *cells]) for column in range(len(head))]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [head, *cells]]
        return table + [text for line in self.sorted for text in reasons(line)]


def reasons(line: Line) -> list[str]:
    owner = f"experiment {line.identity}" if line.identity else "no experiment"
    return [
        f"Stays, of {owner}: {', '.join(f'{count} x {kind}' for kind, count in sorted(kinds.items()))}: {why}"
        for why, kinds in sorted(line.stays.items())
    ]


def short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
