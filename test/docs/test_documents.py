"""The documents that need a cluster, run as they stand: the tutorial from nothing, then the others beside its stack."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/e2e"))

from cluster import NAMESPACE, kubectl, report, say, tracking_server  # noqa: E402

TUTORIAL = ROOT / "docs/tutorial.md"


def needs_cluster(path):
    first = path.read_text().split("\n", 1)[0]
    return first.startswith("<!-- walkthrough:") and " cluster " in first


GUIDES = sorted(path for path in (ROOT / "docs").rglob("*.md") if path != TUTORIAL and needs_cluster(path))


def walk(document, directory, *options):
    say(f"{document.relative_to(ROOT)} {' '.join(map(str, options))}")
    # the client of this environment, where a document takes it for granted
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    command = [sys.executable, ROOT / "test/docs/walkthrough.py", document, "--directory", directory, *options]
    result = subprocess.run(command, env=os.environ | {"PATH": path}, check=False)
    if result.returncode != 0:
        report()
    assert result.returncode == 0


@pytest.fixture(scope="session")
def tarball(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", folder], cwd=ROOT, check=True)
    return next(folder.glob("*.tgz"))


@pytest.fixture(scope="session")
def app(tmp_path_factory, tarball):
    """The app that the tutorial makes, with its stack in the cluster."""
    if kubectl("get", "namespace", NAMESPACE, check=False).returncode == 0:
        pytest.exit(f'the cluster has a namespace "{NAMESPACE}": the documents want a cluster without, and delete it', 2)
    directory = tmp_path_factory.mktemp("tutorial")
    try:
        walk(TUTORIAL, directory, "--tarball", tarball, "--until", "Clean up")
        yield directory / "mlflow-platform"
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")


def test_the_tutorial_makes_the_app_of_the_repository(app):
    assert (app / "dist/mlflow.k8s.yaml").read_bytes() == (ROOT / "dist/mlflow.k8s.yaml").read_bytes()


def test_the_commands_of_the_readme(app, tmp_path):
    shutil.copytree(app / "dist", tmp_path / "dist")
    shutil.copy(ROOT / "lib/tracking-server/start-mlflow.py", tmp_path)
    sections = ("--section", "Apply", "--section", "Log a model", "--section", "When something is wrong")
    with tracking_server() as uri:
        addresses = ("http://mlflow-service.mlflow.svc.cluster.local:5000", "http://127.0.0.1:5000")
        replacements = [option for address in addresses for option in ("--replace", f"{address}={uri}")]
        walk(ROOT / "README.md", tmp_path, *sections, *replacements)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_guide(guide, app, tarball, tmp_path):
    walk(guide, tmp_path / "run", "--app", app, "--tarball", tarball)


def test_the_tutorial_cleans_up(app, tarball):
    walk(TUTORIAL, app, "--tarball", tarball, "--section", "Clean up")
    assert kubectl("get", "namespace", NAMESPACE, check=False).returncode != 0
