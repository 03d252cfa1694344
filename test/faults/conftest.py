import os
import pathlib
import sys

import pytest

for variable in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_", "S3_"))]:
    del os.environ[variable]
sys.path[:0] = [os.path.dirname(__file__), str(pathlib.Path(__file__).parents[1] / "e2e")]

from cluster import report  # noqa: E402
from stacks import CURRENT, remove_all  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.excinfo is not None:
        print(f"\n{call.excinfo.getrepr(style='short')}", flush=True)
        for namespace in CURRENT:
            report(namespace)
    return outcome


@pytest.fixture(scope="session", autouse=True)
def cleaned():
    yield
    if os.environ.get("E2E_KEEP") is None:
        remove_all()
