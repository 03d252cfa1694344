"""The rows of the table: what is done to which stack, and what must hold then."""

import dataclasses
import json
import subprocess
from collections.abc import Callable
from typing import Any

from cluster import SLACK, say, wait_until
from stacks import CLIENTS, HEALING, Stack

# the second is as the first is: its rows go on beside
ONE, OTHER, TWO, FULL = "faults-one", "faults-other", "faults-two", "faults-full"


@dataclasses.dataclass(frozen=True)
class Row:
    """What is done, and the limits of what clients may see of it. No row may lose a write, or need a hand to heal."""

    name: str
    namespace: str
    what: str
    action: Callable[[Any], Any]
    # requests without retry that may fail; None: as many as there are while a part is away
    failed: "int | None" = None
    # errors of MLflow's clients, which try again by themselves
    errors: "int | None" = 0
    # seconds without any answer
    outage: "float | None" = None
    # seconds of one call
    longest: "float | None" = None
    # whether an upload is under way when it is done
    uploads: bool = False
    # where the clients are stopped first, since their server has another database
    clients: bool = True


ROWS: "dict[str, Row]" = {}


def row(namespace, what, **limits):
    """Makes a row of the function below, which does what it says and returns when that has had its effect."""

    def made(action):
        name = action.__name__.replace("_", "-")
        ROWS[name] = Row(name, namespace, what, action, **limits)
        return action

    return made


class SlowUpload:
    """An upload under way, which begins before something is done and ends after."""

    def __init__(self, stack, name, seconds, mebibytes=20, part=1, held=""):
        self._stack = stack
        program = ["python3", "/programs/slow.py", f"slow/{name}", str(seconds), str(mebibytes), str(part), held]
        command = ["kubectl", "exec", "--stdin", "--namespace", CLIENTS, stack.pod, "--", *program]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "begun\n"

    def let_end(self):
        """Tells one that is held, and still under way."""
        assert self._process.poll() is None, self.end()
        self._process.stdin.write("end\n")
        self._process.stdin.flush()

    def end(self):
        """What the client was told."""
        text, _ = self._process.communicate(timeout=400)
        return json.loads(text)

    def state(self, found):
        """What there is of it in the store."""
        return self._stack.ask("state", found["path"], found["sha256"])


def done(row: Row, stack: Stack) -> dict:
    """Does what a row says, and waits until all is well."""
    start = stack.now()
    upload = SlowUpload(stack, f"{row.name}-{start:.0f}", 8) if row.uploads else None
    note = row.action(stack) or ""
    acted = stack.now()
    wait_until(f"{row.name}: healed", HEALING, lambda: stack.ask("healthy", acted) and stack.settled())
    healed = stack.now()
    if upload is not None:
        found = upload.end()
        state = upload.state(found)
        note = f"{note}; " if note else ""
        note += (
            "the upload under way was acknowledged"
            if found["status"] == 200
            else f"the upload under way was not acknowledged, and is {state}"
        )
        assert state == "whole" if found["status"] == 200 else state in ("whole", "absent"), (found, state)
    end = stack.now()
    result = {
        "row": row.name,
        "what": row.what,
        "clients": True,
        "start": start,
        "end": end,
        # after it was done, or over
        "healed": round(healed - acted, 1),
        "note": note,
        **stack.ask("told", start, end),
    }
    say(json.dumps(result))
    return result


def without_clients(row: Row, stack: Stack) -> dict:
    start = stack.now()
    note = row.action(stack)
    stack.wait()
    end = stack.now()
    nothing = {"requests": 0, "failed": 0, "failures": [], "errors": [], "outage": 0.0, "longest": 0.0, "slowest": ""}
    known = {"row": row.name, "what": row.what, "clients": False, "start": start, "end": end}
    return {**known, "healed": round(end - start, 1), "note": note, **nothing}


def run(row: Row, stack: Stack) -> dict:
    return done(row, stack) if row.clients else without_clients(row, stack)


def not_kept(row: Row, result: dict) -> list:
    """Whether what was acknowledged is there, which is known at the end."""
    if row.clients and result["checked"] == 0:
        return ["nothing was acknowledged, so that nothing is proven"]
    return [f"{len(result['lost'])} acknowledged writes lost: {result['lost'][:5]}"] if result["lost"] else []


def broken_limits(row: Row, result: dict) -> list:
    """Each promise of a row about what clients see that did not hold."""
    broken = []
    found = {
        "failed": result["failed"],
        "errors": len(result["errors"]),
        "outage": result["outage"] / SLACK,
        "longest": result["longest"] / SLACK,
    }
    for name, value in found.items():
        limit = getattr(row, name)
        if limit is not None and value > limit:
            broken.append(
                f"{name}: {value}, where {limit} is the most: {result['failures']} {result['errors'][:5]} {result['slowest']}"
            )
    return broken


def load() -> "dict[str, Row]":
    """All rows, in their order."""
    import rows_of_parts
    import rows_of_rollouts
    import rows_of_networks  # isort: skip
    import rows_of_room
    import rows_of_starts

    assert all((rows_of_parts, rows_of_rollouts, rows_of_networks, rows_of_starts, rows_of_room))
    order = (ONE, OTHER, TWO, FULL)
    return dict(sorted(ROWS.items(), key=lambda item: order.index(item[1].namespace)))
