import unittest

from preflight.relocate_files import File
from preflight.relocate_places import Place
from preflight.relocate_rows import COLUMNS, OUTSIDE, REGISTRY, Experiment, Row
from preflight.relocate_table import COUNTS, Plan

ALL = {column.kind: column for column in COLUMNS + REGISTRY}
EXPERIMENTS = {
    str(number): Experiment(str(number), f"old {number}", "default", "active", f"s3://b/{number}") for number in (2, 10)
}


def row(kind, experiment, key, path="", why=""):
    place = Place("s3://b/x", why=why) if why else Place(f"mlflow-artifacts:/{path}", path)
    return Row(ALL[kind], {"key": key}, experiment, "default", "s3://b/x", place, "s3://b/x")


class Table(unittest.TestCase):
    def setUp(self):
        self.plan = Plan(EXPERIMENTS)
        self.plan.add(
            [
                row("experiment", "10", 10, "10"),
                row("run", "10", "r", "10/r/artifacts"),
                row("run", "2", "s", why="not below s3://b"),
            ]
        )
        self.plan.add(
            [
                row("version", "10", "v", "10/m"),
                row("version's storage", "10", "v", "10/m"),
                row("evaluation row", OUTSIDE, "e", "docs/a"),
            ]
        )

    def test_counts_by_experiment(self):
        record = self.plan.record()
        self.assertEqual(record["changes"], 5)
        two, ten, none = record["experiments"]
        self.assertEqual((two["experiment"], two["runs"], two["stays"]), ("2", 0, {"not below s3://b": {"run": 1}}))
        # a version that changes twice is one
        self.assertEqual((ten["runs"], ten["versions"], ten["models"], ten["to"]), (1, 1, 0, "mlflow-artifacts:/10"))
        self.assertEqual((none["experiment"], none["data"]), (OUTSIDE, 1))

    def test_a_file_is_that_of_the_nearest_place(self):
        paths = ("10/r/artifacts/a/b.txt", "10/else.txt", "docs/a", "docs/b", "100/a", "2/a")
        self.plan.count([File(path, 1024, "") for path in paths])
        _, ten, none = self.plan.sorted
        self.assertEqual((ten.files, ten.bytes, none.files, self.plan.files), (2, 2048, 1, 3))

    def test_says_it_in_lines(self):
        self.plan.count([File("10/a", 1024, "")])
        lines = self.plan.lines()
        self.assertRegex(lines[0], "^experiment +name +state +from +to +runs +models +versions +traces +data +files +size$")
        self.assertRegex(lines[1], "^2 +old 2 +active +s3://b/2 +stays +0 ")
        self.assertRegex(lines[2], r"^10 +old 10 +active +s3://b/10 +mlflow-artifacts:/10 +1 +0 +1 +0 +0 +1 +1\.0 KiB$")
        self.assertRegex(lines[4], r"^all +5 places +1 +0 +1 +0 +1 +1 +1\.0 KiB$")
        self.assertEqual(lines[5:], ["Stays, of experiment 2: 1 x run: not below s3://b"])

    def test_counts_kinds_that_there_are(self):
        self.assertLessEqual({kind for kinds in COUNTS.values() for kind in kinds}, set(ALL))


if __name__ == "__main__":
    unittest.main()
