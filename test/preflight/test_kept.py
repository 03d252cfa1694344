import contextlib
import io
import sys
import types
import unittest
from unittest import mock

from preflight.kept import Kept
from preflight.problem import Problem

InvalidUrl = type("InvalidUrlException", (Exception,), {})
EXCEPTIONS = types.SimpleNamespace(InvalidUrlException=InvalidUrl)


class Store:
    """The rows, by id, each with its experiment."""

    def __init__(self):
        self.rows = {"a": 1, "b": 2, "m": 3, 1: None, 2: None, 3: None}

    def get_run(self, name):
        return types.SimpleNamespace(info=types.SimpleNamespace(experiment_id=self.rows[name]))

    def get_logged_model(self, name, allow_deleted=False):
        return types.SimpleNamespace(experiment_id=self.rows[name])

    def _hard_delete_run(self, name):
        del self.rows[name]

    _hard_delete_logged_model = _hard_delete_experiment = _hard_delete_run


class Clean(unittest.TestCase):
    def gc(self, well=lambda: None, **errors):
        """What is left of the rows, what MLflow said, and what was kept; with errors of places whose files cannot be deleted."""
        said = []

        def repository(place, *_):
            return mock.Mock(delete_artifacts=mock.Mock(side_effect=errors.get(place.partition(":")[0].replace("-", "_"))))

        store = Store()
        click = types.SimpleNamespace(echo=lambda text, **_: said.append(text), style=lambda text, **_: text)
        cli = types.SimpleNamespace(get_artifact_repository=repository, _get_store=lambda *_: store, click=click)
        with contextlib.redirect_stdout(io.StringIO()) as output, mock.patch.dict(sys.modules, {"mlflow.exceptions": EXCEPTIONS}):
            kept = Kept(cli, well)
            # as MLflow does it
            backend = cli._get_store("uri", None)
            for what, delete, name, place in (
                ("Run", backend._hard_delete_run, "a", "mlflow-artifacts:/1/a"),
                ("Run", backend._hard_delete_run, "b", "s3://old/2/b"),
                ("Logged model", backend._hard_delete_logged_model, "m", "gs://old/3/m"),
            ):
                cli.get_artifact_repository(place).delete_artifacts()
                delete(name)
                cli.click.echo(f"{what} with ID {name} has been permanently deleted.")
            for number in (1, 2, 3):
                backend._hard_delete_experiment(number)
                cli.click.echo(f"Experiment with ID {number} has been permanently deleted.")
        self.assertEqual(cli.click.style("x", fg="red"), "x")
        self.output = output.getvalue()
        return store.rows, said, kept

    def test_removes_all_where_all_can_be_deleted(self):
        rows, said, kept = self.gc()
        self.assertEqual((rows, kept.kept, len(said)), ({}, {}, 6))

    def test_keeps_what_cannot_be_deleted_and_its_experiment_and_goes_on(self):
        rows, said, kept = self.gc(s3=ValueError("Unable to locate\ncredentials"), gs=KeyError("x"))
        self.assertEqual(set(rows), {"b", 2, "m", 3})
        self.assertEqual([text.split(" has")[0] for text in said], ["Run with ID a", "Experiment with ID 1"])
        text = "\n".join(kept.problem().lines())
        self.assertIn("4 of what was deleted is kept", text)
        self.assertIn("Run b (s3://old/2/b: ValueError: Unable to locate credentials)", text)
        self.assertIn("Experiment 2 (something in it is kept)", text)
        self.assertEqual(self.output.count("Kept: "), 4)

    def test_leaves_to_mlflow_what_mlflow_goes_on_with(self):
        self.assertRaises(InvalidUrl, self.gc, s3=InvalidUrl())

    def test_ends_where_the_server_has_gone(self):
        well = mock.Mock(side_effect=Problem("server-absent", "GET /health"))
        self.assertRaises(Problem, self.gc, well, mlflow_artifacts=OSError("no answer"))
        well = mock.Mock()
        rows, *_ = self.gc(well, mlflow_artifacts=OSError("500"), s3=OSError())
        self.assertEqual(set(rows), {"a", "b", 1, 2})
        well.assert_called_once_with()

    def test_names_twenty_and_counts_the_others(self):
        *_, kept = self.gc()
        kept.kept = {str(number): f"Run {number}" for number in range(30)}
        self.assertIn("Run 19 and 10 more", kept.problem().answer)


if __name__ == "__main__":
    unittest.main()
