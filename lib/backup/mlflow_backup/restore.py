"""The steps of a restore that are no work of pg_restore and mc."""

from __future__ import annotations

import os
import time
from typing import Any

from preflight.database import Database
from preflight.problem import Problem, say, warn
from preflight.schema import LOGIN_TABLES, MLFLOW_TABLES, Tables, named, package_revisions
from preflight.stores import database_at
from preflight.wait import until_well

from . import layout
from .backup import await_stores, fetch_dump, run, say_nothing_to_copy, shown, write
from .bucket import ASIDE, Bucket, Found
from .marks import differences
from .mc import write_settings

# the rows of each table of a schema, without a statement for each of them
COUNTS = """
SELECT relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', nspname, relname),
false, true, '')))[1]::text::bigint FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname = '{schema}'
"""


def look() -> None:
    """Whether it may be done; till the end of this nothing is changed."""
    wait = await_stores()
    artifacts, destination = Bucket.of_artifacts(), Bucket.of_destination()
    name, manifest = chosen(destination, os.environ.get("BACKUP", "").strip())
    judge_revision(name, manifest)
    database = backend()
    tables = until_well(wait, database.name, lambda: rows_of(database, manifest["database"]["schema"]))
    overwrite = os.environ.get("OVERWRITE") == "true"
    if not layout.is_untouched(tables) and not overwrite:
        full = sorted(((rows, table) for table, rows in tables.items()), reverse=True)
        form = ", ".join(f"{rows} {table}" for rows, table in full[:5])
        raise Problem(
            "restore-taken", "counting the rows of the database", database.server, form=f"the database has data: {form}"
        )
    # a restore that was interrupted has left none of these
    wanted = Wanted(artifacts, destination, name)
    foreign = [found.path for found in artifacts.listing() if not wanted.is_there(found)]
    if foreign and not overwrite:
        form = f"the bucket has {len(foreign)} objects that are not those of the backup: {shown(foreign)}"
        raise Problem("restore-taken", "listing the bucket", artifacts.uri, form=form)
    for line in differences(manifest.get("secrets", {})):
        warn(line)
    write("run.json", {"name": name, "started": time.time(), "rows": manifest["rows"]})
    say(f"Restoring backup {name}: {manifest['rows']} rows, {manifest['objects']} objects of {manifest['bytes']} bytes")
    fetch_dump(destination, name, layout.DUMP)
    write("plan.json", {})
    write("first_rows.json", layout.FIRST_ROWS)
    write("notes.json", list(layout.NOTES))
    (layout.handover() / "schema").write_text(manifest["database"]["schema"])
    later = [kept for kept in reversed(layout.kept_names(destination)) if kept > name]
    (layout.handover() / "kept").write_text("".join(f"{kept}\n" for kept in later))
    say_nothing_to_copy(next(iter(destination.listing(layout.OBJECTS)), None) is None)
    write_settings(artifacts, destination)
    move_aside(artifacts, foreign)


def chosen(destination: Bucket, name: str) -> tuple[str, dict[str, Any]]:
    """The backup of this name, or the newest."""
    names = layout.names_of(destination)
    found = (name, destination.read_json(layout.path_of(name, layout.MANIFEST))) if name else layout.newest(destination)
    if found is None or found[1] is None:
        known = ", ".join(layout.whole(destination, names)) or "none is there"
        raise Problem("restore-none", "listing the backups", destination.uri, backup=name, form=destination.uri, known=known)
    if destination.read_json(layout.path_of(found[0], layout.VERIFIED)) is None:
        warn(f"nobody has tried to restore the backup {found[0]} yet: its verification failed, or did not end")
    return found[0], found[1]


def judge_revision(name: str, manifest: dict[str, Any]) -> None:
    """The tables are those of this very version of MLflow, or its server would not start with them again."""
    kinds: tuple[tuple[Tables, str], ...] = ((MLFLOW_TABLES, "revision"), (LOGIN_TABLES, "login_revision"))
    for tables, key in kinds:
        own, backed_up = package_revisions(tables.folder)[1], manifest["database"][key]
        if own and backed_up and own != backed_up:
            form = f"it is at {named(tables, backed_up)}, and this image wants {named(tables, own)}"
            raise Problem("restore-revision", "reading the manifest", "", form=form, backup=name, version=manifest["mlflow"])


def backend() -> Database:
    return database_at(os.environ["DATABASE_URI"])


def rows_of(database: Database, schema: str) -> dict[str, int]:
    with database.session() as session:
        return {str(table): int(rows) for table, rows in session.rows(COUNTS.format(schema=schema.replace("'", "''")))}


class Wanted:
    """The objects of a backup."""

    def __init__(self, artifacts: Bucket, destination: Bucket, name: str) -> None:
        self.artifacts, self.destination = artifacts, destination
        self.objects = {found.path: found for found in layout.objects_of(destination, name)}
        self.moved = layout.moved_behind(destination, name)

    def is_there(self, found: Found) -> bool:
        """Whether an object of the bucket is that of the backup. Other ETags do not say that it is not: they go by the parts in
        which it came, and by its encryption."""
        known = self.objects.get(found.path)
        if known is None or known.size != found.size:
            return False
        copy = self.moved.get(found.path, layout.OBJECTS + found.path)
        return known.etag == found.etag or self.artifacts.sha256(found.path) == self.destination.sha256(copy)


def move_aside(artifacts: Bucket, paths: list[str]) -> None:
    if not paths:
        return
    prefix = f"{ASIDE}{layout.now().strftime(layout.FORM)}/"
    moved = artifacts.move((path, prefix + path) for path in paths)
    warn(f"what was in the bucket and is not of the backup is kept: {moved} objects, below {artifacts.uri}/{prefix}")


def check() -> None:
    """All objects are there before the database knows of them, and no others."""
    artifacts, destination = Bucket.of_artifacts(), Bucket.of_destination()
    name = run()["name"]
    wanted = Wanted(artifacts, destination, name)
    there = {found.path: found for found in artifacts.listing()}
    wrong = [path for path in wanted.objects if path not in there or not wanted.is_there(there[path])]
    if wrong:
        raise Problem("restore-objects", "listing the bucket", artifacts.uri, form=shown(wrong), count=len(wrong))
    # deleted or made after the backup, and copied along with the rest; the destination has them still
    more = artifacts.delete([path for path in there if path not in wanted.objects])
    verified = destination.read_json(layout.path_of(name, layout.VERIFIED)) or {}
    hashes = {path: digest for path, digest in verified.get("sha256", {}).items() if path in wanted.objects}
    wrong = [path for path, digest in hashes.items() if artifacts.sha256(path) != digest]
    if wrong:
        raise Problem("restore-objects", "reading the bucket", artifacts.uri, form=shown(wrong), count=len(wrong))
    size = sum(found.size for found in wanted.objects.values())
    say(
        f"All {len(wanted.objects)} objects of {size} bytes are in the bucket, {len(hashes)} of them compared by sha256"
        + (f"; {more} others are gone again" if more else "")
    )


def restored() -> None:
    """The rows are those of the backup; the login is that of this stack."""
    destination = Bucket.of_destination()
    name = run()["name"]
    tables = destination.read_json(layout.path_of(name, layout.DATABASE))
    wanted, found = tables["tables"], rows_of(backend(), tables["schema"])
    # a server that runs writes into these
    differ = [
        f"{table}: {found.get(table)} rows of {rows}"
        for table, rows in wanted.items()
        if found.get(table, -1) < rows and table not in layout.NOTES
    ]
    if differ:
        raise Problem("restore-rows", "counting the rows of the database", "", form=shown(differ))
    give_password(found)
    seconds = time.time() - run()["started"]
    say(f"Restored backup {name} in {seconds:.0f} s: {run()['rows']} rows. Servers that run serve it from now on")
    for line in differences((destination.read_json(layout.path_of(name, layout.MANIFEST)) or {}).get("secrets", {})):
        warn(line)


def give_password(tables: dict[str, int]) -> None:
    """The administrator of the backup gets the password of this stack, which made up another one."""
    name, password = (os.environ.get(f"MLFLOW_AUTH_ADMIN_{what}", "").strip() for what in ("USERNAME", "PASSWORD"))
    if not name or not password or not tables.get("users"):
        return
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(os.environ["DATABASE_URI"])
    if store.has_user(name):
        store.update_user(name, password=password, is_admin=True)
    else:
        store.create_user(name, password, is_admin=True)
    say(f"The password of the administrator {name} is that of this stack")


STEPS = {"look": look, "check": check, "restored": restored}
