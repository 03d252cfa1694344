#!/usr/bin/env python3
"""Starts the MLflow tracking server, or says why it would not work.

start-mlflow.py COMMAND [ARGUMENT...]    check environment, artifact store and database, then become the command
start-mlflow.py doctor [--json]          all checks, against the running server; changes nothing
start-mlflow.py doctor --client URL      for notebooks: is it this environment, or the experiment?
start-mlflow.py monitor [PORT]           checks both stores again and again; health and metrics by HTTP
start-mlflow.py causes                   the catalogue of causes, as a Markdown table
"""

import argparse
import base64
import binascii
import contextlib
import email.utils
import glob
import http.server
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

EXIT_CREDENTIALS = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_STORE_REFUSES = 4
EXIT_STORE_ABSENT = 5
EXIT_DATABASE_REFUSES = 6
EXIT_DATABASE_ABSENT = 7
EXIT_SCHEMA = 8
EXIT_SERVER = 9
EXIT_CLIENT = 10

DEFAULT_REGION = "us-east-1"
RETRY_SECONDS = 1
MAX_SKEW_SECONDS = 15 * 60
# "mlflow" in ASCII: any number does, as long as all pods of one database use the same
INIT_LOCK = 0x6D6C666C6F77
PROBE_PREFIX = ".mlflow-preflight/"
CLEANED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_S3_ENDPOINT_URL")
# what a PostgreSQL that is not ready yet, or is busy, answers; every other refusal is final
PASSING_REFUSALS = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "remaining connection slots are reserved",
    "too many clients already",
    "too many connections",
)
INITIALISE = """
import sys
from mlflow.server.handlers import initialize_backend_stores
initialize_backend_stores(sys.argv[1], None, sys.argv[2] or None)
"""


class Cause:
    """One way for the server not to work: its exit code, what one sees, why, and what mends it."""

    def __init__(self, code, title, why, fix, passing=False):
        self.code = code
        self.title = title
        self.why = why
        self.fix = fix
        # whether waiting can mend it
        self.passing = passing


CAUSES = {
    "key-missing": Cause(
        EXIT_CREDENTIALS,
        "{variable} not set!",
        "{source} has no value for it, so MLflow would find no, or half a pair of, credentials "
        "(NoCredentialsError, PartialCredentialsError).",
        "Give {source} a value and restart the pod: kubectl rollout restart deployment/{deployment}",
    ),
    "key-form": Cause(
        EXIT_ENVIRONMENT,
        "{variable} is not a key: it {form}",
        "The value in {source} was put there in a form that no S3 server knows; it would answer InvalidAccessKeyId "
        "or SignatureDoesNotMatch.",
        "Put the plain value into {source} (kubectl create secret generic … --from-literal, or stringData) and restart the pod.",
    ),
    "key-unknown": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store does not know the access key id (InvalidAccessKeyId)",
        "The user was removed or disabled, MinIO's volume was lost and its users with it, its root user was changed, "
        "or the Secret has a key of another server{hint}.",
        "Compare {source} with the users of the store (mc admin user ls). Of a generated Secret, make the user again: "
        "kubectl delete job -l app.kubernetes.io/component=artifact-store-bootstrap, and apply the manifests.",
    ),
    "endpoint-elsewhere": Cause(
        EXIT_STORE_REFUSES,
        "another S3 server than the artifact store answers, and does not know the access key id (InvalidAccessKeyId)",
        "MLFLOW_S3_ENDPOINT_URL is not set, and {elsewhere} sends the requests to {endpoint}.",
        "Set MLFLOW_S3_ENDPOINT_URL to the URL of the artifact store (the prop artifactStore does) and remove {elsewhere}.",
    ),
    "secret-wrong": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store knows the access key id, but the secret key is wrong (SignatureDoesNotMatch)",
        "AWS_SECRET_ACCESS_KEY is not the one of this user: it was rotated in one place only, or cut off when it was copied.",
        "Put the secret key of the user into {secret_source} and restart the pod, or set it in the store: mc admin user add.",
    ),
    "session-token": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store refuses the session token (InvalidTokenId)",
        "AWS_SESSION_TOKEN is left over from somewhere, and goes along with every request; the keys of a user have no token.",
        "Remove AWS_SESSION_TOKEN from the environment of the pod (prop extraEnv), or renew the temporary credentials.",
    ),
    "profile-missing": Cause(
        EXIT_ENVIRONMENT,
        'AWS_PROFILE names a profile that does not exist (ProfileNotFound): "{profile}"',
        "boto3 stops at a profile that it does not find, even where keys are in the environment.",
        "Remove AWS_PROFILE from the environment of the pod (prop extraEnv).",
    ),
    "endpoint-form": Cause(
        EXIT_ENVIRONMENT,
        "MLFLOW_S3_ENDPOINT_URL is no endpoint: {form}",
        "boto3 takes scheme, host and port, such as http://minio.mlflow.svc.cluster.local:9000, and answers "
        "ValueError: Invalid endpoint to anything else.",
        "Correct MLFLOW_S3_ENDPOINT_URL (the prop artifactStore sets it) and restart the pod.",
    ),
    "endpoint-bucket": Cause(
        EXIT_ENVIRONMENT,
        'MLFLOW_S3_ENDPOINT_URL has a path, "{path}": the bucket does not belong into the endpoint',
        "Every upload would be stored under a wrong key and look well, and every listing would be a 404.",
        "Take the path out of MLFLOW_S3_ENDPOINT_URL; the bucket stands in --artifacts-destination (the prop artifactStore "
        "sets both).",
    ),
    "clock": Cause(
        EXIT_STORE_REFUSES,
        "the clocks of this node and of the artifact store differ too much (RequestTimeTooSkewed)",
        "S3 refuses requests that are more than 15 minutes off{hint}.",
        "Set the clock of the node that is wrong (chronyc tracking, timedatectl).",
    ),
    "virtual-addressing": Cause(
        EXIT_ENVIRONMENT,
        "the bucket as a host name does not resolve: {host}",
        "Virtual addressing puts the bucket before the host of the endpoint, and a Service of a cluster has no such names.",
        "Set MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE=path, or remove it (prop extraEnv).",
    ),
    "upload-args": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store cannot do what MLFLOW_S3_UPLOAD_EXTRA_ARGS asks for ({answer_code})",
        "The variable asks for server-side encryption, a storage class or the like, and this store has none (no KMS, "
        "for example).",
        "Remove MLFLOW_S3_UPLOAD_EXTRA_ARGS (prop extraEnv), or set the store up for it.",
    ),
    "upload-args-form": Cause(
        EXIT_ENVIRONMENT,
        "MLFLOW_S3_UPLOAD_EXTRA_ARGS is not what boto3 takes: {form}",
        "MLflow reads it as a JSON object of arguments for each upload.",
        # not two braces side by side: Helm, which the manifests may go through, takes them for its own
        'Correct it, for example {\x7b"ServerSideEncryption": "AES256"}}, or remove it (prop extraEnv).',
    ),
    "proxy": Cause(
        EXIT_ENVIRONMENT,
        "the HTTP proxy in {variable} does not let the request through (ProxyConnectionError)",
        "Requests to the artifact store go to the proxy, since NO_PROXY does not have {host}.",
        "Add {host} to NO_PROXY, or remove {variable} (prop extraEnv).",
    ),
    "region": Cause(
        EXIT_STORE_REFUSES,
        "the region is {region}, and the artifact store is in {actual}",
        "Uploads and downloads through the server work all the same, but presigned URLs (ArtifactTransfer.DIRECT) do not.",
        "Set the prop region of the store, which becomes AWS_DEFAULT_REGION, to {actual}.",
    ),
    "denied": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store denies access to bucket {bucket} (AccessDenied)",
        "The bucket does not exist (a user with few rights is not told), or the policy of the user does not have it.",
        "Make the bucket, or attach a policy for it to the user: kubectl logs job/… of component artifact-store-bootstrap.",
        passing=True,
    ),
    "bucket-missing": Cause(
        EXIT_STORE_ABSENT,
        "bucket {bucket} does not exist (NoSuchBucket)",
        "It was not made yet, was deleted, or has another name in --artifacts-destination.",
        "Make it (mc mb), or correct the name (prop bucket of the store).",
        passing=True,
    ),
    "store-absent": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store does not answer",
        "It is not running, is not ready yet, has another name or port, or a NetworkPolicy is in the way.",
        "See the pods and the Service of the store (kubectl get pods,service), and MLFLOW_S3_ENDPOINT_URL.",
        passing=True,
    ),
    "store-full": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store has no room left ({answer_code})",
        "Its volume, or the quota of the bucket, is full.",
        "Make the volume larger, or delete artifacts (mlflow gc).",
        passing=True,
    ),
    "store-error": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store answers with an error ({answer_code})",
        "The answer says what it is; it may be a passing one.",
        "See the log of the store.",
        passing=True,
    ),
    "presigned": Cause(
        EXIT_STORE_REFUSES,
        "a presigned URL of the artifact store does not work ({answer_code})",
        "With ArtifactTransfer.DIRECT clients download by such URLs; region, addressing style or endpoint do not fit the store.",
        "Correct the region (prop region) and the endpoint of the store, or use ArtifactTransfer.PROXIED.",
    ),
    "database-absent": Cause(
        EXIT_DATABASE_ABSENT,
        "the database does not answer",
        "It is not running, is not ready yet, has another name or port, or a NetworkPolicy is in the way.",
        "See the pods and the Service of the database (kubectl get pods,service), and --backend-store-uri.",
        passing=True,
    ),
    "database-refuses": Cause(
        EXIT_DATABASE_REFUSES,
        "the database refuses the user",
        "PGPASSWORD or PGUSER is not what the database has: it was changed in one place only, or the Secret has white space "
        "in it.",
        "Correct {password_source}, or the user in the database (ALTER ROLE … PASSWORD), and restart the pod.",
    ),
    "database-uri": Cause(
        EXIT_ENVIRONMENT,
        "--backend-store-uri is no URI of a PostgreSQL",
        "A user or password in it has characters that mean something else in a URI, such as @ : / ? # %.",
        "Take user and password out of the URI: PGUSER and PGPASSWORD hold them as they are.",
    ),
    "database-error": Cause(
        EXIT_DATABASE_REFUSES,
        "the database refuses what the tracking server asks",
        "The user may log in, but not use the tables: they belong to another user, most likely.",
        "Make the user the owner of the database and of its tables: ALTER DATABASE … OWNER TO …, REASSIGN OWNED BY … TO …",
    ),
    "database-missing": Cause(
        EXIT_DATABASE_REFUSES,
        "the server has no such database",
        "The database was never made, was dropped, or has another name in --backend-store-uri.",
        "Make it (CREATE DATABASE … OWNER …), or correct the name (prop database of the store).",
    ),
    "database-init": Cause(
        EXIT_DATABASE_REFUSES,
        "the empty database could not be initialised",
        "The lines above say why; most often the user may not make tables in it.",
        "Make the user the owner of the database: ALTER DATABASE … OWNER TO …",
    ),
    "schema-older": Cause(
        EXIT_SCHEMA,
        "the schema of the database is older than this MLflow: it is at revision {actual}, MLflow wants {wanted}",
        "MLflow would change the schema at its start, without asking and with no way back.",
        "Take a backup, then upgrade: set the prop upgradeSchema of TrackingServer (or run mlflow db upgrade). "
        "To stay, use the image that the database was made with.",
    ),
    "schema-newer": Cause(
        EXIT_SCHEMA,
        "the schema of the database is newer than this MLflow: it is at revision {actual}, MLflow has {wanted}",
        "The image was rolled back, or another server with a newer one shares the database.",
        "Use the newer image again, or restore the backup that was taken before the upgrade.",
    ),
    "schema-upgrade": Cause(
        EXIT_SCHEMA,
        "the schema of the database could not be upgraded",
        "The lines above say why. Before it failed, the upgrade may have changed some of the tables.",
        "Restore the backup that was taken before, and mend what the lines above name.",
    ),
    "server-absent": Cause(
        EXIT_SERVER,
        "the tracking server does not answer",
        "It is not running or not ready yet, or the URI has another host or port.",
        "See the pods and their logs: kubectl get pods, kubectl logs deployment/{deployment}.",
    ),
    "host-refused": Cause(
        EXIT_SERVER,
        "the tracking server refuses the host name of the request",
        "MLflow answers for the hosts in --allowed-hosts only, and compares them with the port: name:*.",
        "Add the host of {uri} to the prop allowedHosts.",
    ),
    "server-error": Cause(
        EXIT_SERVER,
        "the tracking server answers with an error",
        "What a client sees as too many 500 error responses has its reason in the log of the server: most often it is the "
        "artifact store.",
        "Run the doctor in the pod: kubectl exec deployment/{deployment} -- python3 /app/start-mlflow.py doctor",
    ),
    "presigned-offered": Cause(
        EXIT_SERVER,
        "the tracking server sends its clients to the artifact store, by presigned URLs",
        "MLflow does so since 3.15 unless the plugin for ArtifactTransfer.PROXIED is there; a client that cannot reach the "
        "store hangs.",
        "Use ArtifactTransfer.PROXIED, or give the store an endpoint that all clients reach.",
    ),
    "experiment-direct": Cause(
        EXIT_CLIENT,
        "experiments from before still have their artifacts at s3://, so clients go there by themselves",
        "An experiment keeps the artifact location that it was made with; its clients need keys, and without good ones they get "
        "InvalidAccessKeyId or NoCredentialsError.",
        "Make a new experiment and log into that. No setting of the server changes an old one.",
    ),
    "client-keys": Cause(
        EXIT_CLIENT,
        "this client has S3 settings that a proxied server does not need",
        "They do no harm in a new experiment, and in an old one, at s3://, they are what the store refuses.",
        "Unset them.",
    ),
}


class Problem(Exception):
    """A cause that was met: what was tried, where, and what came back."""

    def __init__(self, name, tried, where="", answer="", **values):
        super().__init__(name)
        self.name = name
        self.cause = CAUSES[name]
        self.passing = self.cause.passing
        self.tried = tried
        self.where = where
        # one line, and without the query of a URL
        self.answer = re.sub(r"(https?://[^\s\"?]*)\?[^\s\"]*", r"\1", " ".join(answer.split()))
        self.values = {
            "deployment": os.environ.get("STARTUP_DEPLOYMENT", "mlflow"),
            "secret_source": source_of("AWS_SECRET_ACCESS_KEY"),
            "password_source": source_of("PGPASSWORD"),
            "source": source_of("AWS_ACCESS_KEY_ID"),
            "hint": "",
            **values,
        }

    @property
    def title(self):
        return redact(self.cause.title.format(**self.values))

    def lines(self):
        parts = {
            "tried": self.tried,
            "where": self.where,
            "answer": self.answer,
            "cause": self.cause.why.format(**self.values),
            "fix": self.cause.fix.format(**self.values),
        }
        return [f"ERROR: {self.title}", *(f"  {name + ':':8}{redact(text)}" for name, text in parts.items() if text)]

    def record(self):
        """For machines."""
        return {
            "cause": self.name,
            "title": self.title,
            "tried": self.tried,
            "where": self.where,
            "answer": redact(self.answer),
            "why": redact(self.cause.why.format(**self.values)),
            "fix": redact(self.cause.fix.format(**self.values)),
            "exitCode": self.cause.code,
        }


def say(line):
    print(line, flush=True)


def warn(line):
    print(f"WARNING: {redact(line)}", file=sys.stderr, flush=True)


def fail(code, lines):
    """Ends with the lines on stderr and as the pod's termination message."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)
    try:
        with open(os.environ.get("TERMINATION_LOG", "/dev/termination-log"), "r+b") as file:
            file.write("\n".join(lines).encode()[:4096])
    except OSError:
        pass
    sys.exit(code)


def redact(text):
    """Takes secrets out of a text, and all but the beginning of a key id."""
    for variable in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD"):
        for value in {os.environ.get(variable, ""), os.environ.get(variable, "").strip()}:
            if len(value) >= 4:
                text = text.replace(value, f"({variable})")
    key = os.environ.get("AWS_ACCESS_KEY_ID", "").strip()
    return text.replace(key, masked(key)) if len(key) > 5 else text


def masked(key):
    """A key id may be known by its beginning; a secret key that stands in its place may not."""
    return f"{key[:5]}... ({len(key)} characters)" if len(key) <= 32 else f"(not shown, {len(key)} characters)"


def source_of(variable):
    """Where the pod takes a variable from, as the construct that made the pod told."""
    sources = json.loads(os.environ.get("STARTUP_SOURCES", "{}"))
    return f"{sources[variable]} ({variable})" if variable in sources else variable


def flag(arguments, name, default=""):
    """The value of a flag of the command, written as one argument or as two."""
    for position, argument in enumerate(arguments):
        if argument.startswith(name + "="):
            return argument[len(name) + 1 :]
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
    return default


# --- environment


def put_credentials_in_place(environment):
    """Sets what boto3 reads, all of it and without white space, so that no other source of credentials can win."""
    for variable in CLEANED:
        value = environment.get(variable)
        if value is not None and value != value.strip():
            environment[variable] = value.strip()
            warn(
                f"{source_of(variable)} has white space or a newline around its value, which boto3 would send along: "
                "taken without it. Write the Secret with printf or --from-literal, not with echo."
            )
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        if not environment.get(variable):
            tried = f"reading {variable} from the environment"
            raise Problem("key-missing", tried, variable=variable, source=source_of(variable))
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or DEFAULT_REGION
    environment["AWS_DEFAULT_REGION"] = region
    environment["AWS_REGION"] = environment.get("AWS_REGION") or region
    if environment.get("AWS_SESSION_TOKEN") == "":
        del environment["AWS_SESSION_TOKEN"]


def broken_form(value):
    """What makes a value certainly no key."""
    if value[0] in "\"'" or value[-1] in "\"'":
        return "is in quotes"
    if re.search(r"\$\(|\$\{|\{\{", value):
        return "is a placeholder that nobody replaced"
    if re.search(r"[\s\x00-\x1f\x7f]", value) or not value.isascii():
        return "has white space, a control character or a letter beyond ASCII in it"
    return None


def looks_encoded(value):
    """Whether a value is base64 of something that looks like a key."""
    try:
        return re.fullmatch(rb"[\w.+/=-]{3,}\s*", base64.b64decode(value, validate=True)) is not None
    except (binascii.Error, ValueError):
        return False


def suspicious_form(variable, value):
    """What explains that a store does not know a value; a good key might look like it as well."""
    if variable == "AWS_ACCESS_KEY_ID" and len(value) > 30 and len(os.environ.get("AWS_SECRET_ACCESS_KEY", "")) <= 20:
        return "was swapped with the secret key, as the lengths tell"
    if looks_encoded(value):
        return "is base64, so it was encoded twice (stringData wants the plain value, data wants it encoded once)"
    return None


def judge_environment(environment):
    """Raises for what cannot work, and warns of what may interfere."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        form = broken_form(environment[variable])
        if form is not None:
            raise Problem("key-form", f"reading {variable}", variable=variable, source=source_of(variable), form=form)
    judge_endpoint(environment.get("MLFLOW_S3_ENDPOINT_URL"))
    extra = environment.get("MLFLOW_S3_UPLOAD_EXTRA_ARGS")
    if extra:
        try:
            if not isinstance(json.loads(extra), dict):
                raise ValueError("it is no JSON object")
        except ValueError as error:
            raise Problem("upload-args-form", "reading MLFLOW_S3_UPLOAD_EXTRA_ARGS", form=str(error)) from None
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


def judge_endpoint(endpoint):
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
    if parsed.path not in ("", "/") or parsed.query or parsed.fragment:
        raise Problem("endpoint-bucket", "reading MLFLOW_S3_ENDPOINT_URL", endpoint, path=endpoint.split(parsed.netloc, 1)[1])


def shared_files():
    candidates = (
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    )
    return [path for path in candidates if os.path.isfile(os.path.expanduser(path))]


def proxy_for(endpoint):
    """The proxy variable that applies to an endpoint, if one does."""
    parsed = urllib.parse.urlsplit(endpoint)
    if urllib.request.getproxies_environment().get(parsed.scheme) is None:
        return None
    if urllib.request.proxy_bypass_environment(parsed.hostname or ""):
        return None
    names = (f"{parsed.scheme}_proxy", f"{parsed.scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), names[1])


# --- artifact store


class ArtifactStore:
    """The S3 bucket of the tracking server, used as MLflow uses it."""

    module = "boto3"

    def __init__(self, arguments):
        self.destination = flag(arguments, "--artifacts-destination", os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""))
        parsed = urllib.parse.urlsplit(self.destination)
        self.checkable = parsed.scheme == "s3"
        self.bucket = parsed.netloc
        self.key = "/".join(part for part in (parsed.path.strip("/"), PROBE_PREFIX + uuid.uuid4().hex) if part)
        self.direct = os.environ.get("STARTUP_ARTIFACT_TRANSFER") == "direct"
        self.user_may_come_late = os.environ.get("STARTUP_USER_MAY_COME_LATE") == "true"
        self.client = None
        self.endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL", "")

    @property
    def name(self):
        return f"the artifact store at {self.endpoint or 'S3'}"

    def connect(self):
        """A client made as MLflow makes its own, but for the patience."""
        import boto3
        from botocore.client import Config
        from botocore.exceptions import BotoCoreError

        style = os.environ.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "auto")
        insecure = os.environ.get("MLFLOW_S3_IGNORE_TLS", "false").lower() in ("true", "1")
        try:
            self.client = boto3.client(
                "s3",
                endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"),
                verify=False if insecure else None,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": style},
                    connect_timeout=3,
                    read_timeout=10,
                    retries={"total_max_attempts": 1},
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise self.problem(error, "making an S3 client") from None
        self.endpoint = self.client.meta.endpoint_url

    def extra_args(self):
        return json.loads(os.environ.get("MLFLOW_S3_UPLOAD_EXTRA_ARGS") or "{}")

    def steps(self):
        """Name and action of each step of the check, in order."""
        target = {"Bucket": self.bucket, "Key": self.key}
        content = uuid.uuid4().bytes

        def get():
            if self.client.get_object(**target)["Body"].read() != content:
                answer = "other content than was put"
                raise Problem("store-error", f"GET {self.url}", self.endpoint, answer, answer_code="content")

        yield "LIST", lambda: self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.key, MaxKeys=1)
        yield "region of", self.check_region
        yield "PUT", lambda: self.client.put_object(**target, Body=content, **self.extra_args())
        yield "GET", get
        if self.direct:
            yield "GET presigned", lambda: self.get_presigned(target, content)
        yield "DELETE", lambda: self.client.delete_object(**target)

    @property
    def url(self):
        return f"s3://{self.bucket}/{self.key}"

    def get_presigned(self, target, content):
        url = self.client.generate_presigned_url("get_object", Params=target, ExpiresIn=60)
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = "" if response.read() == content else "other content than was put"
        except urllib.error.HTTPError as error:
            code = re.search(rb"<Code>(\w+)</Code>", error.read())
            answer = f"{error.code} {code[1].decode() if code else error.reason}"
        except OSError as error:
            answer = str(error)
        if answer:
            raise Problem("presigned", f"GET of a presigned URL of {self.url}", self.endpoint, answer, answer_code=answer)

    def check(self):
        from botocore.exceptions import BotoCoreError, ClientError

        if self.client is None:
            self.connect()
        for step, action in self.steps():
            try:
                action()
            except (ClientError, BotoCoreError, ValueError) as error:
                raise self.problem(error, f"{step} {self.url} as {masked(os.environ.get('AWS_ACCESS_KEY_ID', ''))}") from None

    def prepare(self, wait):
        self.check()

    def check_region(self):
        """Compares the region with the one of the store. A wrong one breaks presigned URLs only."""
        from botocore.exceptions import BotoCoreError, ClientError

        region = self.client.meta.region_name
        try:
            actual = self.client.get_bucket_location(Bucket=self.bucket).get("LocationConstraint") or DEFAULT_REGION
        except ClientError as error:
            actual = error.response["Error"].get("Region")
        except BotoCoreError:
            return
        if actual and actual != region:
            tried = f"asking for the region of bucket {self.bucket}"
            problem = Problem("region", tried, self.endpoint, actual, region=region, actual=actual)
            if self.direct:
                raise problem
            warn(f"{problem.title}. {problem.cause.why}")

    def problem(self, error, tried):
        """The cause behind an error of boto3."""
        from botocore import exceptions

        response = getattr(error, "response", {})
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        where = self.endpoint + (f', answered by "{headers["server"]}"' if headers.get("server") else "")
        details = response.get("Error", {})
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        code = details.get("Code") or (str(status) if response else type(error).__name__)
        answer = f"{status} {code}: {details.get('Message', '')}".strip() if response else f"{code}: {error}"

        def found(name, **values):
            return Problem(name, tried, where, answer, bucket=self.bucket, answer_code=code, **values)

        proxy = proxy_for(self.endpoint) if self.endpoint else None
        if isinstance(error, exceptions.ProxyConnectionError) or (
            proxy and not code.isalpha() and str(status) in ("403", "407", "502", "503", "504")
        ):
            host = urllib.parse.urlsplit(self.endpoint).hostname
            return found("proxy", variable=proxy or "HTTP_PROXY", host=host)
        if isinstance(error, exceptions.ProfileNotFound):
            return found("profile-missing", profile=os.environ.get("AWS_PROFILE", ""))
        if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
            return found("key-missing", variable="AWS_ACCESS_KEY_ID")
        if isinstance(error, exceptions.ParamValidationError) and self.extra_args():
            return found("upload-args-form", form=" ".join(str(error).split()))
        if isinstance(error, ValueError) and "endpoint" in str(error):
            return found("endpoint-form", form=str(error))
        if isinstance(error, exceptions.EndpointConnectionError):
            return self.absent(found)
        if code == "InvalidAccessKeyId":
            return self.unknown_key(found)
        if code == "SignatureDoesNotMatch":
            form = suspicious_form("AWS_SECRET_ACCESS_KEY", os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
            if form:
                return found("key-form", variable="AWS_SECRET_ACCESS_KEY", source=source_of("AWS_SECRET_ACCESS_KEY"), form=form)
            return found("secret-wrong")
        if code in ("InvalidTokenId", "InvalidToken", "ExpiredToken"):
            return found("session-token")
        if code == "RequestTimeTooSkewed":
            return found("clock", hint=skew(headers.get("date")))
        if code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"):
            return found("region", region=self.client.meta.region_name, actual=details.get("Region", "another"))
        if code in ("NoSuchBucket", "404"):
            return found("bucket-missing")
        if tried.startswith("PUT") and self.extra_args() and code != "AccessDenied" and str(status)[:1] in ("4", "5"):
            return found("upload-args")
        if code in ("AccessDenied", "403", "AllAccessDisabled"):
            return found("denied")
        if code in ("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage"):
            return found("store-full")
        if response:
            return found("store-error")
        return found("store-absent")

    def absent(self, found):
        host = urllib.parse.urlsplit(self.endpoint).hostname or ""
        virtual = f"{self.bucket}.{host}"
        style = (self.client.meta.config.s3 or {}).get("addressing_style") if self.client else None
        if style == "virtual" and resolves(host) and not resolves(virtual):
            return found("virtual-addressing", host=virtual)
        return found("store-absent")

    def unknown_key(self, found):
        for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
            if os.environ.get("MLFLOW_S3_ENDPOINT_URL") is None and os.environ.get(variable):
                return found("endpoint-elsewhere", elsewhere=variable, endpoint=self.endpoint)
        if os.environ.get("MLFLOW_S3_ENDPOINT_URL") is None and shared_files() and "amazonaws.com" not in self.endpoint:
            return found("endpoint-elsewhere", elsewhere=" or ".join(shared_files()), endpoint=self.endpoint)
        form = suspicious_form("AWS_ACCESS_KEY_ID", os.environ.get("AWS_ACCESS_KEY_ID", ""))
        if form:
            return found("key-form", variable="AWS_ACCESS_KEY_ID", source=source_of("AWS_ACCESS_KEY_ID"), form=form)
        hint = f"; keys in {' or '.join(shared_files())} are not used, since the environment wins" if shared_files() else ""
        problem = found("key-unknown", hint=hint)
        problem.passing = self.user_may_come_late
        return problem


def resolves(host):
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def skew(date):
    try:
        seconds = time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return ""
    return f"; this node is {abs(seconds) / 60:.0f} minutes {'ahead' if seconds > 0 else 'behind'}"


# --- database


def is_postgres(uri):
    return re.match(r"postgres(ql)?(\+\w+)?://", uri) is not None


class Database:
    """The PostgreSQL of the tracking server."""

    module = "psycopg2"

    def __init__(self, arguments):
        self.uri = flag(arguments, "--backend-store-uri", os.environ.get("MLFLOW_BACKEND_STORE_URI", ""))
        self.root = flag(arguments, "--default-artifact-root", os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", ""))
        self.checkable = is_postgres(self.uri)
        # host and port without what else may stand in the URI
        self.server = re.sub(r"^[^:]+://(.*@)?([^/?]*).*$", r"\2", self.uri) or "localhost"

    @property
    def name(self):
        return f"the database at {self.server}"

    def connect(self):
        import psycopg2 as driver

        libpq_uri = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", self.uri)
        tried = f"logging in as {os.environ.get('PGUSER', 'the user of the URI')}"
        try:
            connection = driver.connect(libpq_uri, connect_timeout=5)
        except (driver.OperationalError, driver.ProgrammingError) as error:
            answer = " ".join(str(error).split())
            if re.match("invalid |missing ", answer):
                raise Problem("database-uri", "reading --backend-store-uri", self.server) from None
            final = "FATAL:" in answer and not any(refusal in answer for refusal in PASSING_REFUSALS)
            name = "database-refuses" if final else "database-absent"
            if final and "database" in answer and "does not exist" in answer:
                name = "database-missing"
            raise Problem(name, tried, self.server, answer) from None
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def cursor(self):
        """A cursor of a connection of its own, which is closed in the end."""
        import psycopg2 as driver

        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                yield cursor
        except (driver.OperationalError, driver.InterfaceError) as error:
            raise Problem("database-absent", "asking the database", self.server, str(error)) from None
        except driver.Error as error:
            raise Problem("database-error", "asking the database", self.server, str(error)) from None
        finally:
            connection.close()

    def check(self):
        """Reachable, and the schema fits; for doctor and monitor."""
        with self.cursor() as cursor:
            self.judge_schema(revision(cursor))

    def judge_schema(self, actual):
        known, wanted = package_revisions()
        if actual in (None, wanted) or wanted is None:
            return
        name = "schema-older" if actual in known else "schema-newer"
        raise Problem(name, "reading the revision of the schema", self.server, actual, actual=actual, wanted=wanted)

    def prepare(self, wait):
        """Initialises an empty database while no other pod does, and upgrades an older one where that is wanted.

        Two servers that start on an empty database at the same time both make the tables, and one of them dies of it.
        """
        with self.cursor() as cursor:
            # held until the connection closes, even if this pod dies
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (INIT_LOCK,))
            while not cursor.fetchone()[0]:
                reason = "another pod is initialising it"
                if not wait(self.name, reason):
                    raise wait.over(Problem("database-absent", "taking the lock for initialisation", self.server, reason))
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (INIT_LOCK,))
            actual = revision(cursor)
            if actual is None:
                say("The database is empty: initialising it")
                self.run("database-init", "making the tables of MLflow", [sys.executable, "-c", INITIALISE, self.uri, self.root])
                return
            try:
                self.judge_schema(actual)
            except Problem as problem:
                if problem.name != "schema-older" or os.environ.get("STARTUP_UPGRADE_SCHEMA") != "true":
                    raise
                say(f"Upgrading the schema of the database from revision {actual} to {problem.values['wanted']}")
                self.run("schema-upgrade", "mlflow db upgrade", ["mlflow", "db", "upgrade", self.uri])

    def run(self, cause, tried, command):
        code = subprocess.run(command, check=False).returncode
        if code != 0:
            raise Problem(cause, tried, self.server, f"exit code {code}")


def revision(cursor):
    """Revision of the schema, None where there is none."""
    cursor.execute("SELECT to_regclass('alembic_version')")
    if cursor.fetchone()[0] is None:
        return None
    cursor.execute("SELECT version_num FROM alembic_version")
    row = cursor.fetchone()
    return row[0] if row else None


def package_revisions():
    """All revisions of the MLflow in this image, and the newest. Read from its files: to import it takes seconds."""
    spec = importlib.util.find_spec("mlflow")
    known, below = set(), set()
    for location in (spec.submodule_search_locations or []) if spec else []:
        for path in glob.glob(os.path.join(location, "store", "db_migrations", "versions", "*.py")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            known.update(re.findall(r"^revision\s*=\s*[\"'](\w+)", text, re.MULTILINE))
            for line in re.findall(r"^down_revision\s*=(.*)$", text, re.MULTILINE):
                below.update(re.findall(r"[\"'](\w+)[\"']", line))
    heads = known - below
    return known, heads.pop() if len(heads) == 1 else None


# --- start


class Wait:
    """Waits, with a line whenever the reason changes, until the time is up."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self.line = None

    def __call__(self, what, reason):
        """False when the time is up."""
        line = redact(f"Waiting for {what}: {reason}")
        if line != self.line:
            self.line = line
            say(line)
        if time.monotonic() + RETRY_SECONDS > self.end:
            return False
        time.sleep(RETRY_SECONDS)
        return True

    def over(self, problem):
        """The problem that was waited for, as one that nobody waits for any more."""
        problem.answer = f"{problem.answer} (gave up after {self.seconds:g} s, the prop startupDeadline)".strip()
        problem.passing = False
        return problem


def until_well(wait, part):
    while True:
        try:
            return part.prepare(wait)
        except Problem as problem:
            if not problem.passing:
                raise
            if not wait(part.name, f"{problem.title}; {problem.answer}" if problem.answer else problem.title):
                raise wait.over(problem) from None


def installed(part):
    """Whether this Python has what the check of a store needs."""
    return importlib.util.find_spec(part.module) is not None


def start(arguments):
    # process 1 ignores signals that it has no handler for, and waiting must not outlive the pod
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        put_credentials_in_place(os.environ)
        if not arguments:
            fail(EXIT_USAGE, ["ERROR: no command to start", __doc__.splitlines()[0]])
        judge_environment(os.environ)
        wait = Wait(float(os.environ.get("STARTUP_DEADLINE_SECONDS", "300")))
        for part in (ArtifactStore(arguments), Database(arguments)):
            if not part.checkable:
                continue
            if not installed(part):
                warn(
                    f"this Python has no {part.module}, so {part.name} is not checked: use an MLflow image with the suffix -full"
                )
                continue
            until_well(wait, part)
    except Problem as problem:
        fail(problem.cause.code, problem.lines())
    say(f"Starting MLflow with AWS credentials: {os.environ['AWS_ACCESS_KEY_ID'][:5]}...")
    os.execvp(arguments[0], arguments)


# --- doctor


class Result:
    def __init__(self, name, note="", problem=None):
        self.name = name
        self.note = note
        self.problem = problem


def examine(name, action):
    """Runs one check of the doctor."""
    try:
        return Result(name, action() or "")
    except Problem as problem:
        return Result(name, problem=problem)


def request(url, method="GET", body=None, timeout=10):
    """One HTTP request, to the tracking server. An answer of any status is an answer."""
    headers = {"Content-Type": "application/json"} if isinstance(body, str) else {}
    data = body.encode() if isinstance(body, str) else body
    local = urllib.parse.urlsplit(url).hostname == "127.0.0.1"
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
    try:
        with opener.open(urllib.request.Request(url, data, headers, method=method), timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(getattr(error, "reason", error)).encode()


class TrackingServer:
    """The running server, as its clients see it."""

    def __init__(self, uri):
        self.uri = uri.rstrip("/")

    def expect(self, path, tried, method="GET", body=None):
        status, answer = request(self.uri + path, method, body)
        if status == 200:
            return answer
        text = f"{status or 'no answer'} {answer[:300].decode('utf-8', 'replace')}".strip()
        refused = status == 403 and b"host" in answer.lower()
        name = "server-absent" if status == 0 else "host-refused" if refused else "server-error"
        raise Problem(name, tried, self.uri, text, uri=self.uri)

    def health(self):
        self.expect("/health", "GET /health")
        return f"MLflow {self.expect('/version', 'GET /version').decode()}"

    def round_trip(self):
        """Uploads, downloads and deletes an artifact the way a client does."""
        path = f"/api/2.0/mlflow-artifacts/artifacts/{PROBE_PREFIX}{uuid.uuid4().hex}"
        content = uuid.uuid4().bytes
        self.expect(path, "uploading an artifact through the server", "PUT", content)
        back = self.expect(path, "downloading it through the server")
        self.expect(path, "deleting it through the server", "DELETE")
        if back != content:
            tried = "downloading an artifact through the server"
            raise Problem("server-error", tried, self.uri, "other content than was uploaded")

    def keeps_clients_off_s3(self):
        info = json.loads(self.expect("/api/3.0/mlflow/server-info", "GET server-info"))
        offers = [key for key in ("multipart_uploads_enabled", "multipart_downloads_enabled") if info.get(key)]
        if offers:
            raise Problem("presigned-offered", "GET server-info", self.uri, ", ".join(f"{key}: true" for key in offers))

    def experiments(self):
        token = None
        while True:
            body = {"max_results": 1000, "view_type": "ACTIVE_ONLY", **({"page_token": token} if token else {})}
            answer = self.expect("/api/2.0/mlflow/experiments/search", "searching experiments", "POST", json.dumps(body))
            page = json.loads(answer)
            yield from page.get("experiments", [])
            token = page.get("next_page_token")
            if not token:
                return

    def no_direct_experiments(self):
        found = [e for e in self.experiments() if not e["artifact_location"].startswith("mlflow-artifacts:")]
        if found:
            names = "; ".join(f'{e["experiment_id"]} "{e["name"]}" at {e["artifact_location"]}' for e in found[:20])
            more = f" and {len(found) - 20} more" if len(found) > 20 else ""
            raise Problem("experiment-direct", "reading the artifact locations of all experiments", self.uri, names + more)


def client_environment():
    """What on a client's machine has nothing to do with a proxied server, and sends old experiments astray."""
    names = [
        name
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "MLFLOW_S3_ENDPOINT_URL")
        if os.environ.get(name)
    ]
    if names:
        raise Problem("client-keys", "reading the environment of this client", answer=", ".join(names) + " set")


def examine_client(uri):
    server = TrackingServer(uri)
    yield examine("environment of this client", client_environment)
    yield from examine_server(server)


def examine_server(server, direct=False):
    yield examine("tracking server", server.health)
    yield examine("upload through the server", server.round_trip)
    if not direct:
        yield examine("clients kept off the artifact store", server.keeps_clients_off_s3)
    yield examine("experiments are proxied", server.no_direct_experiments)


def examine_all():
    arguments = server_arguments()
    environment = dict(os.environ)

    def judged():
        put_credentials_in_place(os.environ)
        judge_environment(os.environ)
        cleaned = [name for name in CLEANED if environment.get(name) != os.environ.get(name) and environment.get(name)]
        return f"white space was dropped: {', '.join(cleaned)}" if cleaned else ""

    yield examine("environment", judged)
    store, database = ArtifactStore(arguments), Database(arguments)
    for part in (store, database):
        if part.checkable and installed(part):
            yield examine(part.name, part.check)
    server = TrackingServer(f"http://127.0.0.1:{flag(arguments, '--port', '5000')}")
    yield from examine_server(server, store.direct)


def server_arguments():
    """Those of the server that runs as process 1, else those behind the word doctor or monitor."""
    try:
        with open("/proc/1/cmdline", "rb") as file:
            arguments = file.read().decode().split("\0")
    except OSError:
        arguments = []
    return arguments if any(argument.startswith("--artifacts-destination") for argument in arguments) else sys.argv[2:]


def doctor(arguments):
    parser = argparse.ArgumentParser(prog="start-mlflow.py doctor")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--client", metavar="URL", help="examine a tracking server as its client")
    options, _ = parser.parse_known_args(arguments)
    results = list(examine_client(options.client) if options.client else examine_all())
    failed = [result for result in results if result.problem]
    if options.json:
        checks = [
            {"check": r.name, "ok": not r.problem, "note": redact(r.note), **(r.problem.record() if r.problem else {})}
            for r in results
        ]
        say(json.dumps({"ok": not failed, "checks": checks}, indent=2))
    else:
        for result in results:
            say(f"{'✗' if result.problem else '✓'} {result.name}{': ' + redact(result.note) if result.note else ''}")
            for line in result.problem.lines() if result.problem else []:
                say(f"    {line}")
    return failed[0].problem.cause.code if failed else 0


# --- monitor


class Monitor:
    """Checks both stores again and again, and tells by HTTP: /metrics for Prometheus, /ready for Kubernetes.

    It runs in a pod of its own: a store that takes no more writes must not take reading away from all users, as it would
    if the tracking server itself became unready.
    """

    INTERVAL_SECONDS = 15
    METRICS = (("mlflow_artifact_store_writable", "artifact"), ("mlflow_database_reachable", "database"))

    def __init__(self, arguments):
        self.parts = {"artifact": ArtifactStore(arguments), "database": Database(arguments)}
        self.problems = {name: "not checked yet" for name in self.parts}
        self.lines = {}

    def run_once(self):
        for name, part in self.parts.items():
            problem = None
            if part.checkable and installed(part):
                problem = examine(part.name, part.check).problem
            lines = problem.lines() if problem else [f"OK: {part.name}"]
            if lines[0] != self.lines.get(name):
                self.lines[name] = lines[0]
                for line in lines:
                    say(line)
            self.problems[name] = problem

    def metrics(self):
        lines = []
        for metric, name in self.METRICS:
            lines += [f"# TYPE {metric} gauge", f"{metric} {0 if self.problems[name] else 1}"]
        return "\n".join(lines) + "\n"

    def ready(self):
        texts = [p if isinstance(p, str) else "\n".join(p.lines()) for p in self.problems.values() if p]
        return (503, "\n".join(texts) + "\n") if texts else (200, "ok\n")


def monitor(arguments):
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        put_credentials_in_place(os.environ)
    except Problem as problem:
        fail(problem.cause.code, problem.lines())
    watch = Monitor(arguments)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            pages = {"/metrics": lambda: (200, watch.metrics()), "/ready": watch.ready}
            status, text = pages.get(self.path, lambda: (404, "no such page\n"))()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("", int(os.environ.get("STARTUP_MONITOR_PORT", "8080"))), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        watch.run_once()
        time.sleep(watch.INTERVAL_SECONDS)


def catalogue():
    """All causes, as the table of the README."""
    texts = "".join(cause.title + cause.why + cause.fix for cause in CAUSES.values())
    names = {name: f"`<{name}>`" for name in re.findall(r"\{(\w+)\}", texts)}
    names["hint"] = ""
    say("| Exit code | What it says | Cause | Fix |\n| --- | --- | --- | --- |")
    for cause in CAUSES.values():
        cells = (str(cause.code), *(text.format(**names) for text in (cause.title, cause.why, cause.fix)))
        say("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")


def main(arguments):
    if arguments[:1] == ["doctor"]:
        sys.exit(doctor(arguments[1:]))
    if arguments[:1] == ["monitor"]:
        monitor(arguments[1:])
    elif arguments == ["causes"]:
        catalogue()
    else:
        start(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
