"""What the pod says: problems, warnings, and its last words."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Callable, NoReturn

# its import makes the causes of the pod known to Problem
from .causes import USUAL
from .mlflow_doctor import HIDDEN, Problem, Result, hide_secrets_of, masked, redact, result_of, say

__all__ = (
    "HIDDEN",
    "USUAL",
    "Problem",
    "Result",
    "examine",
    "fail",
    "hide_secrets_of",
    "masked",
    "redact",
    "say",
    "source_of",
    "warn",
)


def warn(line: str) -> None:
    print(f"WARNING: {redact(line)}", file=sys.stderr, flush=True)


def fail(code: int, lines: list[str]) -> NoReturn:
    """Ends with the lines on stderr and as the pod's termination message."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)
    try:
        with open(os.environ.get("TERMINATION_LOG", "/dev/termination-log"), "r+b") as file:
            file.write("\n".join(lines).encode()[:4096])
    except OSError:
        pass
    sys.exit(code)


def source_of(variable: str) -> str:
    """Where the pod takes a variable from, as the construct that made the pod told."""
    try:
        source = json.loads(os.environ.get("STARTUP_SOURCES", "{}")).get(variable)
    except (ValueError, AttributeError):
        # written by hand, and wrong: texts name the variable then
        source = None
    return f"{source} ({variable})" if source else variable


def examine(name: str, action: Callable[[], str | None]) -> Result:
    """Runs one check, and takes an error that nobody foresaw for a result too."""
    try:
        return result_of(name, action)
    except Exception as error:
        # not the text of the error, which may have a secret in it
        last = traceback.extract_tb(error.__traceback__)[-1]
        form = f"{type(error).__name__} at line {last.lineno} of {os.path.basename(last.filename)}"
        return Result(name, problem=Problem("check-failed", f"checking {name}", form=form))
