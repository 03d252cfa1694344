import unittest

from preflight.relocate_places import Place, Places

HERE = "s3://bucket/team"


class Moves(unittest.TestCase):
    def place(self, uri, workspace="default", others=(), workspaces=False, limit=None):
        return Places(HERE, list(others), workspaces).place(uri, workspace, limit)

    def why(self, *arguments, **options):
        place = self.place(*arguments, **options)
        self.assertEqual(place.uri, arguments[0])
        return place.why

    def test_what_is_below_the_destination(self):
        self.assertEqual(self.place(f"{HERE}/1/a/artifacts"), Place("mlflow-artifacts:/1/a/artifacts", "1/a/artifacts"))
        self.assertEqual(self.place(f"{HERE}/1/"), Place("mlflow-artifacts:/1", "1"))
        self.assertEqual(self.place(HERE), Place("mlflow-artifacts:/", ""))

    def test_a_destination_with_a_slash_at_its_end(self):
        self.assertEqual(Places(HERE + "/", [], False).place(f"{HERE}/1", "default"), Place("mlflow-artifacts:/1", "1"))

    def test_what_only_begins_like_it_stays(self):
        for uri in ("s3://bucket/teams/1", "s3://bucket", "s3://other/team/1", "gs://bucket/team/1", "file:///team/1", "/team/1"):
            self.assertEqual(self.why(uri), f"not below {HERE}")

    def test_what_another_server_serves_stays_unless_it_is_named(self):
        uri = "mlflow-artifacts://old.example.com:5000/1"
        self.assertIn("not below", self.why(uri))
        self.assertEqual(self.place(uri, others=["mlflow-artifacts://old.example.com:5000"]).uri, "mlflow-artifacts:/1")

    def test_what_is_no_place_of_its_own_or_proxied(self):
        for uri in ("", "mlflow-artifacts:/1", "runs:/a/model", "models:/m-1", "models:/name/1", "prompt-template", "REDACTED"):
            self.assertIsNone(self.place(uri))

    def test_other_names_of_the_same_place(self):
        others = ["./mlruns", "file:///home/ml/mlruns", "s3://old", "s3://old/team"]
        for uri, path in (
            ("./mlruns/0/a", "0/a"),
            ("file:///home/ml/mlruns/0", "0"),
            ("s3://old/1", "1"),
            ("s3://old/team/1", "1"),
        ):
            self.assertEqual(self.place(uri, others=others), Place(f"mlflow-artifacts:/{path}", path))

    def test_a_path_that_does_not_pass_through_a_url_stays(self):
        for name in ("a#b", "a?b", "a%20b", "ä", "a\nb", "a\\b"):
            self.assertIn("does not pass through a URL", self.why(f"{HERE}/{name}"))
        for name in ("a//b", "a/../b", "./a"):
            self.assertIn("an empty part, or one of dots", self.why(f"{HERE}/{name}"))
        self.assertEqual(self.place(f"{HERE}/with space+=,").uri, "mlflow-artifacts:/with space+=,")

    def test_a_uri_that_gets_too_long_stays(self):
        uri = f"{HERE}/{'a' * 190}"
        self.assertEqual(len(uri), 207)
        self.assertEqual(self.why(uri, limit=200), "its new URI has 208 characters, and the column takes 200")
        self.assertEqual(self.place(uri, limit=208).why, "")

    def test_workspaces(self):
        def of(path, workspace):
            return self.place(f"{HERE}/{path}", workspace, workspaces=True)

        self.assertEqual(of("workspaces/a/1", "a").uri, "mlflow-artifacts:/workspaces/a/1")
        self.assertIn("below workspaces/a/ only", of("1", "a").why)
        self.assertIn("below workspaces/a/ only", of("workspaces/b/1", "a").why)
        self.assertEqual(of("1", "default").uri, "mlflow-artifacts:/1")
        self.assertIn("to the default workspace", of("workspaces/a/1", "default").why)
        self.assertEqual(self.place(f"{HERE}/workspaces/a/1", "a").uri, "mlflow-artifacts:/workspaces/a/1")

    def test_what_the_server_reads_by_itself_is_below_its_destination(self):
        places = Places(HERE, ["s3://old"], False)
        self.assertEqual(places.archived("s3://old/archive/1"), f"{HERE}/archive/1")
        self.assertEqual(places.archived(f"{HERE}/archive/1"), f"{HERE}/archive/1")
        self.assertIsNone(places.archived("s3://else/archive/1"))


if __name__ == "__main__":
    unittest.main()
