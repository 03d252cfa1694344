"""Whether Kubernetes refuses the changes of which `cdk8s-mlflow diff` says so, and takes the others: test/cli/refused.json."""

import copy
import json
import re

import pytest

from cluster import ROOT, kubectl, remove_namespace

NAMESPACE = "mlflow-refused"
PAIRS = json.loads((ROOT / "test/cli/refused.json").read_text(encoding="utf-8"))
LABEL = "cdk8s-mlflow-test=refused"


def made(index, *paths):
    """An object of the file, with what the paths say; its name is that of the change."""
    item = copy.deepcopy(PAIRS["objects"][PAIRS["changes"][index]["kind"]])
    item["kind"] = PAIRS["changes"][index]["kind"]
    item["metadata"] = {"name": f"refused-{index:02}", "labels": dict([LABEL.split("=")])}
    for path, value in [entry for values in paths for entry in values.items()]:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")[1:]]
        place = item
        for key in parents:
            place = place[key]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return item


def apply(items, *options):
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    return kubectl("apply", "--namespace", NAMESPACE, "--filename", "-", *options, stdin=text, check=False)


@pytest.fixture(scope="module")
def refused():
    """The names of the objects of which Kubernetes refuses the change."""
    changes = list(enumerate(PAIRS["changes"]))
    try:
        kubectl("create", "namespace", NAMESPACE)
        before = apply([made(index, change.get("with", {})) for index, change in changes])
        assert before.returncode == 0, before.stderr
        after = apply([made(index, change.get("with", {}), change["set"]) for index, change in changes], "--dry-run=server")
        taken = set(re.findall(r"/(refused-\d\d) ", after.stdout))
        yield {f"refused-{index:02}" for index, _ in changes} - taken
    finally:
        kubectl("delete", "clusterrolebindings,storageclasses,priorityclasses", "--selector", LABEL, check=False)
        remove_namespace(NAMESPACE)


def test_kubernetes_refuses_what_the_command_says_and_nothing_else(refused):
    said = {f"refused-{index:02}" for index, change in enumerate(PAIRS["changes"]) if "refused" in change}
    assert len(said) > 20
    assert refused == said
