#!/usr/bin/env python3
"""Fills Secrets in the cluster. Those of a store: before and after the store's own tool has made the user.

  fill-secrets.py prepare   make up what is missing; write the administrator's Secret and leave all values as
                       files in CREDENTIALS_DIR for the next container, which takes "user.other" where the store knows the user
  fill-secrets.py publish   write the user's Secret, which is what the pods that use the store wait for
  fill-secrets.py await     wait until no pod has values of another generation in its environment, and leave the names of their
                       users in CREDENTIALS_DIR
  fill-secrets.py forget    remove the values of other generations from the Secrets
  fill-secrets.py fill      make up and write what is missing in the Secrets of SECRETS, which belong to no store

What stands in a Secret is never changed, unless its generation is another one than the Secret has. Needs nothing but Python's
standard library.
"""

import base64
import hashlib
import json
import os
import re
import secrets
import string
import sys
import time

from outdated_pods import outdated_mark, replace_outdated
from secret_api import NotYet, all_pods, call, data_of, keys_in_environment, namespace, say, until_done

DIRECTORY = os.environ.get("CREDENTIALS_DIR", "")
SPECS = json.loads(os.environ.get("CREDENTIALS", "[]"))
# [{"secretName": ..., "values": {key: {"text": ...}, {"length": ...} or {"fernet": true}}}]
SECRETS = json.loads(os.environ.get("SECRETS", "[]"))
# so long nobody has to be seen with old values: one pod may take the place of another
QUIET_SECONDS = float(os.environ.get("QUIET_SECONDS", "10"))
# the generation whose values were published last
GENERATION = "cdk8s-mlflow/generation"
ALPHABET = string.ascii_lowercase + string.digits
USERNAME_LENGTH = 20
PASSWORD_LENGTH = 40


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


def make_username(spec, secret, generation=None):
    """The name of a user. A random one is the same at each try, so that a try that was cut off leaves none in the store."""
    beginning = spec["generatedUsername"]
    if not beginning.endswith("-"):
        return with_generation(beginning, generation)
    seed = secret["metadata"].get("uid") or secrets.token_hex(16)
    key = with_generation(spec.get("firstUsernameKey", spec["usernameKey"]), generation)
    return with_random_end(beginning, USERNAME_LENGTH, f"{seed}/{key}")


def with_random_end(beginning, length, seed):
    number, base = int(hashlib.sha256(seed.encode()).hexdigest(), 16), len(ALPHABET)
    return beginning + "".join(ALPHABET[number // base**position % base] for position in range(length - len(beginning)))


def other_username(spec, secret, usual):
    """For a user whose Secret was deleted or emptied. Pods may have the usual one, and go on with it."""
    seed = f"{secret['metadata'].get('uid')}/{secret['metadata'].get('resourceVersion')}/{spec['usernameKey']}"
    random = spec["generatedUsername"].endswith("-")
    # a role of PostgreSQL has up to 63 characters
    beginning = spec["generatedUsername"] if random else usual[:56] + "-"
    return with_random_end(beginning, USERNAME_LENGTH if random else len(beginning) + 6, seed)


def with_generation(key, generation):
    return key if generation in (None, 1) else f"{key}-{generation}"


def generation_in(secret):
    """The generation of the values of a Secret."""
    return int((secret["metadata"].get("annotations") or {}).get(GENERATION, "1"))


def make_password(length=PASSWORD_LENGTH):
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def make_value(form):
    """A value in the form of SECRETS."""
    if form.get("fernet"):
        # https://github.com/fernet/spec/blob/master/Spec.md#key-format
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return form["text"] if "text" in form else make_password(form["length"])


def prepare_one(spec):
    secret = call("GET", spec["secretName"])
    values = data_of(secret)
    generation = None if spec.get("inPlace") else spec.get("generation")
    usual = make_username(spec, secret, generation) if spec["generated"] else ""
    makers = {"username": lambda: usual, "password": make_password}
    if spec["role"] == "user" and spec["generated"]:
        write(path_of(spec, "usual"), usual)
        lost = not any(values.get(key) for key in [*former_keys(spec, secret), spec["usernameKey"], spec["passwordKey"]])
        if lost and read(spec, "username") is None:
            write(path_of(spec, "other"), other_username(spec, secret, usual))
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
        if spec.get("inPlace"):
            prepare_successor(spec)


def prepare_successor(spec):
    """Makes up another password for an administrator who keeps his name. The Secret has it before the store does."""
    secret = call("GET", spec["secretName"])
    if generation_in(secret) == spec["generation"]:
        return
    key = with_generation(spec["passwordKey"], spec["generation"])
    if not data_of(secret).get(key):
        write_missing(spec["secretName"], {key: make_password})
        secret = call("GET", spec["secretName"])
    values = data_of(secret)
    write(path_of(spec, "successor"), values[key])
    # a rotation that was cut off may have told another one to the store
    others = [values[other] for other in keys_of(secret, spec["passwordKey"]) if other != key]
    for position, password in enumerate([values[key], *others]):
        write(os.path.join(DIRECTORY, f"pgpass.{position}"), pgpass(read(spec, "username"), password))


def succeed(spec):
    """Puts the other password in the place of the old one, which the store does not know any more."""
    secret = call("GET", spec["secretName"])
    successor = data_of(secret).get(with_generation(spec["passwordKey"], spec["generation"]))
    if generation_in(secret) == spec["generation"] or not successor:
        return
    data = {key: None for key in keys_of(secret, spec["passwordKey"])}
    data[spec["passwordKey"]] = base64.b64encode(successor.encode()).decode()
    metadata = {"resourceVersion": secret["metadata"]["resourceVersion"], "annotations": {GENERATION: str(spec["generation"])}}
    call("PATCH", spec["secretName"], {"metadata": metadata, "data": data})
    say(f'Secret "{spec["secretName"]}": {spec["passwordKey"]} is that of generation {spec["generation"]}')


def publish_one(spec):
    if spec["generated"]:
        write_missing(
            spec["secretName"],
            {spec[field + "Key"]: lambda field=field: read(spec, field) for field in ("username", "password")},
            spec,
        )


def keys_of(secret, first):
    """The keys of all generations of a value."""
    return [key for key in secret.get("data") or {} if re.fullmatch(rf"{re.escape(first)}(-[0-9]+)?", key)]


def rotated():
    """Those who have values of a generation of their own."""
    return [spec for spec in SPECS if spec["generated"] and spec.get("generation") and not spec.get("inPlace")]


def former_keys(spec, secret):
    pairs = (("firstUsernameKey", "usernameKey"), ("firstPasswordKey", "passwordKey"))
    return [key for first, own in pairs for key in keys_of(secret, spec.get(first, spec[own])) if key != spec[own]]


def users_of(spec):
    """Pods that have a value of another generation in their environment, whether they run or are to run."""
    found = []
    for pod in all_pods():
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            continue
        keys = keys_in_environment(pod, spec["secretName"])
        all_keys = {"data": dict.fromkeys(keys)}
        if former_keys(spec, all_keys):
            found.append(pod["metadata"]["name"])
    return sorted(found)


def await_former(spec):
    """Gives the names of the users of other generations, when no pod has them; none where a later Job has taken over."""
    quiet_since = None
    reason = None
    while True:
        secret = until_done(lambda: call("GET", spec["secretName"]))
        if generation_in(secret) != spec["generation"]:
            say(f'Secret "{spec["secretName"]}" has values of generation {generation_in(secret)} by now, and another Job goes on')
            return []
        pods = until_done(lambda: users_of(spec))
        if not pods:
            quiet_since = quiet_since or time.monotonic()
            if time.monotonic() - quiet_since >= QUIET_SECONDS:
                return former_names(spec, secret)
        else:
            quiet_since = None
            if pods != reason:
                say(f'Waiting: {", ".join(pods)} still use{"s" * (len(pods) == 1)} old values of Secret "{spec["secretName"]}"')
                reason = pods
        time.sleep(1)


def former_names(spec, secret):
    values = data_of(secret)
    names = [values[key] for key in keys_of(secret, spec["firstUsernameKey"])]
    # those of a Secret that was emptied
    names += [make_username(spec, secret, number) for number in range(1, spec["generation"] + 1)]
    return sorted({name for name in names if name} - {values.get(spec["usernameKey"])})


def forget(spec):
    secret = call("GET", spec["secretName"])
    keys = former_keys(spec, secret)
    if not keys or generation_in(secret) != spec["generation"]:
        return
    metadata = {"resourceVersion": secret["metadata"]["resourceVersion"]}
    call("PATCH", spec["secretName"], {"metadata": metadata, "data": dict.fromkeys(keys)})
    say(f'Secret "{spec["secretName"]}": removed {", ".join(sorted(keys))}')


def fill_one(spec):
    write_missing(
        spec["secretName"],
        {key: lambda form=form: make_value(form) for key, form in spec["values"].items()},
    )


def write_missing(name, makers, spec=None):
    """Writes the keys that have no value yet, and of which generation they are."""
    secret = call("GET", name)
    there = data_of(secret)
    missing = {key: base64.b64encode(make().encode()).decode() for key, make in makers.items() if not there.get(key)}
    generation = (spec or {}).get("generation")
    # who keeps his name has values of this generation from the start, or when the store knows them
    changes = generation is not None and (spec["passwordKey"] in missing if spec.get("inPlace") else True)
    annotations = {GENERATION: str(generation)} if changes and generation_in(secret) != generation else {}
    if missing:
        annotations |= outdated_mark((spec or {}).get("pods", []), secret, missing.keys())
    if not missing and not annotations:
        say(f'Secret "{name}" has all its keys: left as it is')
        return
    metadata = {"resourceVersion": secret["metadata"]["resourceVersion"], **({"annotations": annotations} if annotations else {})}
    call("PATCH", name, {"metadata": metadata, "data": missing})
    say(f'Secret "{name}": wrote {", ".join(sorted(missing)) or f"generation {generation}"}')


def pgpass(username, password):
    escaped = [text.replace("\\", "\\\\").replace(":", "\\:") for text in (username, password)]
    return "*:*:*:{}:{}\n".format(*escaped)


def write_client_files():
    """What mc and psql read: the administrator's credentials, so that they stand in no argument, and the namespace."""
    admin = next(spec for spec in SPECS if spec["role"] == "admin")
    username, password = read(admin, "username"), read(admin, "password")
    alias = {"url": os.environ.get("STORE_URL", ""), "accessKey": username, "secretKey": password, "api": "S3v4", "path": "auto"}
    write(os.path.join(DIRECTORY, "config.json"), json.dumps({"version": "10", "aliases": {"store": alias}}))
    write(os.path.join(DIRECTORY, "pgpass"), pgpass(username, password))
    write(os.path.join(DIRECTORY, "namespace"), namespace())


def main(arguments):
    if arguments == ["prepare"]:
        for spec in SPECS:
            until_done(lambda spec=spec: prepare_one(spec))
            if spec.get("pods"):
                until_done(lambda spec=spec: replace_outdated(spec["secretName"]))
        write_client_files()
    elif arguments == ["publish"]:
        admin, user = (next(spec for spec in SPECS if spec["role"] == role) for role in ("admin", "user"))
        if admin.get("inPlace"):
            until_done(lambda: succeed(admin))
        until_done(lambda: publish_one(user))
    elif arguments == ["await"]:
        former = {spec["role"]: await_former(spec) for spec in rotated()}
        write(os.path.join(DIRECTORY, "former"), "".join(f"{name}\n" for name in former.get("user", [])))
    elif arguments == ["forget"]:
        for spec in rotated():
            until_done(lambda spec=spec: forget(spec))
    elif arguments == ["fill"]:
        for spec in SECRETS:
            until_done(lambda spec=spec: fill_one(spec))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
