"""How the start script becomes its command."""

from __future__ import annotations

import os
import re
import shutil

# beside this file: what MLflow is run by
KEEPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mlflow")


def become(name: str, command: tuple[str, ...]) -> None:
    """Becomes the command: MLflow in a pod by way of a file that starts it again where it ends without being asked to."""
    python = python_of(shutil.which(name) or "") if name == "mlflow" and os.getpid() == 1 else ""
    if python:
        os.execv(python, (python, KEEPER, *command[1:]))
    os.execvp(name, command)


def python_of(program: str) -> str:
    """The interpreter of a program that is a script of Python; empty for another one."""
    try:
        with open(program, "rb") as file:
            first = re.fullmatch(rb"#!\s*(/\S*python[\d.]*)\s*", file.readline())
    except OSError:
        return ""
    return first[1].decode() if first else ""
