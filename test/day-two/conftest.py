"""Day two: what keeps data for years. Each module has a stack, and a namespace, of its own."""

import os
import pathlib
import sys

import pytest

for variable in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_", "S3_"))]:
    del os.environ[variable]
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from cluster import report  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.excinfo is not None:
        print(f"\n{call.excinfo.getrepr(style='short')}", flush=True)
        report(item.module.NAMESPACE)
    return outcome
