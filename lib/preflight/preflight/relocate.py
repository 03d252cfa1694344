"""Moves old experiments to this server: their artifacts stay where they are, and clients find them through the server."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from .database import Database
from .doctor import server_arguments
from .environment import clean, destination_of, flag, put_credentials_in_place
from .mlflow_doctor import TrackingServer
from .orphans import readable
from .problem import Problem, fail, say
from .relocate_check import Check, Moved
from .relocate_files import Copy, File, OtherStore, destination_bucket
from .relocate_places import Places
from .relocate_rows import Change, Row, Tables, tables_of
from .relocate_table import Plan
from .relocate_undo import Undo, keep, read, repository
from .s3 import S3Store
from .server import an_experiment, has_workspaces, lets_in, server_at, server_in_this_pod
from .stores import artifact_store, backend_store, registry_of
from .wait import Wait, undisturbed, until_well

USAGE = """start-mlflow.py relocate [--experiment ID]... [--from URI]... [--copy-from URI] [--apply] [--verify N|all]
       start-mlflow.py relocate --undo FILE [--apply]

Experiments from before have their artifacts at s3://..., where each client goes by itself. This gives them, their runs, logged
models, model versions, traces and data sets the place of the same files below this server: mlflow-artifacts:/... It changes
nothing without --apply, and prints what would change."""
# what a request that was under way has written with the old place is there by then
SETTLE_SECONDS = 2.0
PASSES = 3


class Relocation:
    def __init__(self, options: argparse.Namespace, arguments: list[str], server: TrackingServer, database: Database) -> None:
        self.options, self.server = options, server
        self.destination = destination_of(arguments).rstrip("/")
        self.store = artifact_store(arguments)
        self.databases = tables_of(database, registry_of(arguments, database))
        others = [*options.other, *([options.copy_from] if options.copy_from else [])]
        self.places = Places(self.destination, others, has_workspaces(server))
        self.bucket = destination_bucket(self.store) if isinstance(self.store, S3Store) else None
        if options.copy_from and not (self.bucket and options.copy_from.startswith("s3:")):
            form = f"copies are made from s3: to s3: only, and not from {options.copy_from} to {self.destination}"
            raise Problem("relocate-unsupported", "reading --copy-from", form=form)
        self.copy = Copy(options.copy_from, self.bucket) if options.copy_from and self.bucket else None

    @contextlib.contextmanager
    def tables(self, locking: bool) -> Iterator[list[Tables]]:
        """All databases, each in one transaction. An error takes all of it back."""
        import sqlalchemy

        wanted = set(self.options.experiment) or None
        with contextlib.ExitStack() as stack:
            found: list[Tables] = []
            for database, _ in self.databases:
                try:
                    engine = database.engine(database.uri)
                    connection = stack.enter_context(engine.begin())
                except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.OperationalError) as error:
                    raise Problem(
                        "relocate-tables", "opening it", database.server, form=type(error).__name__, **database.values
                    ) from None
                found.append(Tables(connection, self.places, wanted, locking, found[0] if found else None))
            found[0].read_experiments()
            yield found

    def rows(self, tables: list[Tables]) -> Iterator[tuple[int, list[Row]]]:
        for number, (_, columns) in enumerate(self.databases):
            for column in columns:
                if tables[number].has(column):
                    for page in tables[number].rows(column):
                        yield number, page

    def plan(self) -> Plan:
        with self.tables(locking=False) as tables:
            plan = Plan(tables[0].experiments)
            for _, page in self.rows(tables):
                plan.add(page)
        return plan

    def change(self, undo_store: Any) -> tuple[str, list[Moved]]:
        """One transaction: the name of its undo file, which is in the store before any of it holds, and what was moved."""
        changes: list[list[Change]] = [[] for _ in self.databases]
        moved: list[Moved] = []
        with undisturbed("the relocation"), self.tables(locking=True) as tables:
            for number, page in self.rows(tables):
                rows = [row for row in page if not row.place.why]
                changes[number] += tables[number].change([Change(row.column, row.keys, row.cell, row.changed) for row in rows])
                moved += [Moved(row.column.kind, row.keys, row.workspace, row.place.uri, row.place.path) for row in rows]
            name = keep(Undo(self.destination, changes), undo_store, self.options.keep) if moved else ""
        return name, moved

    def apply(self) -> None:
        moved: list[Moved] = []
        undo_store = repository(self.destination)
        for number in range(PASSES):
            if number:
                time.sleep(SETTLE_SECONDS)
            started = time.monotonic()
            name, some = self.change(undo_store)
            if not some:
                break
            moved += some
            say(f"{len(some)} places have been moved in one transaction of {time.monotonic() - started:.1f} s")
            say(f"Undo file: {name}. It is in the artifact store, and this takes all of it back: relocate --undo {name} --apply")
        if self.copy:
            # what was logged to the old place while the copies were made
            self.copy.copy(self.copy.missing())
        files = self.bucket or OtherStore(self.destination)
        Check(self.server, files, self.options.verify).run(moved)

    def missing(self) -> list[File]:
        return self.copy.missing() if self.copy else []

    def run(self) -> int:
        plan = self.plan()
        missing = self.missing()
        if self.bucket:
            plan.count([*self.bucket.files(), *missing])
        if self.options.json:
            say(json.dumps(plan.record(), indent=2))
        else:
            for line in plan.lines():
                say(line)
        if missing:
            size = readable(sum(file.size for file in missing))
            say(f"{len(missing)} files of {size} below {self.options.copy_from} are copied first")
        if not plan.changes and not missing:
            say("Nothing has to change")
            return 0
        if not self.options.apply:
            say("Nothing was changed: --apply changes it")
            return 0
        if self.options.other and self.bucket and not plan.files:
            roots, values = ", ".join(self.options.other), {"destination": self.destination}
            raise Problem("relocate-absent", f"listing {self.destination}", roots=roots, **values)
        if self.copy:
            self.copy.copy(missing)
        self.apply()
        return 0

    def undo(self) -> int:
        """Puts the old values back, but where another one stands by now."""
        undo = read(self.options.undo, self.destination)
        with undisturbed("the undo"), self.tables(locking=True) as tables:
            wanted = undone = 0
            for one, changes in zip(tables, undo.changes):
                back = [Change(each.column, each.keys, each.new, each.old) for each in changes]
                wanted += len(back)
                kinds = dict.fromkeys(each.column for each in back)
                for column in kinds:
                    mine = [each for each in back if each.column == column]
                    undone += len(one.change(mine) if self.options.apply else one.unchanged_of(mine))
        say(f"{undone} of {wanted} places {'have' if self.options.apply else 'would have'} their old URI again")
        if undone < wanted:
            say(f"{wanted - undone} have been changed or deleted since, and stay as they are")
        if not self.options.apply:
            say("Nothing was changed: --apply changes it")
        return 0


def count_or_all(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is neither a number of places nor the word all")
    return int(text)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="start-mlflow.py relocate", usage=USAGE, allow_abbrev=False)
    parser.add_argument("--experiment", action="append", default=[], metavar="ID", help="only this one, and again for more")
    parser.add_argument(
        "--from",
        action="append",
        default=[],
        dest="other",
        metavar="URI",
        help="what is below it is below this server's destination by now, at the same paths",
    )
    parser.add_argument(
        "--copy-from", metavar="URI", help="an s3:// root of another bucket or endpoint, whose files are copied first"
    )
    parser.add_argument("--apply", action="store_true", help="change it")
    parser.add_argument("--undo", metavar="FILE", help="put the old URIs back: the name or path of an undo file")
    parser.add_argument("--keep", default="", metavar="DIR", help="put the undo file into this folder, too")
    parser.add_argument(
        "--verify", type=count_or_all, default=20, metavar="N|all", help="how many places are read through the server afterwards"
    )
    parser.add_argument("--json", action="store_true", help="the table for machines")
    return parser


def relocate(arguments: list[str]) -> int:
    options, rest = parser().parse_known_args(arguments)
    clean(os.environ)
    # of the server, where this runs in its pod
    inside = server_arguments([])
    given = [*rest, *inside]
    uri = flag(given, "--tracking-uri", "" if inside else os.environ.get("MLFLOW_TRACKING_URI", ""))
    try:
        put_credentials_in_place(os.environ, destination_of(given))
        if not destination_of(given):
            raise Problem("relocate-direct", "reading --artifacts-destination", form="it has no --artifacts-destination")
        server = server_at(uri) if uri else server_in_this_pod(given)
        database = backend_store(given)
        wait = Wait.of_the_environment()
        until_well(wait, server.name, lambda: lets_in(server))
        if database.checkable:
            until_well(wait, database.name, database.check)
            database.check_same(lambda: an_experiment(server))
        relocation = Relocation(options, given, server, database)
        try:
            return relocation.undo() if options.undo else relocation.run()
        except Exception as error:
            known = problem_of(error, relocation)
            if known is None:
                raise
            raise known from None
    except Problem as problem:
        fail(problem.cause.code, problem.lines())


def problem_of(error: Exception, relocation: Relocation) -> Problem | None:
    """The cause behind an error of the store or the database."""
    if isinstance(error, Problem):
        return None
    with contextlib.suppress(ImportError):
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, (BotoCoreError, ClientError)) and isinstance(relocation.store, S3Store):
            return relocation.store.problem(error, "listing or copying files")
    with contextlib.suppress(ImportError):
        import sqlalchemy

        if isinstance(error, sqlalchemy.exc.DBAPIError):
            answer = str(error.orig).strip()
            return relocation.databases[0][0].problem("database-error", "reading or changing the places", answer)
    return None
