"""The steps of a backup that are no work of pg_dump and mc."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from typing import Any

from preflight.environment import clean
from preflight.problem import Problem, say, warn
from preflight.schema import mlflow_version
from preflight.stores import artifact_store
from preflight.wait import Wait, until_well

from . import layout
from .bucket import Bucket, Found, try_destination
from .marks import marks
from .mc import write_settings
from .plan import changes
from .retention import clean_up

# how many objects a verification reads, and how much of them
SAMPLE, SAMPLE_BYTES = 20, 1024**3
# in the order in which names are shown, and no more of them
SHOWN = 5


def await_stores() -> Wait:
    """Cleans the environment, and waits until both stores answer; how long others may be waited for."""
    clean(os.environ)
    wait = Wait.of_the_environment()
    until_well(wait, f"the destination at {os.environ['BACKUP_DESTINATION']}", try_destination)
    source = artifact_store([f"--artifacts-destination={os.environ['ARTIFACTS_DESTINATION']}"])
    until_well(wait, source.name, source.check)
    return wait


def begin() -> None:
    """Both stores answer: a backup without its destination would be made for nothing."""
    await_stores()
    destination = Bucket.of_destination()
    known = [*layout.names_of(destination), *layout.kept_names(destination)]
    name = layout.next_name(known, layout.now())
    state = layout.read_state(destination)
    before = state.get("begun")
    if before and before.get("name") != (state.get("succeeded") or {}).get("name"):
        state["failed"] = state.get("failed") or {**before, "cause": "it did not end"}
    state["begun"] = {"name": name, "time": time.time()}
    destination.write_json(layout.STATE, state)
    write("run.json", {"name": name, "started": time.time()})
    write_settings(Bucket.of_artifacts(), destination)
    say(f"Backup {name} of {os.environ['ARTIFACTS_DESTINATION']} and the database, to {destination.uri}")


def compare() -> None:
    """What the last run has not copied as it is now. Nothing is written over: what changed, and what is gone, is moved aside."""
    source, destination = Bucket.of_artifacts(), Bucket.of_destination()
    name = run()["name"]
    last = layout.newest(destination)
    objects = {found.path: found for found in source.listing()}
    if last and layout.is_untouched(database()["tables"]) and not last[1]["untouched"]:
        raise Problem("backup-empty", "counting the rows of the database", answer="no runs, no models", backup=last[0])
    plan = changes(destination, objects, last[0] if last else "")
    moved = destination.move((layout.OBJECTS + path, f"{layout.KEPT}{name}/{path}") for path in plan.aside)
    # from here on it may be in the copies, whether this run ends or not
    destination.write_json(layout.COPYING, {path: found.etag for path, found in objects.items()})
    write("plan.json", plan.counts())
    say_nothing_to_copy(not plan.counts()["copied"])
    write("objects.json", list(objects.values()))
    say(f"Bucket: {len(objects)} objects. {plan.text()}. Moved below {layout.KEPT}{name}/: {moved}")


def seal() -> None:
    """The manifest comes last: a backup without one is none."""
    source, destination = Bucket.of_artifacts(), Bucket.of_destination()
    name, tables = run()["name"], database()
    before = {entry[0]: Found(*entry) for entry in read("objects.json")}
    now = {found.path: found for found in source.listing()}
    there = {found.path[len(layout.OBJECTS) :]: found for found in destination.listing(layout.OBJECTS)}
    listed, missing = [], []
    for path, found in before.items():
        copy = there.get(path)
        same = now.get(path) == found
        if copy is not None and (copy.size == found.size or not same):
            # of what changed while it was copied nobody knows which state this is: the next run copies it again
            listed.append(Found(path, copy.size, found.etag if same else ""))
        elif path in now:
            missing.append(path)
    if missing:
        raise Problem("backup-objects", "listing the destination", destination.uri, form=shown(missing), count=len(missing))
    destination.write_json(layout.path_of(name, layout.DATABASE), tables)
    destination.write_json(layout.path_of(name, layout.LIST), listed)
    destination.upload(str(layout.scratch() / layout.DUMP), layout.path_of(name, layout.DUMP))
    manifest = {
        "name": name,
        "mlflow": mlflow_version(),
        "database": {key: value for key, value in tables.items() if key != "tables"},
        "rows": sum(tables["tables"].values()),
        "untouched": layout.is_untouched(tables["tables"]),
        "objects": len(listed),
        "bytes": sum(found.size for found in listed),
        "copied": read("plan.json"),
        "list_sha256": sha256_of(listed),
        "secrets": marks(),
        "seconds": round(time.time() - run()["started"], 1),
    }
    destination.write_json(layout.path_of(name, layout.MANIFEST), manifest)
    say(f"Backup {name} is whole: {manifest['rows']} rows, {manifest['objects']} objects of {manifest['bytes']} bytes")


def fetch() -> None:
    """The dump as it lies at the destination, for the trial."""
    name = run()["name"]
    fetch_dump(Bucket.of_destination(), name, "trial.dump")


def fetch_dump(destination: Bucket, name: str, file: str) -> None:
    """Brings a dump here, and compares its checksum."""
    manifest = destination.read_json(layout.path_of(name, layout.MANIFEST))
    target = layout.scratch() / file
    destination.download(layout.path_of(name, layout.DUMP), str(target))
    digest = hashlib.sha256()
    with open(target, "rb") as dump:
        while chunk := dump.read(1024 * 1024):
            digest.update(chunk)
    if digest.hexdigest() != manifest["database"]["sha256"]:
        raise damaged(destination, name, f"{layout.DUMP} has another checksum")
    if sha256_of(layout.objects_of(destination, name)) != manifest["list_sha256"]:
        raise damaged(destination, name, f"{layout.LIST} has another checksum")


def damaged(destination: Bucket, name: str, form: str) -> Problem:
    return Problem("backup-damaged", f"reading {layout.path_of(name, '')}", destination.uri, form=form, backup=name)


def finish() -> None:
    """Whether all rows were there in the trial, and the hashes of a sample of objects; only then old backups may go."""
    source, destination = Bucket.of_artifacts(), Bucket.of_destination()
    name, wanted, found = run()["name"], database()["tables"], read("trial.json")["tables"]
    differ = [f"{table}: {found.get(table)} rows of {rows}" for table, rows in wanted.items() if found.get(table) != rows]
    if differ:
        raise damaged(destination, name, shown(differ))
    listed = layout.objects_of(destination, name)
    hashes = sample_hashes(source, destination, name, listed)
    manifest = destination.read_json(layout.path_of(name, layout.MANIFEST))
    at = time.time()
    verified = {"time": at, "tables": len(wanted), "rows": sum(wanted.values()), "sha256": hashes}
    destination.write_json(layout.path_of(name, layout.VERIFIED), verified)
    kept, removed = clean_up(destination, name, float(os.environ["RETENTION_SECONDS"]))
    seconds = round(at - run()["started"], 1)
    result = {
        "name": name,
        "time": at,
        "seconds": seconds,
        "objects": manifest["objects"],
        "bytes": manifest["bytes"],
        "dump_bytes": manifest["database"]["bytes"],
        "rows": manifest["rows"],
        "copied": manifest["copied"]["copied"],
        "copied_bytes": manifest["copied"]["copied_bytes"],
        "backups": kept,
    }
    state = layout.read_state(destination)
    destination.write_json(layout.STATE, {**state, "succeeded": result, "verified": {"name": name, "time": at}, "failed": None})
    say(f"Backup {name} is verified: {len(wanted)} tables with {verified['rows']} rows restored, {len(hashes)} objects by sha256")
    say(f"Done in {seconds} s; {kept} backups are kept" + (f"; removed: {', '.join(removed)}" if removed else ""))


def sample_hashes(source: Bucket, destination: Bucket, name: str, listed: list[Found]) -> dict[str, str]:
    """Of objects by chance, as large as can be read in a minute or so: what is at the destination is what the bucket has."""
    hashes: dict[str, str] = {}
    room = SAMPLE_BYTES
    for found in random.sample(listed, len(listed)):
        if len(hashes) >= SAMPLE:
            break
        if found.size > room or not found.etag:
            continue
        room -= found.size
        copy = destination.sha256(layout.OBJECTS + found.path)
        if unchanged(source, found) and source.sha256(found.path) != copy and unchanged(source, found):
            raise damaged(destination, name, f"{found.path} has other content than in the bucket")
        hashes[found.path] = copy
    return hashes


def unchanged(bucket: Bucket, found: Found) -> bool:
    return any(there == found for there in bucket.listing(found.path))


def tell_failure(names: tuple[str, ...], problem: Problem) -> None:
    """What the exporter tells of a run that failed. A destination that is away hears nothing, and the alerts go by time."""
    if not set(names) & set(STEPS):
        return
    try:
        destination = Bucket.of_destination()
        state = layout.read_state(destination)
        failed = {**(state.get("begun") or {}), "time": time.time(), "cause": problem.name}
        destination.write_json(layout.STATE, {**state, "failed": failed})
    except Exception as error:
        warn(f"the destination does not know of the failure: {type(error).__name__}")


def shown(texts: list[str]) -> str:
    return ", ".join(texts[:SHOWN]) + (f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else "")


def sha256_of(listed: list[Found]) -> str:
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def say_nothing_to_copy(nothing: bool) -> None:
    """To mc, which takes a place without objects for a mistake."""
    if nothing:
        write("nothing", True)


def run() -> dict[str, Any]:
    found: dict[str, Any] = read("run.json")
    return found


def database() -> dict[str, Any]:
    """What the container of the dump has counted and noted."""
    found: dict[str, Any] = read("database.json")
    return found


def read(name: str) -> Any:
    return json.loads((layout.handover() / name).read_text())


def write(name: str, value: object) -> None:
    (layout.handover() / name).write_text(json.dumps(value))


STEPS = {"begin": begin, "compare": compare, "seal": seal, "fetch": fetch, "finish": finish}
