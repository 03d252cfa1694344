"""No room left: in the bucket, on the volumes of the stores, and on that of the server for files in transit."""

import time

from cluster import wait_until
from rows import FULL, SlowUpload, row
from rows_of_parts import ADMINISTER, SERVER, identities, restarts

# all that there is, and a little less, since somebody may want to know what became of it
FILL = "head -c 2G /dev/zero >{file} 2>/dev/null || true; test $(df --output=avail {folder} | tail -n 1) -lt 64"
HOLD = 5.0


def refused(stack, mebibytes):
    """What a client is told who uploads when there is no room, once it is refused; nothing of it may be there."""

    def tried():
        upload = SlowUpload(stack, f"refused-{time.time():.1f}", 0, mebibytes)
        found = upload.end()
        if found["status"] == 200:
            return None
        state = upload.state(found)
        # a server that is away tells nothing, and reading back waits for it
        assert state == "absent", (found, state)
        return found

    return wait_until("an upload is refused", 90, tried)


def told(found):
    return f"an upload is answered with {found['status']}: {found['answer'][:160]}"


# before the others, which leave little room in the store
@row(FULL, "the volume of the server for files in transit is full", failed=0)
def scratch_full(stack):
    before = identities(stack, SERVER)
    stack.execute("deployment/mlflow", FILL.format(file="/tmp/filler", folder="/tmp"), "mlflow")  # noqa: S108
    try:
        upload = SlowUpload(stack, f"scratch-{time.time():.1f}", 4, 100)
        found = upload.end()
        time.sleep(HOLD)
    finally:
        stack.execute("deployment/mlflow", "rm /tmp/filler", "mlflow")
    assert found["status"] == 200 and upload.state(found) == "whole", found
    assert identities(stack, SERVER) == before and restarts(stack, SERVER) == 0
    return "an upload of 100 MiB meanwhile is whole, and the pod is the same"


@row(FULL, "the bucket has a quota, and is full", errors=None)
def quota(stack):
    stack.execute("minio-0", f"{ADMINISTER}mc quota set s/mlflow-bucket --size 1MiB -q >/dev/null")
    try:
        found = refused(stack, 10)
        time.sleep(HOLD)
    finally:
        stack.execute("minio-0", f"{ADMINISTER}mc quota clear s/mlflow-bucket -q >/dev/null")
    assert found["status"] == 507 and "no room left" in found["answer"] and "quota" in found["answer"], found
    return told(found)


@row(FULL, "the volume of MinIO is full", errors=None)
def store_full(stack):
    folder = "/data"
    stack.execute("minio-0", FILL.format(file=f"{folder}/filler", folder=folder))
    try:
        found = refused(stack, 10)
        time.sleep(HOLD)
    finally:
        stack.execute("minio-0", f"rm {folder}/filler")
    assert found["status"] == 507 and "no room left" in found["answer"], found
    return told(found)


@row(FULL, "the volume of PostgreSQL is full", errors=None)
def database_full(stack):
    folder = "/var/lib/postgresql/data"
    stack.execute("postgres-0", FILL.format(file=f"{folder}/filler", folder=folder))
    since = stack.now()
    try:
        wait_until("a write is refused", 90, lambda: stack.ask("told", since, stack.now())["failed"])
        time.sleep(HOLD)
    finally:
        stack.execute("postgres-0", f"rm {folder}/filler")
    return f"a write is answered: {stack.ask('told', since, stack.now())['failures'][0]}"
