"""Causes that are about the schema of the database, and its upgrade."""

from __future__ import annotations

from .exits import EXIT_SCHEMA
from .mlflow_doctor import Cause

CAUSES = {
    "schema-older": Cause(
        EXIT_SCHEMA,
        "the schema of the database is older than this MLflow: it is at {actual}, MLflow wants {wanted}",
        "MLflow would change the schema at its start, without asking and with no way back.",
        "Upgrade it on purpose: set the prop preflight.upgradeSchema of the tracking server, and apply; in a MlflowStack that "
        "takes a backup first. To stay, use the image that the database was made with: its pods serve on, and rollout undo "
        "keeps them.",
    ),
    "schema-newer": Cause(
        EXIT_SCHEMA,
        "the schema of the database is newer than this MLflow: it is at {actual}, MLflow has {wanted}",
        "The image was rolled back, or another server with a newer one shares the database.{known} An upgraded schema cannot be "
        "downgraded. Nothing was changed.",
        "Use the newer image again, or go back to the backup that was taken before the upgrade, without what was logged "
        "since{way_back}.",
    ),
    "schema-waits": Cause(
        EXIT_SCHEMA,
        "the schema of the database is older than this MLflow, and the Job {job} has not upgraded it yet: it is at {actual}, "
        "MLflow wants {wanted}",
        "This pod starts when the Job is done. Until then, and where it fails, the old pods go on serving.",
        "See what the Job does, in its log. Where it is Complete, it has upgraded what was here before: delete it, and apply "
        "the manifests again.",
        passing=True,
    ),
    "schema-upgrade": Cause(
        EXIT_SCHEMA,
        "the schema of the database could not be upgraded: it is at {actual}",
        "The lines above say why. {state}",
        "Mend what the lines above name, and upgrade again. To stay, use the image that the database was made with: {way_back}.",
    ),
    "schema-backup": Cause(
        EXIT_SCHEMA,
        "the schema of the database is not upgraded, since there is no backup of it: {form}",
        "The container that takes the backup runs before this one, and leaves a note of what it took.",
        "See why there is none, in the log of the container backup of Job {job}, whose name ends with a fingerprint.",
    ),
}
