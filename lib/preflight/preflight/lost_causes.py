"""The causes that are about files which are gone."""

from __future__ import annotations

from .exits import EXIT_STORE_ABSENT
from .mlflow_doctor import Cause

CAUSES = {
    "artifacts-lost": Cause(
        EXIT_STORE_ABSENT,
        "bucket {bucket} is empty, and the database knows of runs and models with files",
        "The volume of the artifact store was lost, or the bucket was deleted or changed: its artifacts are gone with it. New "
        "ones can be stored, and what is in the database (parameters, metrics, tags) is there.",
        "Put the files back from a backup, or give the server the bucket that has them (prop bucket of the store). "
        "gc --lost names what is lost.",
    ),
}
