import os
import sys

import pytest

for variable in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_", "S3_"))]:
    del os.environ[variable]
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
sys.path.insert(0, os.path.dirname(__file__))

from cluster import DIST, NAMESPACE, kubectl, report, say  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.excinfo is not None:
        print(f"\n{call.excinfo.getrepr(style='short')}", flush=True)
        report()
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
            kubectl("delete", "--filename", str(DIST), "--ignore-not-found", "--wait")
