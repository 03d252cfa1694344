"""Backups of a tracking server, and the way back: what the containers of their pods run, one after the other.

python3 /app/mlflow_backup begin          both stores answer; the backup gets its name, and mc its settings
python3 /app/mlflow_backup compare        what is new, changed and gone in the bucket since the last backup
python3 /app/mlflow_backup seal fetch     the manifest, once all is there; then the dump again, for the trial
python3 /app/mlflow_backup finish         was the trial good? Then old backups go
python3 /app/mlflow_backup look           before a restore: may it be done?
python3 /app/mlflow_backup check          the files of a restore, before its database is touched
python3 /app/mlflow_backup restored       the end of a restore
python3 /app/mlflow_backup exporter       what Prometheus is told
"""

from __future__ import annotations

import os
import sys

STEPS = ("begin", "compare", "seal", "fetch", "finish", "look", "check", "restored", "exporter")


def main(*names: str) -> int:
    """Runs steps in order, till one fails."""
    wrong = [name for name in names if name not in STEPS]
    if wrong or not names:
        print(__doc__, end="", file=sys.stderr)
        return 2
    from preflight.problem import Problem, fail
    from preflight.wait import end_at_sigterm

    from mlflow_backup import backup, causes, exporter, restore

    causes.register()
    steps = {**backup.STEPS, **restore.STEPS, **exporter.STEPS}
    end_at_sigterm(code=0 if names == ("exporter",) else 143)
    try:
        for name in names:
            steps[name]()
    except Problem as problem:
        backup.tell_failure(names, problem)
        fail(problem.cause.code, problem.lines())
    except Exception as error:
        # the errors of boto3 have classes that are made at run time
        if not type(error).__module__.startswith(("boto", "s3transfer")):
            raise
        unforeseen = Problem("backup-store", " ".join(names), "", str(error), form=type(error).__name__)
        backup.tell_failure(names, unforeseen)
        fail(unforeseen.cause.code, unforeseen.lines())
    return 0


if __name__ == "__main__":
    if not __package__:
        # run as a folder, beside that of the preflight
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(*sys.argv[1:]))
