"""What the programs of the bootstrap Jobs ask of the API server: Secrets, and pods that have their values."""

import base64
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request

SERVICE_ACCOUNT = os.environ.get("SERVICE_ACCOUNT_DIR", "/var/run/secrets/kubernetes.io/serviceaccount")
API_HOST = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
API_SERVER = os.environ.get(
    "API_SERVER",
    "https://{}:{}".format(
        f"[{API_HOST}]" if ":" in API_HOST else API_HOST,
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    ),
)
DEADLINE_SECONDS = float(os.environ.get("DEADLINE_SECONDS", "600"))


class NotYet(Exception):
    """Something that waiting can mend."""


class Missing(NotYet):
    """Something is not there."""


def say(line):
    print(line, flush=True)


def token():
    with open(os.path.join(SERVICE_ACCOUNT, "token"), encoding="utf-8") as file:
        return file.read().strip()


def namespace():
    """Of the pod, whatever moved it there: that of its token."""
    claims = token().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["kubernetes.io"]["namespace"]


def call(method, secret_name, body=None):
    """One request for one Secret to the API server."""
    path = f"secrets/{secret_name}" + ("" if body is None else "?fieldManager=mlflow-bootstrap")
    return ask(method, path, f'Secret "{secret_name}"', body)


def ask(method, path, what, body=None):
    """One request for something in the namespace to the API server."""
    url = f"{API_SERVER}/api/v1/namespaces/{namespace()}/{path}"
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + token(),
            "Accept": "application/json",
            "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
        },
    )
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=os.path.join(SERVICE_ACCOUNT, "ca.crt"))
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise Missing(f"{what} does not exist: make it, or apply the manifests that declare it") from None
        if error.code == 409:
            raise NotYet(f"{what} was changed by somebody else meanwhile") from None
        if error.code == 403:
            raise NotYet(
                f"the API server does not let this Job {method} {what}: "
                "its Role or RoleBinding is missing or was changed; apply the manifests again"
            ) from None
        raise NotYet(f"the API server answered {error.code} to {method} {path.split('/')[-1].split('?')[0]}") from None
    except OSError as error:
        raise NotYet(
            f"the API server at {API_SERVER} cannot be reached: {error}. Where it listens at another port than 443, 6443, "
            "8443 or 16443, the NetworkPolicy of this Job has to let it through: add the port to networkPolicy.egress"
        ) from None


def until_done(action):
    """Runs the action until nothing is left to wait for; prints each new reason to wait once."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    reason = None
    while True:
        try:
            return action()
        except NotYet as error:
            if str(error) != reason:
                reason = str(error)
                say(f"Waiting: {reason}")
            if time.monotonic() > deadline:
                sys.exit(f"ERROR: gave up after {DEADLINE_SECONDS:.0f} s: {reason}")
            time.sleep(1)


def data_of(secret):
    """The values of a Secret. White space around a value is dropped, as the servers drop it."""
    values = {}
    for key, value in (secret.get("data") or {}).items():
        values[key] = base64.b64decode(value).decode("utf-8", "replace").strip()
    return values


def all_pods():
    return ask("GET", "pods", "the pods")["items"]


def pod_of(name):
    """A pod, or None."""
    try:
        return ask("GET", f"pods/{name}", f'Pod "{name}"')
    except Missing:
        return None


def keys_in_environment(pod, secret_name):
    """The keys of a Secret whose values the containers of a pod have in their environment."""
    containers = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    references = [env.get("valueFrom", {}).get("secretKeyRef", {}) for one in containers for env in one.get("env", [])]
    return {ref["key"] for ref in references if ref.get("name") == secret_name}
