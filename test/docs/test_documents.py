"""The documents that need a cluster, run as they stand: the tutorial from nothing, then the others beside its stack."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/e2e"))

from cluster import NAMESPACE, kubectl, remove_namespace, report, say, tracking_server  # noqa: E402

TUTORIAL = ROOT / "docs/tutorial.md"


def needs_cluster(path):
    first = path.read_text().split("\n", 1)[0]
    return first.startswith("<!-- walkthrough:") and " cluster " in first


# one leaves an empty MinIO, whose artifacts the database would miss, and the other another size in its StatefulSet, which an
# apply of the tutorial's YAML cannot take back
LAST = [ROOT / "docs/how-to/minio-servers.md", ROOT / "docs/how-to/operate.md"]
GUIDES = sorted(
    (path for path in (ROOT / "docs").rglob("*.md") if path != TUTORIAL and needs_cluster(path)),
    key=lambda path: (LAST.index(path) + 1 if path in LAST else 0, path),
)
# made by the guides, each of which deletes its own
NAMESPACES = ("ml-platform", "mlflow-gitops", "mlflow-helm")
# the stand-in for PostgreSQL 18 on a machine without a registry does not take a folder other than its own, as the
# official one does; to move from one server to another, two of version 17 do as well
IMAGES = ("--replace", "docker.io/library/postgres:18.6=docker.io/library/postgres:17.12")


def pods_first(command, namespace):
    """Before the command deletes the namespace, which waits for half of the longest grace period of the pods in it."""
    kinds = f"kubectl delete deployments,statefulsets --all --namespace {namespace} --wait=false"
    now = f"kubectl delete pods --all --namespace {namespace} --grace-period 0 --force"
    return ("--replace", f"{command}={kinds}; {now}; {command}")


REPLACED = [*IMAGES, *pods_first("kubectl delete -f dist/", NAMESPACE)]
for one in NAMESPACES:
    REPLACED += pods_first(f"kubectl delete namespace {one}", one)


def walk(document, directory, *options, **settings):
    say(f"{document.relative_to(ROOT)} {' '.join(map(str, options))}")
    # the packages of this environment, which "pip install" in a document then finds installed
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": sysconfig.get_path("purelib"), **settings}
    command = [sys.executable, ROOT / "test/docs/walkthrough.py", document, "--directory", directory, *REPLACED, *options]
    result = subprocess.run(command, env=environment, check=False)
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
        for namespace in (NAMESPACE, *NAMESPACES):
            remove_namespace(namespace)


def test_the_tutorial_makes_the_app_of_the_repository(app):
    for name in ("mlflow.k8s.yaml", "mlflow-programs.k8s.yaml"):
        assert (app / "dist" / name).read_bytes() == (ROOT / "dist" / name).read_bytes()


def walk_readme(directory, *sections):
    options = [option for section in sections for option in ("--section", section)]
    with tracking_server() as uri:
        for address in ("http://mlflow-service.mlflow.svc.cluster.local:5000", "http://127.0.0.1:5050"):
            options += ["--replace", f"{address}={uri}"]
        walk(ROOT / "README.md", directory, *options, MLFLOW_TRACKING_URI=uri)


def test_the_commands_of_the_readme(app, tmp_path):
    shutil.copytree(app / "dist", tmp_path / "dist")
    walk_readme(tmp_path, "Apply", "Log a model", "When something is wrong")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_guide(guide, app, tarball, tmp_path):
    if " helm " in guide.read_text().split("\n", 1)[0] and shutil.which("helm") is None:
        pytest.skip("helm is not on PATH")
    # the stack of the tutorial, whatever the guide before has made of it
    kubectl("apply", "--filename", str(app / "dist"))
    kubectl("rollout", "status", "--namespace", NAMESPACE, "--timeout=5m", "deployment/mlflow")
    if guide in LAST:
        # the upgrade before has left a new database, for which all in the bucket would be somebody else's
        walk_readme(tmp_path / "readme", "Log a model")
    walk(guide, tmp_path / "run", "--app", app, "--tarball", tarball)


def test_the_tutorial_cleans_up(app, tarball):
    # as they are for whoever cleans up more than a minute after an apply
    kubectl("delete", "jobs", "--all", "--namespace", NAMESPACE)
    walk(TUTORIAL, app, "--section", "Clean up")
    assert kubectl("get", "namespace", NAMESPACE, check=False).returncode != 0
