"""What to run for each cause: commands that can be pasted as they are, with the namespace of the pod in them."""

from __future__ import annotations

import re

from .mlflow_doctor import Problem

MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
RESOLVER = "/etc/resolv.conf"
UNKNOWN = "NAMESPACE"


def namespace(mounted: str = MOUNTED, resolver: str = RESOLVER) -> str:
    """That of the pod, which has no token of the API, but looks for names in its own namespace first."""
    for path, pattern in ((mounted, r"\s*(\S+)"), (resolver, r"(?m)^search[^#\n]*?\s([a-z0-9-]+)\.svc\.")):
        try:
            with open(path) as file:
                found = re.match(pattern, file.read()) if path == mounted else re.search(pattern, file.read())
        except OSError:
            continue
        if found:
            return found[1]
    return UNKNOWN


K = "{kubectl}"
APPLY = "kubectl apply -f dist/"
# by label, and not as deployment/NAME: that is the old pod, which is well, where a new one fails
SERVER = "--selector app.kubernetes.io/component=tracking-server"
ARTIFACTS = "--selector app.kubernetes.io/component=artifact-store"
DATABASE = "--selector app.kubernetes.io/component=backend-store"
LOGS = f"{K} logs {SERVER} --prefix --tail=20"
# a container that waits for the one before it has no log, which would end the command
ALL = "--all-containers --ignore-errors --prefix"
# keys and their sizes, and no value
KEYS = "{kubectl} describe secret {secret}"
RESTART = "{kubectl} rollout restart deployment/{deployment}"
ENVIRONMENT = "{kubectl} set env deployment/{deployment} --list"
ARTIFACT_STORE = f"{K} get statefulsets,pods,services,endpoints,pvc {ARTIFACTS}"
ARTIFACT_STORE_LOG = f"{K} logs {ARTIFACTS} --tail=20"
ARTIFACT_STORE_JOB = f"{K} logs {ARTIFACTS}-bootstrap {ALL} --tail=20"
DATABASE_STORE = f"{K} get statefulsets,pods,services,endpoints,pvc {DATABASE}"
DATABASE_LOG = f"{K} logs {DATABASE} --tail=20"
DATABASE_JOB = f"{K} logs {DATABASE}-bootstrap {ALL} --tail=20"
LOST = "{kubectl} exec deployment/{deployment} -- python3 /app/start-mlflow.py gc --lost"
OLD_RUNS = "{kubectl} exec deployment/{deployment} -- python3 /app/start-mlflow.py gc --older-than=30d"
IDENTITY = "{kubectl} get serviceaccounts --output yaml"

UPGRADE = "--selector app.kubernetes.io/component=schema-upgrade"

UPGRADE_LOG = f"{K} logs {UPGRADE} {ALL} --tail=50"
# a Job that has ended is not run again by an apply
UPGRADE_AGAIN = (UPGRADE_LOG, f"{K} delete job {UPGRADE}", APPLY)
# what a bootstrap Job makes is made again
BUCKET_AGAIN = (f"{K} delete job {ARTIFACTS}-bootstrap", APPLY)
DATABASE_AGAIN = (f"{K} delete job {DATABASE}-bootstrap", APPLY)

COMMANDS: dict[str, tuple[str, ...]] = {
    # the Job may be at work
    "schema-waits": (f"{K} get jobs {UPGRADE}", UPGRADE_LOG),
    "schema-upgrade": UPGRADE_AGAIN,
    "schema-backup": (f"{K} logs {UPGRADE} --container=backup --tail=50", *UPGRADE_AGAIN[1:]),
    "schema-older": ("{kubectl} rollout undo deployment/{deployment}",),
    "schema-newer": ("{kubectl} rollout undo deployment/{deployment}", "{kubectl} get cronjobs,pvc"),
    "key-missing": (KEYS, RESTART),
    "key-form": (KEYS, RESTART),
    "key-unknown": (*BUCKET_AGAIN, LOST),
    "endpoint-elsewhere": (ENVIRONMENT,),
    "secret-wrong": BUCKET_AGAIN,
    "session-token": (ENVIRONMENT,),
    "profile-missing": (ENVIRONMENT,),
    "endpoint-form": (ENVIRONMENT,),
    "endpoint-bucket": (ENVIRONMENT,),
    "endpoint-path": (ENVIRONMENT, KEYS),
    "clock": ("{kubectl} get pods --output wide", "kubectl get nodes"),
    "virtual-addressing": (ENVIRONMENT,),
    "upload-args": (ENVIRONMENT,),
    "upload-args-form": (ENVIRONMENT,),
    "delete-md5": (ARTIFACT_STORE_LOG,),
    "delete-objects": (ARTIFACT_STORE_LOG,),
    "proxy": (ENVIRONMENT,),
    "region": (ENVIRONMENT,),
    "pod-identity": (IDENTITY, RESTART),
    "pod-role": (IDENTITY, RESTART),
    "denied": (*BUCKET_AGAIN, ARTIFACT_STORE_JOB),
    "bucket-missing": (*BUCKET_AGAIN, ARTIFACT_STORE_JOB, LOST),
    "store-absent": (ARTIFACT_STORE, f"{K} describe pods {ARTIFACTS}", APPLY),
    "store-full": (f"{K} get pvc {ARTIFACTS}", OLD_RUNS, *BUCKET_AGAIN),
    "store-error": (ARTIFACT_STORE_LOG,),
    "presigned": (ENVIRONMENT,),
    "database-absent": (DATABASE_STORE, f"{K} describe pods {DATABASE}", APPLY),
    "database-refuses": (f"{K} get pvc {DATABASE}", *DATABASE_AGAIN),
    "replica": (DATABASE_STORE,),
    "database-error": (DATABASE_JOB, DATABASE_LOG),
    "database-missing": (*DATABASE_AGAIN, DATABASE_JOB),
    "database-init": (LOGS, DATABASE_LOG),
    "login-missing": (KEYS, RESTART),
    "login-password": (KEYS, RESTART),
    "webhook-key-form": (KEYS, RESTART),
    "webhook-key-wrong": (KEYS, RESTART),
    "kek-wrong": (KEYS, RESTART),
    "experiment-direct": ("{kubectl} exec deployment/{deployment} -- python3 /app/start-mlflow.py relocate",),
    "server-absent": (f"{K} get pods {SERVER}", LOGS),
    "server-error": (LOGS,),
    "server-waits": ("{kubectl} get pods --output wide", LOGS),
    "check-failed": (LOGS,),
    "artifacts-lost": (LOST, f"{K} get pvc {ARTIFACTS}"),
    "gc-kept": (OLD_RUNS,),
    # of the environment of a client
    "login-needed": ("export MLFLOW_TRACKING_USERNAME=NAME MLFLOW_TRACKING_PASSWORD=PASSWORD",),
    "client-keys": ("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE MLFLOW_S3_ENDPOINT_URL",),
}
# what is set in the program that makes the manifests, and shows in the pod and its log
OTHERS = (ENVIRONMENT, LOGS)


def commands_of(problem: Problem) -> list[str]:
    """With the Secret of which the problem tells."""
    found = re.search(r"of Secret (\S+)", " ".join(str(value) for value in problem.values.values()))
    problem.values["secret"] = found[1].rstrip(",;.") if found else "SECRET"
    return [problem.text(command) for command in COMMANDS.get(problem.name, OTHERS)]


Problem.kubectl = f"kubectl --namespace {namespace()}"
Problem.commands = commands_of
