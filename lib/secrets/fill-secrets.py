#!/usr/bin/env python3
"""Fills Secrets in the cluster. Those of a store: before and after the store's own tool has made the user.

  fill-secrets.py prepare   make up what is missing; write the administrator's Secret and leave all values as
                       files in CREDENTIALS_DIR for the next container
  fill-secrets.py publish   write the user's Secret, which is what the pods that use the store wait for
  fill-secrets.py fill      make up and write what is missing in the Secrets of SECRETS, which belong to no store

What stands in a Secret is never changed. Needs nothing but Python's standard library.
"""

import base64
import json
import os
import secrets
import ssl
import string
import sys
import time
import urllib.error
import urllib.request

DIRECTORY = os.environ.get("CREDENTIALS_DIR", "")
SPECS = json.loads(os.environ.get("CREDENTIALS", "[]"))
# [{"secretName": …, "values": {key: {"text": …} or {"length": …}}}]
SECRETS = json.loads(os.environ.get("SECRETS", "[]"))
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
ALPHABET = string.ascii_lowercase + string.digits
USERNAME_LENGTH = 20
PASSWORD_LENGTH = 40


class NotYet(Exception):
    """Something that waiting can mend."""


def say(line):
    print(line, flush=True)


def service_account(name):
    with open(os.path.join(SERVICE_ACCOUNT, name), encoding="utf-8") as file:
        return file.read().strip()


def call(method, secret_name, body=None):
    """One request for one Secret to the API server."""
    url = "{}/api/v1/namespaces/{}/secrets/{}".format(API_SERVER, service_account("namespace"), secret_name)
    if body is not None:
        url += "?fieldManager=mlflow-bootstrap"
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + service_account("token"),
            "Accept": "application/json",
            "Content-Type": "application/merge-patch+json",
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
            raise NotYet(f'Secret "{secret_name}" does not exist: make it, or apply the manifests that declare it') from None
        if error.code == 409:
            raise NotYet(f'Secret "{secret_name}" was changed by somebody else meanwhile') from None
        if error.code == 403:
            raise NotYet(
                f'the API server does not let this Job {method} Secret "{secret_name}": '
                "its Role or RoleBinding is missing or was changed; apply the manifests again"
            ) from None
        raise NotYet(f"the API server answered {error.code} to {method} {secret_name}") from None
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


def path_of(spec, field):
    return os.path.join(DIRECTORY, f"{spec['role']}.{field}")


def read(spec, field):
    try:
        with open(path_of(spec, field), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def make_username(beginning):
    if not beginning.endswith("-"):
        return beginning
    return beginning + "".join(secrets.choice(ALPHABET) for _ in range(USERNAME_LENGTH - len(beginning)))


def make_password(length=PASSWORD_LENGTH):
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def make_value(form):
    """A value in the form of SECRETS."""
    return form["text"] if "text" in form else make_password(form["length"])


def prepare_one(spec):
    values = data_of(call("GET", spec["secretName"]))
    makers = {
        "username": lambda: make_username(spec["generatedUsername"]),
        "password": make_password,
    }
    for field, make in makers.items():
        key = spec[field + "Key"]
        value = values.get(key)
        if not value:
            if not spec["generated"]:
                raise NotYet(f'Secret "{spec["secretName"]}" has no value under key "{key}": add it there')
            # what an earlier try in this pod made up may already be known to the store
            value = read(spec, field) or make()
        write(path_of(spec, field), value)
    if spec["role"] == "admin":
        publish_one(spec)


def publish_one(spec):
    if spec["generated"]:
        write_missing(
            spec["secretName"], {spec[field + "Key"]: lambda field=field: read(spec, field) for field in ("username", "password")}
        )


def fill_one(spec):
    write_missing(
        spec["secretName"],
        {key: lambda form=form: make_value(form) for key, form in spec["values"].items()},
    )


def write_missing(name, makers):
    """Writes the keys that have no value yet."""
    secret = call("GET", name)
    there = data_of(secret)
    missing = {key: base64.b64encode(make().encode()).decode() for key, make in makers.items() if not there.get(key)}
    if not missing:
        say(f'Secret "{name}" has all its keys: left as it is')
        return
    version = secret["metadata"]["resourceVersion"]
    call("PATCH", name, {"metadata": {"resourceVersion": version}, "data": missing})
    say(f'Secret "{name}": wrote {", ".join(sorted(missing))}')


def write_client_files():
    """The administrator's credentials in the form that mc and psql read, so that they stand in no argument."""
    admin = next(spec for spec in SPECS if spec["role"] == "admin")
    username, password = read(admin, "username"), read(admin, "password")
    alias = {"url": os.environ.get("STORE_URL", ""), "accessKey": username, "secretKey": password, "api": "S3v4", "path": "auto"}
    write(os.path.join(DIRECTORY, "config.json"), json.dumps({"version": "10", "aliases": {"store": alias}}))
    escaped = [text.replace("\\", "\\\\").replace(":", "\\:") for text in (username, password)]
    write(os.path.join(DIRECTORY, "pgpass"), "*:*:*:{}:{}\n".format(*escaped))


def main(arguments):
    if arguments == ["prepare"]:
        for spec in SPECS:
            until_done(lambda spec=spec: prepare_one(spec))
        write_client_files()
    elif arguments == ["publish"]:
        user = next(spec for spec in SPECS if spec["role"] == "user")
        until_done(lambda: publish_one(user))
    elif arguments == ["fill"]:
        for spec in SECRETS:
            until_done(lambda spec=spec: fill_one(spec))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
