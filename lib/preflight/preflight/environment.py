"""The environment of the pod, and the flags of the server: put in order, and judged before anything is asked."""

from __future__ import annotations

import base64
import binascii
import configparser
import contextlib
import json
import math
import os
import re
import urllib.parse
import urllib.request
from collections.abc import MutableMapping
from typing import Any

from .causes import MIN_PASSWORD_LENGTH
from .problem import Problem, hide_secrets_of, source_of, warn

Environment = MutableMapping[str, str]

DEFAULT_REGION = "us-east-1"
# the one that older MLflow versions shipped, which MLflow refuses
LEGACY_PASSWORD = "password1234"  # noqa: S105
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Values that never end in white space, each group with what white space around them does. Not here: paths, PGOPTIONS and
# PGAPPNAME, which may. A password may too, but in a Secret it is nearly always the newline of an echo.
CLEANED = {
    "boto3 would send along": (*KEYS, "AWS_SESSION_TOKEN", "MLFLOW_S3_ENDPOINT_URL"),
    "would belong to it": (
        "MLFLOW_AUTH_ADMIN_USERNAME",
        "MLFLOW_AUTH_ADMIN_PASSWORD",
        "MLFLOW_FLASK_SERVER_SECRET_KEY",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
        "MLFLOW_CRYPTO_KEK_PASSPHRASE",
        "PREVIOUS_KEK_PASSPHRASE",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_BACKEND_STORE_URI",
        "MLFLOW_READ_REPLICA_BACKEND_STORE_URI",
        "MLFLOW_REGISTRY_STORE_URI",
        "PGHOST",
        "PGHOSTADDR",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGPASSWORD",
        "PGSERVICE",
        "PGSSLMODE",
        "PGSSLNEGOTIATION",
        "PGSSLMINPROTOCOLVERSION",
        "PGSSLMAXPROTOCOLVERSION",
        "PGCHANNELBINDING",
        "PGREQUIREAUTH",
        "PGGSSENCMODE",
        "PGKRBSRVNAME",
        "PGTARGETSESSIONATTRS",
        "PGLOADBALANCEHOSTS",
        "PGCONNECT_TIMEOUT",
        "PGCLIENTENCODING",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_AUTHORITY_HOST",
    ),
}


def flag(arguments: list[str], name: str, default: str = "") -> str:
    """The value of a flag of the command, written as one argument or as two."""
    for position, argument in enumerate(arguments):
        if argument.startswith(name + "="):
            return argument[len(name) + 1 :]
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
    return default


def number(variable: str, default: float, most: float = math.inf) -> float:
    """The value of a variable that is a number; the default, with a warning, where it is none."""
    with contextlib.suppress(ValueError):
        found = float(os.environ.get(variable) or default)
        if 0 <= found <= most:
            return found
    warn(f"{variable} is no number that can be used here: {default:g} is taken")
    return default


def destination_of(arguments: list[str]) -> str:
    return flag(arguments, "--artifacts-destination", os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""))


def has_login(arguments: list[str]) -> bool:
    return flag(arguments, "--app-name") == "basic-auth"


def uses_s3(destination: str) -> bool:
    """Whether boto3 is, or may be, what the server stores artifacts with."""
    return scheme_of(destination) in ("s3", "")


def scheme_of(uri: str) -> str:
    scheme = re.match(r"([A-Za-z][\w+.-]*):", uri)
    return scheme[1].lower() if scheme else ""


def wants_keys(environment: Environment, destination: str) -> bool:
    """Whether AWS keys have to be in the environment: not where another store has its own credentials, or the pod an identity."""
    if destination and not destination.startswith("s3:"):
        return False
    return environment.get("STARTUP_POD_IDENTITY") != "true" or any(environment.get(variable) for variable in KEYS)


def clean(environment: Environment) -> list[str]:
    """Takes white space from around values, and names the variables that had it."""
    found = []
    for harm, variables in CLEANED.items():
        for variable in variables:
            value = environment.get(variable, "")
            if value == value.strip():
                continue
            environment[variable] = value.strip()
            found.append(variable)
            warn(
                f"{source_of(variable)} has white space or a newline around its value, which {harm}: "
                "taken without it. Write the Secret with printf or --from-literal, not with echo."
            )
    return found


def put_credentials_in_place(environment: Environment, destination: str) -> None:
    """Sets what boto3 reads, all of it and without white space, so that no other source of credentials can win."""
    if wants_keys(environment, destination):
        for variable in KEYS:
            if not environment.get(variable):
                tried = f"reading {variable} from the environment"
                raise Problem("key-missing", tried, variable=variable, source=source_of(variable))
    if not uses_s3(destination):
        return
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or DEFAULT_REGION
    environment["AWS_DEFAULT_REGION"] = region
    environment["AWS_REGION"] = environment.get("AWS_REGION") or region
    if environment.get("AWS_SESSION_TOKEN") == "":
        del environment["AWS_SESSION_TOKEN"]


def broken_form(value: str) -> str | None:
    """What makes a value certainly no key."""
    if value[0] in "\"'" or value[-1] in "\"'":
        return "is in quotes"
    if re.search(r"\$\(|\$\{|\{\{", value):
        return "is a placeholder that nobody replaced"
    if re.search(r"[\s\x00-\x1f\x7f]", value) or not value.isascii():
        return "has white space, a control character or a letter beyond ASCII in it"
    return None


def looks_encoded(value: str) -> bool:
    """Whether a value is base64 of something that looks like a key."""
    try:
        return re.fullmatch(rb"[\w.+/=-]{3,}\s*", base64.b64decode(value, validate=True)) is not None
    except (binascii.Error, ValueError):
        return False


def suspicious_form(variable: str, value: str) -> str | None:
    """What explains that a store does not know a value; a good key might look like it as well."""
    if variable == "AWS_ACCESS_KEY_ID" and len(value) > 30 and len(os.environ.get("AWS_SECRET_ACCESS_KEY", "")) <= 20:
        return "was swapped with the secret key, as the lengths tell"
    if looks_encoded(value):
        return "is base64, so it was encoded twice (stringData wants the plain value, data wants it encoded once)"
    return None


def judge_environment(environment: Environment, arguments: list[str]) -> None:
    """Raises for what cannot work, and warns of what may interfere."""
    key = environment.get("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", "")
    if key and not re.fullmatch("[A-Za-z0-9_-]{43}=", key):
        variable = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"
        raise Problem("webhook-key-form", f"reading {variable}", source=source_of(variable))
    if has_login(arguments):
        judge_login(environment)
    if uses_s3(destination_of(arguments)):
        judge_s3(environment, destination_of(arguments))
        warn_of_interference(environment)


def judge_login(environment: Environment) -> None:
    settings = login_settings()
    for variable, setting, what in (
        ("MLFLOW_AUTH_ADMIN_USERNAME", "admin_username", "the name of its admin"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "admin_password", "a password for its admin"),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", "", "a key to sign with"),
    ):
        if not environment.get(variable, settings.get(setting, "")):
            tried = f"reading {variable} from the environment"
            raise Problem("login-missing", tried, variable=variable, source=source_of(variable), what=what)
    password = environment.get("MLFLOW_AUTH_ADMIN_PASSWORD", settings.get("admin_password", ""))
    form = None
    if password == LEGACY_PASSWORD:
        form = "is the one that older versions of MLflow shipped"
    elif len(password) < MIN_PASSWORD_LENGTH:
        form = f"has {len(password)} characters, fewer than {MIN_PASSWORD_LENGTH}"
    if form is not None:
        variable = "MLFLOW_AUTH_ADMIN_PASSWORD"
        raise Problem("login-password", f"reading {variable}", source=source_of(variable), form=form)


def login_settings() -> dict[str, str]:
    """Section mlflow of the file that MLFLOW_AUTH_CONFIG_PATH names; empty where MLflow uses its own file."""
    path = os.environ.get("MLFLOW_AUTH_CONFIG_PATH")
    if not path:
        return {}
    config = configparser.ConfigParser()
    try:
        with open(path, encoding="utf-8") as file:
            config.read_file(file)
        settings = dict(config["mlflow"])
        missing = [name for name in ("default_permission", "database_uri") if not settings.get(name)]
        form = f"it has no {' and no '.join(missing)}" if missing else None
    except OSError as error:
        form = error.strerror
    except (UnicodeDecodeError, configparser.ParsingError):
        # the error would show what is in the file
        form = "it is no ini file"
    except (configparser.Error, KeyError) as error:
        form = f"{type(error).__name__}, section [mlflow] is missing or has a wrong value"
    if form:
        raise Problem("login-config", "reading MLFLOW_AUTH_CONFIG_PATH", path, form=form)
    hide_secrets_of(settings["database_uri"])
    return settings


def judge_s3(environment: Environment, destination: str) -> None:
    """Raises for what no S3 server could do anything with."""
    for variable in KEYS:
        form = broken_form(environment[variable]) if environment.get(variable) else None
        if form is not None:
            raise Problem("key-form", f"reading {variable}", variable=variable, source=source_of(variable), form=form)
    judge_endpoint(environment.get("MLFLOW_S3_ENDPOINT_URL"), destination.partition("://")[2].partition("/")[0])
    upload_arguments(environment)


def upload_arguments(environment: Environment) -> dict[str, Any]:
    """What MLflow passes to each upload."""
    try:
        arguments = json.loads(environment.get("MLFLOW_S3_UPLOAD_EXTRA_ARGS") or "{}")
        if not isinstance(arguments, dict):
            raise ValueError("it is no JSON object")
    except ValueError as error:
        raise Problem("upload-args-form", "reading MLFLOW_S3_UPLOAD_EXTRA_ARGS", form=str(error)) from None
    return arguments


def warn_of_interference(environment: Environment) -> None:
    """Warns of what may be meant, and may be the reason why requests go astray."""
    if environment.get("STARTUP_POD_IDENTITY") == "true" and environment.get("AWS_ACCESS_KEY_ID"):
        warn(f"{source_of('AWS_ACCESS_KEY_ID')} is set and wins over the identity of the pod")
    if environment.get("AWS_SESSION_TOKEN"):
        warn("AWS_SESSION_TOKEN is set and goes along with every request: right for temporary credentials only")
    if environment.get("MLFLOW_S3_ENDPOINT_URL") is None:
        for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
            if environment.get(variable):
                warn(f"{variable} sends the requests to {environment[variable]}, since MLFLOW_S3_ENDPOINT_URL is not set")
                break
    endpoint = environment.get("MLFLOW_S3_ENDPOINT_URL")
    proxy = proxy_for(endpoint) if endpoint else None
    if proxy:
        warn(f"{proxy} sends the requests to the artifact store through a proxy, since NO_PROXY does not have its host")
    for file in shared_files():
        warn(f"{file} exists, and boto3 reads region, endpoint and other settings from it")


def judge_endpoint(endpoint: str | None, bucket: str) -> None:
    if endpoint is None:
        return
    form = None
    if endpoint == "":
        form = "it is set and empty"
    elif broken_form(endpoint):
        form = f"it {broken_form(endpoint)}: {endpoint}"
    elif not re.match(r"https?://", endpoint, re.IGNORECASE):
        form = f"it has no scheme (http:// or https://): {endpoint}"
    else:
        try:
            parsed = urllib.parse.urlsplit(endpoint)
            if not parsed.hostname or (parsed.port is not None and parsed.port < 1):
                raise ValueError("it has no host")
            if "@" in parsed.netloc:
                endpoint = "(not shown)"
                raise ValueError("it has credentials in it")
        except ValueError as error:
            form = f"{error}: {endpoint}"
    if form is not None:
        raise Problem("endpoint-form", "reading MLFLOW_S3_ENDPOINT_URL", form=form)
    # a path of the store's own is signed along, and is tried; without a bucket nobody can tell whether it is one
    parts = [part for part in parsed.path.split("/") if part and bucket in (part, "")]
    if parts or parsed.query or parsed.fragment:
        raise Problem("endpoint-bucket", "reading MLFLOW_S3_ENDPOINT_URL", endpoint, path=endpoint.split(parsed.netloc, 1)[1])


def shared_files() -> list[str]:
    candidates = (
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    )
    return [path for path in candidates if os.path.isfile(os.path.expanduser(path))]


def proxy_for(endpoint: str) -> str | None:
    """The proxy variable that applies to an endpoint, if one does."""
    parsed = urllib.parse.urlsplit(endpoint)
    if urllib.request.getproxies_environment().get(parsed.scheme) is None:
        return None
    # typeshed does not know it
    if urllib.request.proxy_bypass_environment(parsed.hostname or ""):  # type: ignore[attr-defined]
        return None
    names = (f"{parsed.scheme}_proxy", f"{parsed.scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), names[1])
