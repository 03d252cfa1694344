"""Tells what keeps an MLflow tracking server from working.

start-mlflow.py doctor [--json]          all checks, against the running server; changes nothing
start-mlflow.py doctor --client URL      for notebooks: is it this environment, or the experiment?
start-mlflow.py monitor [FLAG...]        checks both stores again and again; health and metrics by HTTP
start-mlflow.py gc [ARGUMENT...]         mlflow gc, where the tracking server answers, and past what cannot be deleted
start-mlflow.py gc --orphans [--delete]  files in the bucket that belong to no run, logged model or trace any more
start-mlflow.py gc --lost                what MLflow knows of, and whose files are not in the bucket any more
start-mlflow.py relocate [--apply]       old experiments, which need a key: what would change, and the change
start-mlflow.py causes                   the catalogue of causes, as a Markdown table

Without the start script it is python3 /app/preflight instead, which also has
check COMMAND [ARGUMENT...]              what the start script does before it becomes the command
upgrade [--look] FLAG...                 upgrades an older schema of the database, once its backup is there
"""

from __future__ import annotations

import os
import sys


def main(command: str = "", *arguments: str) -> int:
    """Runs one command, and gives its exit code. The imports are here: each command needs some of the modules only."""
    if command == "check":
        from preflight.check import check

        return check(list(arguments))
    if command == "doctor":
        from preflight.doctor import doctor

        return doctor(list(arguments))
    if command == "monitor":
        from preflight.monitor import monitor

        return monitor(list(arguments))
    if command == "gc":
        from preflight.gc import gc

        return gc(list(arguments))
    if command == "relocate":
        from preflight.relocate import relocate

        return relocate(list(arguments))
    if command == "upgrade":
        from preflight.upgrade import upgrade

        return upgrade(list(arguments))
    if command == "causes":
        from preflight.causes import catalogue

        return catalogue()
    if command in ("-h", "--help"):
        print(__doc__, end="")
        return 0
    known = "check, doctor, monitor, gc, relocate, upgrade and causes"
    print(f"ERROR: {command or 'nothing'} is no command of the preflight: it has {known}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    if not __package__:
        # run as a folder, whose modules are not to be found by their bare names
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(*sys.argv[1:]))
