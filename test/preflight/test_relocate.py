import argparse
import contextlib
import io
import os
import unittest
from unittest import mock

from preflight import relocate as module
from preflight.problem import Problem
from preflight.relocate import Relocation, count_or_all, parser, relocate

HERE = ["--artifacts-destination=s3://bucket", "--backend-store-uri=sqlite:////data/mlflow.db"]


def relocation(*arguments):
    with (
        mock.patch.object(module, "has_workspaces", return_value=False),
        mock.patch.object(module, "destination_bucket"),
        mock.patch.object(module, "Copy"),
    ):
        return Relocation(parser().parse_args(arguments), HERE, mock.Mock(), mock.Mock())


class Command(unittest.TestCase):
    def ends(self, *arguments, **variables):
        with (
            mock.patch.dict(os.environ, variables, clear=True),
            mock.patch.object(module, "server_arguments", lambda _: []),
            contextlib.redirect_stderr(io.StringIO()) as error,
            self.assertRaises(SystemExit) as end,
        ):
            relocate(list(arguments))
        return end.exception.code, error.getvalue()

    def test_changes_nothing_unless_it_is_told(self):
        options = parser().parse_args([])
        self.assertEqual((options.apply, options.undo, options.copy_from, options.other), (False, None, None, []))
        self.assertEqual(options.verify, 20)

    def test_verify_is_a_number_or_all(self):
        self.assertEqual((count_or_all("all"), count_or_all("7")), (None, 7))
        with self.assertRaises(argparse.ArgumentTypeError):
            count_or_all("some")

    def test_a_server_without_proxied_artifacts_is_refused(self):
        code, text = self.ends("--backend-store-uri=sqlite:///x", AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s")
        self.assertEqual(code, 2)
        self.assertIn("it has no --artifacts-destination", text)

    def test_copies_are_made_from_s3_to_s3_only(self):
        with self.assertRaises(Problem) as caught:
            relocation("--copy-from=gs://old")
        self.assertEqual(caught.exception.name, "relocate-unsupported")

    def test_what_is_copied_counts_as_here(self):
        made = relocation("--copy-from=s3://old/", "--from=s3://other")
        self.assertEqual(set(made.places.roots), {"s3://bucket", "s3://old", "s3://other"})
        self.assertIsNotNone(made.copy)

    def test_files_that_are_not_there_stop_it_before_anything_changes(self):
        made = relocation("--from=s3://other", "--apply")
        plan = mock.Mock(changes=3, files=0)
        plan.lines.return_value = []
        with (
            mock.patch.object(made, "plan", return_value=plan),
            mock.patch.object(made, "apply") as applied,
            self.assertRaises(Problem) as caught,
        ):
            made.bucket.files.return_value = []
            made.run()
        self.assertEqual(caught.exception.name, "relocate-absent")
        applied.assert_not_called()


if __name__ == "__main__":
    unittest.main()
