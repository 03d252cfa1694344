"""What clients notice of faults, and that nothing which was acknowledged is lost: one row of a table after the other.

FAULTS_ROWS names rows, instead of all; FAULTS_RESULTS is the file for their results, one JSON object a line, of which
`npm run reliability` makes the page.
"""

import concurrent.futures
import json
import os
import pathlib
import tempfile
import threading
import time

import pytest

from cluster import get, say
from rows import broken_limits, load, not_kept, run
from stacks import HEALING, Stack, make_room_for_clients

ALL = load()
NAMED = os.environ.get("FAULTS_ROWS", "")
CHOSEN = [row for row in ALL.values() if (not NAMED or row.name in NAMED.split(","))]
NAMESPACES = list(dict.fromkeys(row.namespace for row in CHOSEN))
RESULTS = pathlib.Path(os.environ.get("FAULTS_RESULTS") or pathlib.Path(tempfile.mkdtemp(prefix="faults-")) / "results.jsonl")
COLUMNS = (
    "what was done",
    "checked",
    "lost",
    "errors",
    "failed without retry",
    "longest outage",
    "longest call",
    "healed by itself",
)
STACKS = {namespace: Stack(namespace) for namespace in NAMESPACES}
results = {}
# what the stacks consist of
images = set()


# what of its limits a row has broken, and what was read back of a stack
futures = {name: concurrent.futures.Future() for name in (*(row.name for row in CHOSEN), *NAMESPACES)}
over = threading.Event()


def go_through(namespace):
    """All rows of a stack, one after the other, as long as it is well; then what was acknowledged is read back."""
    stack = STACKS[namespace]
    left, done = [row for row in CHOSEN if row.namespace == namespace], []
    try:
        stack.wait()
        images.update(container["image"] for pod in stack.get("pods")["items"] for container in pod["spec"]["containers"])
        stack.start_clients()
        while left and not over.is_set():
            go_on(stack, left.pop(0), done)
    except BaseException as error:
        for row in left:
            futures[row.name].set_exception(error)
    try:
        futures[namespace].set_result(finish(stack, done))
    except BaseException as error:
        futures[namespace].set_exception(error)


def go_on(stack, row, done):
    """One row; where it fails, the next one wants a stack that is well."""
    if not row.clients:
        stack.stop_clients()
    try:
        results[row.name] = run(row, stack)
    except BaseException as error:
        futures[row.name].set_exception(error)
        stack.wait(HEALING)
    else:
        done.append(row)
        futures[row.name].set_result(broken_limits(row, results[row.name]))


@pytest.fixture(scope="session", autouse=True)
def under_way(cleaned):
    """The rows of all stacks; those of different stacks beside each other, where FAULTS_BESIDE says how many."""
    make_room_for_clients()
    for stack in STACKS.values():
        stack.apply()
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("FAULTS_BESIDE", "1"))) as pool:
        for namespace in NAMESPACES:
            pool.submit(go_through, namespace)
        yield
        over.set()
    write_results()


def test_the_rows_are_there():
    assert not NAMED or set(NAMED.split(",")) <= set(ALL), f"rows are {', '.join(ALL)}"


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: row.name)
def test_row(row):
    assert futures[row.name].result() == []


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_everything_that_was_acknowledged_is_there_at_the_end(namespace):
    everything = futures[namespace].result()
    assert everything["lost"] == [] and everything["checked"] > 0


def finish(stack, rows):
    """Reads back whatever was acknowledged, and tells what of each row ended after it."""
    stack.stop_clients()
    everything = stack.ask("read-back")
    say(f"{stack.namespace}: {everything['checked']} acknowledged writes read back, {len(everything['lost'])} lost")
    for row in rows:
        result = results[row.name]
        times = (result["start"], result["end"])
        result.update(stack.ask("checked", *times), everything=everything["checked"])
        if row.clients:
            result.update(stack.ask("told", *times))
    stack.remove()
    return everything


def line(result):
    cells = (
        result["what"],
        result["checked"],
        len(result["lost"]),
        len(result["errors"]),
        f"{result['failed']} of {result['requests']}",
        f"{result['outage']:.1f} s",
        f"{result['longest']:.1f} s",
        f"yes, {result['healed']:.0f} s",
    )
    return " | ".join(map(str, cells)) + (f" | {result['note']}" if result["note"] else "")


def about(known):
    """When, where and with what this was measured."""
    (node, *_) = get("nodes")["items"]
    system, room = node["status"]["nodeInfo"], node["status"]["capacity"]
    memory = int(room["memory"].removesuffix("Ki")) / 2**20
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"a node with {room['cpu']} CPUs and {memory:.0f} GiB of memory (Linux {system['kernelVersion']})",
        "versions": f"Kubernetes {system['kubeletVersion']}, {', '.join(sorted(images))}",
        "everything": sum({ALL[name].namespace: result["everything"] for name, result in known.items()}.values()),
    }


def write_results():
    """Of all rows that were gone through and read back, also where another one failed."""
    known = {row.name: results[row.name] for row in CHOSEN if "checked" in results.get(row.name, {})}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("".join(json.dumps(line) + "\n" for line in (about(known), *known.values())))
    say(f"results are in {RESULTS}")


def test_the_table():
    print("\n".join([" | ".join(COLUMNS), *(line(results[row.name]) for row in CHOSEN)]), flush=True)
    broken = {n: found for n, result in results.items() if (found := broken_limits(ALL[n], result) + not_kept(ALL[n], result))}
    assert not broken and set(results) == {row.name for row in CHOSEN}
