"""The rows of MLflow's tables that say where artifacts are. Whose URIs change, and the changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .database import Database
from .relocate_places import DEFAULT_WORKSPACE, Place, Places

# rows that are read, and changed, at a time
PAGE = 2000
TRACE_TAG = "mlflow.artifactLocation"
ARCHIVE_TAG = "mlflow.trace.archiveLocation"
OUTSIDE = ""


@dataclass(frozen=True)
class Column:
    """A column that has the URI of a place."""

    kind: str
    table: str
    name: str
    # the primary key, or what is as good
    keys: tuple[str, ...]
    # the column that names the experiment of a row
    experiment: str = ""
    # of tags: which one it is
    tag: str = ""
    # of JSON: the way to the URI
    inside: tuple[str, ...] = ()
    is_json: bool = False


# All of them in the schemas of MLflow 3.10 to 3.18. What else has a URI in it is a user's text, or not a place of artifacts.
COLUMNS = (
    Column("experiment", "experiments", "artifact_location", ("experiment_id",), "experiment_id"),
    Column("run", "runs", "artifact_uri", ("run_uuid",), "experiment_id"),
    Column("model", "logged_models", "artifact_location", ("model_id",), "experiment_id"),
    Column("trace", "trace_tags", "value", ("request_id", "key"), "experiment_id", tag=TRACE_TAG),
    Column("archived trace", "trace_tags", "value", ("request_id", "key"), "experiment_id", tag=ARCHIVE_TAG),
    Column("dataset", "datasets", "dataset_source", ("dataset_uuid",), "experiment_id", inside=("uri",)),
    Column(
        "evaluation row",
        "evaluation_dataset_records",
        "source",
        ("dataset_record_id",),
        inside=("source_data", "doc_uri"),
        is_json=True,
    ),
    Column("workspace", "workspaces", "default_artifact_root", ("name",)),
    Column("workspace's archive", "workspaces", "trace_archival_location", ("name",)),
)
REGISTRY = (
    Column("version", "model_versions", "source", ("workspace", "name", "version")),
    Column("version's storage", "model_versions", "storage_location", ("workspace", "name", "version")),
)
# the server goes there by itself, so what is below its destination is right as it is
READ_BY_SERVER = ("archived trace", "workspace's archive")


@dataclass
class Experiment:
    identity: str
    name: str
    workspace: str
    state: str
    location: str


@dataclass
class Row:
    """A row that changes, or would have to."""

    column: Column
    keys: dict[str, Any]
    experiment: str
    workspace: str
    old: str
    place: Place
    # what stands in the column as it is, and as JSON where it is
    cell: Any
    document: Any = None

    @property
    def changed(self) -> Any:
        """What shall stand in the column."""
        if not self.column.inside:
            return self.place.uri
        document = copy.deepcopy(self.document)
        inner = document
        for step in self.column.inside[:-1]:
            inner = inner[step]
        inner[self.column.inside[-1]] = self.place.uri
        return document if self.column.is_json else json.dumps(document)


@dataclass(frozen=True)
class Change:
    """One value that is, or was, put in the place of another."""

    column: Column
    keys: dict[str, Any]
    old: Any
    new: Any


@dataclass
class Tables:
    """One database of MLflow's, by a connection that is in a transaction."""

    connection: Any
    places: Places
    wanted: set[str] | None = None
    locking: bool = False
    # where the experiments are, where this is another database
    tracking: Tables | None = None
    experiments: dict[str, Experiment] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import sqlalchemy

        self.sa = sqlalchemy
        self.inspector = sqlalchemy.inspect(self.connection)
        self.names = set(self.inspector.get_table_names())
        self.columns: dict[str, dict[str, Any]] = {}

    def described(self, table: str) -> dict[str, Any]:
        if table not in self.columns:
            self.columns[table] = {each["name"]: each["type"] for each in self.inspector.get_columns(table)}
        return self.columns[table]

    def has(self, column: Column) -> bool:
        return column.table in self.names and column.name in self.described(column.table)

    def table(self, name: str) -> Any:
        """All columns as they are, JSON as JSON."""
        types = self.described(name)
        return self.sa.table(name, *(self.sa.column(each, kind) for each, kind in types.items()))

    def read_experiments(self) -> None:
        table = self.table("experiments")
        workspace = table.c.workspace if "workspace" in table.c else self.sa.literal(DEFAULT_WORKSPACE)
        query = self.sa.select(table.c.experiment_id, table.c.name, workspace, table.c.lifecycle_stage, table.c.artifact_location)
        for identity, *facts in self.connection.execute(query):
            self.experiments[str(identity)] = Experiment(str(identity), *(str(fact or "") for fact in facts))

    def read_owners(self, identities: set[str]) -> None:
        """Which experiment runs and logged models belong to, for the versions that come from them."""
        wanted = sorted(identities - set(self.owners))
        for name, key in (("runs", "run_uuid"), ("logged_models", "model_id")):
            table = self.table(name)
            for start in range(0, len(wanted), PAGE):
                some = table.c[key].in_(wanted[start : start + PAGE])
                for identity, experiment in self.connection.execute(
                    self.sa.select(table.c[key], table.c.experiment_id).where(some)
                ):
                    self.owners[identity] = str(experiment)

    def pages(self, column: Column) -> Iterator[list[dict[str, Any]]]:
        """Rows whose place is not proxied yet, with the name of their experiment, some at a time."""
        sa, table = self.sa, self.table(column.table)
        keys = [key for key in column.keys if key in table.c]
        cell = table.c[column.name]
        text = sa.cast(cell, sa.Text) if column.is_json else cell
        first = table.c[keys[0]]
        query = sa.select(*(table.c[key] for key in keys), cell.label("cell"))
        if column.table == "trace_tags":
            traces = self.table("trace_info")
            query = query.add_columns(traces.c.experiment_id.label("experiment")).join_from(
                table, traces, traces.c.request_id == table.c.request_id
            )
            query = query.where(table.c.key == column.tag)
        elif column.experiment:
            query = query.add_columns(table.c[column.experiment].label("experiment"))
        elif column.table == "model_versions":
            query = query.add_columns(table.c.run_id, table.c.storage_location.label("stored"))
        query = query.where(cell.is_not(None))
        if column.inside:
            query = query.where(text.contains(f'"{column.inside[-1]}"', autoescape=True))
        else:
            query = query.where(sa.or_(text.not_like("mlflow-artifacts:/%"), text.like("mlflow-artifacts://%")))
        if self.locking:
            # what another transaction changes meanwhile is read after that, and not overwritten
            query = query.with_for_update(of=table)
        if column.table == "model_versions":
            versions = [dict(row) for row in self.connection.execute(query).mappings()]
            (self.tracking or self).read_owners({part for row in versions for part in origins(row)})
            yield versions
            return
        last: Any = None
        while True:
            page = query.order_by(first).limit(PAGE)
            rows = self.connection.execute(page if last is None else page.where(first > last)).mappings().all()
            if rows:
                yield [dict(row) for row in rows]
            if len(rows) < PAGE:
                return
            last = rows[-1][first.name]

    def rows(self, column: Column) -> Iterator[list[Row]]:
        """Those that change, and those that stay for a reason."""
        limit = getattr(self.described(column.table)[column.name], "length", None)
        for page in self.pages(column):
            found = [self.row(column, values, limit) for values in page]
            yield [row for row in found if row and (self.wanted is None or row.experiment in self.wanted)]

    def row(self, column: Column, values: dict[str, Any], limit: int | None) -> Row | None:
        keys = {key: values[key] for key in column.keys if key in values}
        raw, document = values["cell"], None
        cell = raw
        if column.inside:
            try:
                document = cell if column.is_json else json.loads(cell)
                cell = document
                for step in column.inside:
                    cell = cell[step]
            except (ValueError, LookupError, TypeError):
                return None
        if not isinstance(cell, str):
            return None
        experiment = self.experiment_of(column, values)
        known = (self.tracking or self).experiments.get(experiment)
        workspace = str(values.get("workspace") or (known.workspace if known else DEFAULT_WORKSPACE))
        if column.table == "workspaces":
            workspace = str(values["name"])
        if column.kind in READ_BY_SERVER:
            new = self.places.archived(cell)
            place = Place(new) if new and new != cell else None
        else:
            place = self.places.place(cell, workspace, limit)
        if place is None or (column.inside and place.why and self.places.below(cell) is None):
            # where a data set is from is the user's own affair, unless it is here
            return None
        return Row(column, keys, experiment, workspace, cell, place, raw, document)

    def experiment_of(self, column: Column, values: dict[str, Any]) -> str:
        if column.table != "model_versions":
            return str(values["experiment"]) if column.experiment else OUTSIDE
        owners = (self.tracking or self).owners
        return next((owners[part] for part in origins(values) if part in owners), OUTSIDE)

    def change(self, changes: list[Change]) -> list[Change]:
        """Puts the new value where the old one stands, and nothing else. Gives what was changed; all are of one column."""
        return [
            each for part in parts(changes) for each in self.change_some(part[0].column, self.unchanged(part[0].column, part))
        ]

    def unchanged_of(self, changes: list[Change]) -> list[Change]:
        """Those that change() would change."""
        return [each for part in parts(changes) for each in self.unchanged(part[0].column, part)]

    def unchanged(self, column: Column, changes: list[Change]) -> list[Change]:
        """Those whose old value stands still. What is read is locked till the end of the transaction."""
        found = []
        table = self.table(column.table)
        by_key = {tuple(str(value) for value in change.keys.values()): change for change in changes}
        names = list(changes[0].keys)
        first = [change.keys[names[0]] for change in changes]
        query = self.sa.select(*(table.c[name] for name in names), table.c[column.name]).where(table.c[names[0]].in_(first))
        for *values, cell in self.connection.execute(query.with_for_update()):
            change = by_key.get(tuple(str(value) for value in values))
            if change and cell == change.old:
                found.append(change)
        return found

    def change_some(self, column: Column, changes: list[Change]) -> list[Change]:
        if changes:
            table = self.table(column.table)
            names = list(changes[0].keys)
            # parameters have names of their own: SQLAlchemy keeps those of the columns
            place = [table.c[name] == self.sa.bindparam(f"key_{name}", type_=table.c[name].type) for name in names]
            new = self.sa.bindparam("new_value", type_=table.c[column.name].type)
            values = [{**{f"key_{name}": each.keys[name] for name in names}, "new_value": each.new} for each in changes]
            self.connection.execute(self.sa.update(table).where(*place).values({column.name: new}), values)
        return changes


def parts(changes: list[Change]) -> list[list[Change]]:
    return [changes[start : start + PAGE] for start in range(0, len(changes), PAGE)]


def origins(version: dict[str, Any]) -> list[str]:
    """What a version may come from: its run, and the ids in its place."""
    return [part for part in (version["run_id"], *reversed(str(version["stored"] or "").split("/"))) if part]


def tables_of(database: Database, registry: Database) -> list[tuple[Database, tuple[Column, ...]]]:
    """Each database with the columns that are read in it. A registry of its own has the tables of both, and uses its own."""
    if registry is database:
        return [(database, COLUMNS + REGISTRY)]
    return [(database, COLUMNS), (registry, REGISTRY)]
