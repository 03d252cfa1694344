import json
import unittest

from preflight.relocate_places import Place, Places
from preflight.relocate_rows import (
    COLUMNS,
    OUTSIDE,
    PAGE,
    READ_BY_SERVER,
    REGISTRY,
    Change,
    Experiment,
    Row,
    Tables,
    origins,
    parts,
)

ALL = {column.kind: column for column in COLUMNS + REGISTRY}
RUN = "a" * 32


def tables(workspaces=False, wanted=None):
    """Without a database: what a row means is decided without one."""
    found = Tables.__new__(Tables)
    found.places, found.wanted, found.tracking = Places("s3://bucket", [], workspaces), wanted, None
    found.experiments = {"1": Experiment("1", "old", "team", "active", "s3://bucket/1")}
    found.owners = {RUN: "1"}
    return found


class Rows(unittest.TestCase):
    def row(self, kind, workspaces=False, **values):
        return tables(workspaces).row(ALL[kind], values, None)

    def test_a_run_has_the_workspace_of_its_experiment(self):
        row = self.row("run", run_uuid=RUN, experiment=1, cell=f"s3://bucket/1/{RUN}/artifacts")
        self.assertEqual((row.experiment, row.workspace, row.changed), ("1", "team", f"mlflow-artifacts:/1/{RUN}/artifacts"))
        self.assertIn("workspace team", self.row("run", True, run_uuid=RUN, experiment=1, cell="s3://bucket/1").place.why)

    def test_experiment_0_is_one(self):
        self.assertEqual(self.row("experiment", experiment_id=0, experiment=0, cell="s3://bucket/0").experiment, "0")

    def test_a_version_belongs_to_the_experiment_of_its_run_or_model(self):
        version = {"name": "m", "version": 1, "workspace": "default", "cell": "s3://bucket/1"}
        self.assertEqual(self.row("version", run_id=RUN, stored=None, **version).experiment, "1")
        self.assertEqual(
            self.row("version", run_id=None, stored=f"s3://bucket/1/{RUN}/artifacts/model", **version).experiment, "1"
        )
        self.assertEqual(self.row("version", run_id=None, stored=None, **version).experiment, OUTSIDE)
        self.assertEqual(origins({"run_id": "r", "stored": "s3://b/m"}), ["r", "m", "b", "s3:"])

    def test_json_is_changed_at_one_place(self):
        source = json.dumps({"uri": "s3://bucket/1/data.csv", "other": "s3://bucket/1"})
        row = self.row("dataset", dataset_uuid="d", experiment=1, cell=source)
        self.assertEqual(json.loads(row.changed), {"uri": "mlflow-artifacts:/1/data.csv", "other": "s3://bucket/1"})
        self.assertEqual(row.cell, source)
        document = {"source_type": "DOCUMENT", "source_data": {"doc_uri": "s3://bucket/a", "content": "b"}}
        row = self.row("evaluation row", dataset_record_id="r", cell=document)
        self.assertEqual(
            row.changed, {"source_type": "DOCUMENT", "source_data": {"doc_uri": "mlflow-artifacts:/a", "content": "b"}}
        )
        self.assertEqual(document["source_data"]["doc_uri"], "s3://bucket/a")

    def test_where_a_data_set_is_from_elsewhere_is_the_users_affair(self):
        for source in ('{"uri": "s3://else/data.csv"}', '{"uri": 1}', "no JSON", "[]", '{"tags": {}}'):
            self.assertIsNone(self.row("dataset", dataset_uuid="d", experiment=1, cell=source))
        self.assertIn("not below", self.row("run", run_uuid=RUN, experiment=1, cell="s3://else/1").place.why)

    def test_what_the_server_reads_by_itself_stays_at_its_own_destination(self):
        self.assertIsNone(self.row("archived trace", request_id="t", key="k", experiment=1, cell="s3://bucket/archive"))
        moved = tables()
        moved.places = Places("s3://bucket", ["s3://old"], False)
        row = moved.row(ALL["archived trace"], {"request_id": "t", "key": "k", "experiment": 1, "cell": "s3://old/archive"}, None)
        self.assertEqual(row.changed, "s3://bucket/archive")
        self.assertLessEqual(set(READ_BY_SERVER), set(ALL))

    def test_a_workspace_has_its_own_folder(self):
        row = self.row("workspace", True, name="team", cell="s3://bucket/workspaces/team")
        self.assertEqual(row.changed, "mlflow-artifacts:/workspaces/team")
        self.assertNotEqual(self.row("workspace", True, name="team", cell="s3://bucket/else").place.why, "")

    def test_each_kind_is_one_column(self):
        self.assertEqual(len(ALL), len(COLUMNS + REGISTRY))

    def test_parts(self):
        changes = [Change(ALL["run"], {"run_uuid": str(number)}, "a", "b") for number in range(PAGE + 1)]
        self.assertEqual([len(part) for part in parts(changes)], [PAGE, 1])
        self.assertEqual(parts([]), [])

    def test_a_row_keeps_what_is_its_own(self):
        row = Row(ALL["run"], {}, "1", "default", "s3://a", Place("s3://a", why="no"), "s3://a")
        self.assertEqual(row.changed, "s3://a")


if __name__ == "__main__":
    unittest.main()
