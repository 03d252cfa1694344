"""Pods of a server that has its administrator from a Secret, at its start, and goes on with him when the Secret has another one.

Which pods they are is written together with the new values, so that a Job that was cut off in between is taken up by the next.
"""

import json

from secret_api import ask, call, keys_in_environment, pod_of, say

# {name of a pod: its uid}
OUTDATED = "cdk8s-mlflow/outdated-pods"


def marked(secret):
    return json.loads((secret["metadata"].get("annotations") or {}).get(OUTDATED, "{}"))


def outdated_mark(names, secret, keys):
    """The annotation for a Secret that is about to get other values under these keys. A pod that waits is none of them."""
    found = marked(secret)
    for name in names:
        pod = pod_of(name) or {"spec": {"containers": []}}
        running = any("running" in status.get("state", {}) for status in pod.get("status", {}).get("containerStatuses", []))
        if running and keys & keys_in_environment(pod, secret["metadata"]["name"]):
            found[name] = pod["metadata"]["uid"]
    return {OUTDATED: json.dumps(found)} if found else {}


def replace_outdated(secret_name):
    """Deletes these pods. Their StatefulSet makes others, which start with what the Secret has now."""
    secret = call("GET", secret_name)
    pods = marked(secret)
    for name, uid in pods.items():
        pod = pod_of(name)
        if pod is not None and pod["metadata"]["uid"] == uid and "deletionTimestamp" not in pod["metadata"]:
            ask("DELETE", f"pods/{name}", f'Pod "{name}"', {"preconditions": {"uid": uid}})
            say(f'Pod "{name}" started with what Secret "{secret_name}" had before, and is replaced')
    if pods:
        call("PATCH", secret_name, {"metadata": {"annotations": {OUTDATED: None}}})
