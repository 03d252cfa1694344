"""What goes wrong with backups: why, and what mends it."""

from __future__ import annotations

from preflight.commands import ALL, COMMANDS, K
from preflight.mlflow_doctor import Cause
from preflight.problem import Problem

EXIT_BACKUP = 12
EXIT_RESTORE = 13

CAUSES = {
    "backup-destination": Cause(
        EXIT_BACKUP,
        "the destination of the backups does not work: {form}",
        "{inner}",
        "{mend}",
    ),
    "backup-store": Cause(
        EXIT_BACKUP,
        "a store did not answer as it should: {form}",
        "It went away in the middle, or its user may not do something: list, get, put and delete objects.",
        "See the answer, and start it again.",
    ),
    "backup-empty": Cause(
        EXIT_BACKUP,
        "the database is empty, and its last backup, {backup}, is not",
        "This is a new stack at the place of an old one, most likely, or its volume was lost. A backup of nothing would become "
        "the newest one, and the good ones would go with their time.",
        "Restore the backup. Where this stack is another one, give its backups another prefix in the bucket.",
    ),
    "backup-objects": Cause(
        EXIT_BACKUP,
        "{count} objects of the bucket are not in the backup: {form}",
        "They could not be copied; the lines of the container copy say why. What is there is no backup, and the next run "
        "goes on.",
        "See the log of the container copy.",
    ),
    "backup-damaged": Cause(
        EXIT_BACKUP,
        "the backup {backup} is not good: {form}",
        "What lies at the destination is not what was put there, or cannot be restored. The backups before it are kept.",
        "Look at the destination: its disk, and who else may write to it. Then make another backup.",
    ),
    "restore-none": Cause(
        EXIT_RESTORE,
        "there is no backup {backup} at {form}",
        "Of an interrupted backup nothing can be restored, and so it is not one of them: {known}.",
        "Name one of these in BACKUP, or see bucket, prefix and keys of the destination.",
    ),
    "restore-revision": Cause(
        EXIT_RESTORE,
        "the backup {backup} is of another version of MLflow: {form}",
        "The server that runs here would not work with its tables. Nothing was changed.",
        "Give the stack the image of MLflow {version} (the prop image of the server), restore, and upgrade then: "
        "docs/upgrade.md#a-new-version-of-mlflow.",
    ),
    "restore-taken": Cause(
        EXIT_RESTORE,
        "nothing was restored: {form}",
        "A restore goes into an empty stack, and changes nothing in one that is not.",
        "Where it shall be replaced, set OVERWRITE=true: what is there is kept, in a schema and below a prefix; the log "
        "names them.",
    ),
    "restore-objects": Cause(
        EXIT_RESTORE,
        "{count} objects of the backup are not in the bucket: {form}",
        "They could not be copied, or the backup has lost them; the lines of the container objects say why. The database was not "
        "touched.",
        "Mend what these lines name, and start the restore again: it goes on where it was.",
    ),
    "restore-rows": Cause(
        EXIT_RESTORE,
        "the restored database is not what the backup had: {form}",
        "A server or a client has written between, or the dump is damaged.",
        "Stop the servers, and restore again with OVERWRITE=true.",
    ),
}
BACKUP = f"{K} logs --selector app.kubernetes.io/component=backup {ALL} --tail=20"
RESTORE = f"{K} logs --selector app.kubernetes.io/component=restore {ALL} --tail=20"
START = "{kubectl} create job backup-$(date +%s) --from=cronjob/{deployment}-backup"
BACK = "{kubectl} create job restore-$(date +%s) --from=cronjob/{deployment}-restore"
CHOSEN = (
    "{kubectl} create job restore-$(date +%s) --from=cronjob/{deployment}-restore --dry-run=client --output=yaml | "
    "kubectl set env --local --filename=- --output=yaml "
)
RUN = {
    "backup-destination": (BACKUP, "{kubectl} describe secret {secret}"),
    "backup-store": (BACKUP, RESTORE),
    "backup-empty": (BACK,),
    "backup-objects": (BACKUP, START),
    "backup-damaged": (BACKUP, START),
    "restore-none": (CHOSEN + "BACKUP=NAME | kubectl apply --filename=-",),
    "restore-revision": ("{kubectl} get deployment {deployment} --output=wide",),
    "restore-taken": (CHOSEN + "OVERWRITE=true | kubectl apply --filename=-",),
    "restore-objects": (RESTORE, BACK),
    "restore-rows": (
        "{kubectl} scale deployment/{deployment} --replicas=0",
        CHOSEN + "OVERWRITE=true | kubectl apply --filename=-",
    ),
}


def register() -> None:
    """Makes them known beside those of the preflight."""
    Problem.causes = {**Problem.causes, **CAUSES}
    COMMANDS.update(RUN)
