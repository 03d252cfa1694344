import os
import sys

import pytest

for variable in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_", "S3_"))]:
    del os.environ[variable]
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
sys.path.insert(0, os.path.dirname(__file__))

from cluster import CLIENTS, DIST, NAMESPACE, PROD, ROOT, end_pods, kubectl, report, say, synth  # noqa: E402

# test_trouble.py goes on with what test_stack.py leaves, which measures the stack as it was applied, with nothing beside it
ORDER = ("test_stack", "test_trouble", "test_prod", "test_network_policies", "test_clusters", "test_refused", "test_scale")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ORDER.index(item.module.__name__))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.excinfo is not None:
        print(f"\n{call.excinfo.getrepr(style='short')}", flush=True)
        report()
        if "prod" in item.fixturenames:
            report(PROD)
    return outcome


@pytest.fixture(scope="session", autouse=True)
def stack():
    """dist/, applied to a cluster that does not have it; removed afterwards."""
    if kubectl("get", "namespace", NAMESPACE, check=False).returncode == 0:
        pytest.exit(f'the cluster has a namespace "{NAMESPACE}": the test wants a cluster without, and deletes it at the end', 2)
    try:
        say(f"kubectl apply -f {DIST}")
        kubectl("apply", "--filename", str(DIST))
        yield
    finally:
        if os.environ.get("E2E_KEEP") is None:
            say("removing what the test applied")
            end_pods(NAMESPACE)
            kubectl("delete", "--filename", str(DIST), "--ignore-not-found", "--wait")


@pytest.fixture(scope="session")
def prod(stack, tmp_path_factory):
    """The stack of prod/main.ts, and the definitions of what is not Kubernetes' own in it; the folder of its manifest."""
    folder = synth("e2e/prod/main.ts", tmp_path_factory.mktemp("prod"))
    # the API server wants to be told of definitions under k8s.io that they are not as they were approved
    approval = "api-approved.kubernetes.io=unapproved, without prose"
    definitions = kubectl("annotate", "--local", "--filename", str(ROOT / "imports/crds"), "--output", "yaml", approval)
    try:
        say("applying the stack with the options of a production")
        kubectl("apply", "--filename", "-", stdin=definitions)
        kubectl("wait", "--for=condition=established", "--filename", "-", stdin=definitions)
        kubectl("create", "namespace", CLIENTS)
        kubectl("apply", "--filename", str(folder))
        yield folder
    finally:
        if os.environ.get("E2E_KEEP") is None:
            say("removing the stack with the options of a production")
            end_pods(PROD)
            kubectl("delete", "namespace", CLIENTS, "--ignore-not-found", "--wait=false")
            kubectl("delete", "--filename", str(folder), "--ignore-not-found", "--wait")
            kubectl("delete", "--filename", "-", "--ignore-not-found", stdin=definitions)
