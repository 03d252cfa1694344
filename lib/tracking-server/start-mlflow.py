#!/usr/bin/env python3
"""Starts the MLflow tracking server, or says why it would not work.

start-mlflow.py COMMAND [ARGUMENT...]    check environment, artifact store and database, then become the command
start-mlflow.py doctor [--json]          all checks, against the running server; changes nothing
start-mlflow.py doctor --client URL      for notebooks: is it this environment, or the experiment?
start-mlflow.py monitor [PORT]           checks both stores again and again; health and metrics by HTTP
start-mlflow.py gc [ARGUMENT...]         makes sure that the tracking server answers, then becomes mlflow gc
start-mlflow.py causes                   the catalogue of causes, as a Markdown table
"""

import argparse
import base64
import binascii
import configparser
import contextlib
import email.utils
import fnmatch
import glob
import http.client
import http.server
import importlib.util
import json
import os
import re
import signal
import socket
import ssl
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
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CLEANED = (*KEYS, "AWS_SESSION_TOKEN", "MLFLOW_S3_ENDPOINT_URL")
CLEANED_LOGIN = (
    "MLFLOW_AUTH_ADMIN_USERNAME",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)
SECRET_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PGPASSWORD",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_CLIENT_SECRET",
)
MIN_PASSWORD_LENGTH = 12
# the one that older MLflow versions shipped, which MLflow refuses
LEGACY_PASSWORD = "password1234"  # noqa: S105
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
# Programs of child processes. The URI is in their environment: arguments can be read by every process of the machine.
INITIALISE = """
import os, sys
from mlflow.server.handlers import initialize_backend_stores
initialize_backend_stores(os.environ["MLFLOW_BACKEND_STORE_URI"], None, sys.argv[1] or None)
"""
UPGRADE = """
import os
from mlflow.cli import cli
cli(["db", "upgrade", os.environ["MLFLOW_BACKEND_STORE_URI"]], prog_name="mlflow")
"""
INITIALISE_LOGIN = """
from mlflow.server.auth import auth_config, create_admin_user, store
store.init_db(auth_config.database_uri)
create_admin_user(auth_config.admin_username, auth_config.admin_password)
"""
GC = """
import os, sys
from mlflow.cli import cli
cli(["gc", "--backend-store-uri", os.environ["MLFLOW_BACKEND_STORE_URI"], *sys.argv[1:]], prog_name="mlflow")
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
    "pod-identity": Cause(
        EXIT_CREDENTIALS,
        "the pod has no identity that the artifact store takes (NoCredentialsError)",
        "The pod is to use the role of its ServiceAccount, and boto3 finds none: the ServiceAccount has no annotation for it, "
        "or the webhook or agent that acts on it does not run (IRSA, EKS Pod Identity).",
        "Give the ServiceAccount its role, the prop serviceAccount with annotations, for example "
        "eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/mlflow, and restart the pod.",
    ),
    "pod-role": Cause(
        EXIT_CREDENTIALS,
        "the role of the pod's ServiceAccount is refused ({answer_code} at AssumeRoleWithWebIdentity)",
        "The trust policy of the role {role} does not have this ServiceAccount, its namespace or the cluster's OIDC provider, or "
        "there is no such role.",
        "Correct the trust policy of the role (condition on system:serviceaccount:NAMESPACE:NAME), or the annotation of the "
        "ServiceAccount (prop serviceAccount).",
    ),
    "store-certificate": Cause(
        EXIT_STORE_REFUSES,
        "the certificate of the artifact store is not trusted",
        "It was not issued by an authority that this pod knows, is for another host name, or has expired{hint}.",
        "Give the store the certificate of its authority (prop ca, or tls of the store made here), which becomes AWS_CA_BUNDLE; "
        "the host of the endpoint must be one of the names in the certificate.",
    ),
    "store-tls": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store does not speak TLS as the endpoint asks for",
        "The endpoint says https://, and what answers there speaks plain HTTP or a version of TLS that is not taken.",
        "Correct the endpoint (http:// or the port), or give the store TLS (prop tls of the store).",
    ),
    "cloud-credentials": Cause(
        EXIT_CREDENTIALS,
        "the artifact store does not take the credentials of the pod ({answer_code})",
        "There are none, they are wrong, or they have expired. {reads}",
        "Give the pod's ServiceAccount an identity (prop serviceAccount with annotations), or the variables and files above "
        "(prop extraEnv from a Secret), and restart the pod.",
    ),
    "cloud-denied": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store denies access to {bucket} ({answer_code})",
        "The identity of the pod is known, and has no right to write, read and delete there.",
        "Give it a role that may: Storage Object User on the bucket (Google), Storage Blob Data Contributor on the container "
        "(Azure).",
        passing=True,
    ),
    "cloud-bucket-missing": Cause(
        EXIT_STORE_ABSENT,
        "{bucket} does not exist in the artifact store ({answer_code})",
        "It was not made yet, was deleted, or has another name in --artifacts-destination.",
        "Make it, or correct the name in the destination.",
        passing=True,
    ),
    "cloud-absent": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store cannot be reached ({answer_code})",
        "The name does not resolve, or a NetworkPolicy, a firewall or a proxy is in the way.",
        "Let the pod reach the store's host at port 443 (prop networkPolicy), or set HTTPS_PROXY (prop extraEnv).",
        passing=True,
    ),
    "destination-form": Cause(
        EXIT_ENVIRONMENT,
        "--artifacts-destination is no place that MLflow knows: {form}",
        "MLflow takes the container of an Azure account as wasbs://CONTAINER@ACCOUNT.blob.core.windows.net/PATH.",
        "Correct the destination, for example wasbs://mlflow@myaccount.blob.core.windows.net/artifacts.",
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
        "See the pods and the Service of the database (kubectl get pods,service), and {uri_source}.",
        passing=True,
    ),
    "database-refuses": Cause(
        EXIT_DATABASE_REFUSES,
        "the database refuses the user",
        "{login} is not what the database has: it was changed in one place only, or the Secret has white space in it.",
        "Correct {password_source}, or the user in the database ({alter_user}), and restart the pod.",
    ),
    "database-certificate": Cause(
        EXIT_DATABASE_REFUSES,
        "the certificate of the database is not trusted",
        "It was not issued by the authority that this pod has, is for another host name, or has expired; or the file with the "
        "authority's certificate is not there.",
        "Give the store the certificate of the database's authority (prop tls of the store), and use a host name that stands "
        "in the database's certificate.",
    ),
    "database-tls": Cause(
        EXIT_DATABASE_REFUSES,
        "the database and the tracking server do not agree about TLS",
        "One of them insists on encryption, and the other does not do it.",
        "Set the prop tls of the store to what the database does, or set the database up for it (ssl, pg_hba.conf).",
    ),
    "database-driver": Cause(
        EXIT_ENVIRONMENT,
        "this Python cannot use {uri_source}: {form}",
        "The URI asks for a dialect or driver that the image does not have.",
        "Use one that it has: postgresql:// (psycopg since SQLAlchemy 2.1, psycopg2 before), mysql+pymysql:// or "
        "mssql+pymssql://. Images with the suffix -full have them all.",
    ),
    "database-uri-form": Cause(
        EXIT_ENVIRONMENT,
        "{uri_source} is no URI that MLflow understands",
        "A user or password in it has characters that mean something else in a URI, such as @ : / ? # %.",
        "Write such characters percent-encoded, for example mysql+pymysql://mlflow:p%40ss@db.example:3306/mlflow for the "
        "password p@ss.",
    ),
    "replica": Cause(
        EXIT_DATABASE_ABSENT,
        "the read replica of the database does not answer: {form}",
        "Searches and reads of the tracking server go to the replica in MLFLOW_READ_REPLICA_BACKEND_STORE_URI, and fail.",
        "Mend the replica, or remove the prop readReplica of the store.",
    ),
    "database-uri": Cause(
        EXIT_ENVIRONMENT,
        "{uri_source} is no URI of a PostgreSQL",
        "A user or password in it has characters that mean something else in a URI, such as @ : / ? # %.",
        "Take user and password out of the URI: PGUSER and PGPASSWORD hold them as they are.",
    ),
    "database-error": Cause(
        EXIT_DATABASE_REFUSES,
        "the database refuses what the tracking server asks",
        "The user may log in, but not use the tables: they belong to another user, most likely.",
        "{own_tables}",
    ),
    "database-missing": Cause(
        EXIT_DATABASE_REFUSES,
        "the server has no such database",
        "The database was never made, was dropped, or has another name in {uri_source}.",
        "Make it (CREATE DATABASE … OWNER …), or correct the name (prop database of the store).",
    ),
    "database-init": Cause(
        EXIT_DATABASE_REFUSES,
        "the empty database could not be initialised",
        "The lines above say why; most often the user may not make tables in it.",
        "{own_database}",
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
    "login-missing": Cause(
        EXIT_CREDENTIALS,
        "{variable} not set!",
        "The tracking server has a login (--app-name=basic-auth), and MLflow does not start it without {what}.",
        "Give {source} a value (the prop basicAuth does) and restart the pod.",
    ),
    "login-password": Cause(
        EXIT_ENVIRONMENT,
        "the password of the admin is one that MLflow refuses: it {form}",
        f"MLflow takes passwords of {MIN_PASSWORD_LENGTH} characters and more, but for the one that older versions shipped.",
        "Put a longer one into {source}, for example of openssl rand -hex 16, and restart the pod.",
    ),
    "login-config": Cause(
        EXIT_ENVIRONMENT,
        "MLFLOW_AUTH_CONFIG_PATH is no configuration of MLflow's login: {form}",
        "MLflow reads default_permission and database_uri from section [mlflow] of this file.",
        "Mount the file (the prop basicAuth does), or correct it.",
    ),
    "login-needed": Cause(
        EXIT_SERVER,
        "the tracking server wants a login",
        "It, or a proxy before it, does not let in requests without user and password or a token.",
        "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
    ),
    "login-refused": Cause(
        EXIT_SERVER,
        "the tracking server refuses the login of {user}",
        "{login_source} is not what MLflow has. The password of the admin is taken from its Secret when the user is made, and "
        "not again: where it was changed in MLflow, the Secret has the old one.",
        "Put the password that MLflow has into {login_source} and restart the pods that use it, or set it in MLflow as another "
        "admin (update_user_password of mlflow.server.auth.client).",
    ),
    "login-denied": Cause(
        EXIT_SERVER,
        "the tracking server does not allow {user} to do this",
        "The login is good, but the user has no permission, or a proxy before the server lets others in only.",
        "Use an admin, or give the user the permission (mlflow.server.auth.client).",
    ),
    "gc-missing": Cause(
        EXIT_USAGE,
        "{variable} not set!",
        "Without it mlflow gc would delete the rows of another store, or the rows only and leave the artifacts.",
        "Set {variable}: {what}.",
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


# what texts say where the one who met the cause does not know better
USUAL = {
    "hint": "",
    "login": "PGPASSWORD or PGUSER",
    "alter_user": "ALTER ROLE … PASSWORD",
    "own_database": "Make the user the owner of the database: ALTER DATABASE … OWNER TO …",
    "own_tables": "Make the user the owner of the database and of its tables: "
    "ALTER DATABASE … OWNER TO …, REASSIGN OWNED BY … TO …",
    "uri_source": "--backend-store-uri",
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
            **USUAL,
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
    hidden = dict(HIDDEN)
    for variable in SECRET_VARIABLES:
        value = os.environ.get(variable, "")
        keys = re.findall(r"(?:AccountKey|SharedAccessSignature)=([^;]+)", value)
        hidden.update((secret, f"({variable})") for secret in (value, value.strip(), *keys))
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, hidden[secret])
    key = os.environ.get("AWS_ACCESS_KEY_ID", "").strip()
    return text.replace(key, masked(key)) if len(key) > 5 else text


# secrets that are no variable's whole value, each with what is shown instead
HIDDEN = {}


def hide_secrets_of(uri):
    """Keeps the password in a URI out of all texts: the whole, decoded, and the pieces that it breaks into if badly written."""
    passwords = re.findall(r"[?&;]\w*password=([^&;]*)", uri, re.IGNORECASE)
    userinfo = re.match(r"[^:/]+://(.*)@", uri, re.DOTALL)
    if userinfo and ":" in userinfo[1]:
        passwords.append(userinfo[1].split(":", 1)[1])
    for password in passwords:
        forms = (password, urllib.parse.unquote(password), urllib.parse.unquote_plus(password))
        # shorter ones are parts of words
        pieces = [piece for form in forms for piece in re.split(r"[@:/?#]", form) if len(piece) >= 6]
        for secret in (uri, *forms, *pieces):
            HIDDEN[secret] = "(password of the URI)"


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


def destination_of(arguments):
    return flag(arguments, "--artifacts-destination", os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""))


def has_login(arguments):
    return flag(arguments, "--app-name") == "basic-auth"


def uses_s3(destination):
    """Whether boto3 is, or may be, what the server stores artifacts with."""
    return urllib.parse.urlsplit(destination).scheme in ("s3", "")


def wants_keys(environment, destination):
    """Whether AWS keys have to be in the environment: not where another store has its own credentials, or the pod an identity."""
    if destination and not destination.startswith("s3:"):
        return False
    return environment.get("STARTUP_POD_IDENTITY") != "true" or any(environment.get(variable) for variable in KEYS)


def clean(environment, variables, harm):
    for variable in variables:
        value = environment.get(variable)
        if value is not None and value != value.strip():
            environment[variable] = value.strip()
            warn(
                f"{source_of(variable)} has white space or a newline around its value, which {harm}: "
                "taken without it. Write the Secret with printf or --from-literal, not with echo."
            )


def put_credentials_in_place(environment, destination):
    """Sets what boto3 reads, all of it and without white space, so that no other source of credentials can win."""
    clean(environment, CLEANED, "boto3 would send along")
    clean(environment, CLEANED_LOGIN, "would belong to it")
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


def judge_environment(environment, arguments):
    """Raises for what cannot work, and warns of what may interfere."""
    if has_login(arguments):
        judge_login(environment)
    if uses_s3(destination_of(arguments)):
        judge_s3(environment)


def judge_login(environment):
    settings = login_settings()
    for variable, setting, what in (
        ("MLFLOW_AUTH_ADMIN_USERNAME", "admin_username", "the name of its admin"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "admin_password", "a password for its admin"),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", None, "a key to sign with"),
    ):
        if not environment.get(variable, settings.get(setting)):
            tried = f"reading {variable} from the environment"
            raise Problem("login-missing", tried, variable=variable, source=source_of(variable), what=what)
    password = environment.get("MLFLOW_AUTH_ADMIN_PASSWORD", settings.get("admin_password"))
    form = None
    if password == LEGACY_PASSWORD:
        form = "is the one that older versions of MLflow shipped"
    elif len(password) < MIN_PASSWORD_LENGTH:
        form = f"has {len(password)} characters, fewer than {MIN_PASSWORD_LENGTH}"
    if form is not None:
        variable = "MLFLOW_AUTH_ADMIN_PASSWORD"
        raise Problem("login-password", f"reading {variable}", source=source_of(variable), form=form)


def login_settings():
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
    except (OSError, UnicodeDecodeError, configparser.ParsingError) as error:
        # neither of them shows what is in the file
        form = error.strerror if isinstance(error, OSError) else "it is no ini file"
    except (configparser.Error, KeyError) as error:
        form = f"{type(error).__name__}, section [mlflow] is missing or has a wrong value"
    if form:
        raise Problem("login-config", "reading MLFLOW_AUTH_CONFIG_PATH", path, form=form)
    hide_secrets_of(settings["database_uri"])
    return settings


def judge_s3(environment):
    for variable in KEYS:
        form = broken_form(environment[variable]) if environment.get(variable) else None
        if form is not None:
            raise Problem("key-form", f"reading {variable}", variable=variable, source=source_of(variable), form=form)
    if environment.get("STARTUP_POD_IDENTITY") == "true" and environment.get("AWS_ACCESS_KEY_ID"):
        warn(f"{source_of('AWS_ACCESS_KEY_ID')} is set and wins over the identity of the pod")
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
    """The artifact store of the tracking server. One of this class itself is not checked: a folder, for example."""

    module = ""
    checkable = False
    direct = False

    def __init__(self, destination):
        hide_secrets_of(destination)
        parsed = urllib.parse.urlsplit(destination)
        self.destination = destination
        self.bucket = parsed.netloc
        self.key = "/".join(part for part in (parsed.path.strip("/"), PROBE_PREFIX + uuid.uuid4().hex) if part)
        self.client = None
        self.endpoint = ""

    @property
    def name(self):
        return f"the artifact store at {self.destination}"

    @property
    def url(self):
        return f"{self.destination.split(':')[0]}://{self.bucket}/{self.key}"

    def prepare(self, wait):
        self.check()

    def check(self):
        """Uses the store as MLflow does."""

    @property
    def credentials(self):
        """What the server starts with, in words."""
        key = os.environ.get("AWS_ACCESS_KEY_ID")
        if key and uses_s3(self.destination):
            return f"AWS credentials: {key[:5]}..."
        is_s3 = not self.destination or self.destination.startswith("s3:")
        return "the identity of the pod" if is_s3 else f"the artifacts in {self.destination}"


class S3Store(ArtifactStore):
    """An S3 bucket, used as MLflow uses it."""

    module = "boto3"
    checkable = True

    def __init__(self, destination):
        super().__init__(destination)
        self.direct = os.environ.get("STARTUP_ARTIFACT_TRANSFER") == "direct"
        self.user_may_come_late = os.environ.get("STARTUP_USER_MAY_COME_LATE") == "true"
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

    def get_presigned(self, target, content):
        url = self.client.generate_presigned_url("get_object", Params=target, ExpiresIn=60)
        trust = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
        try:
            with urllib.request.urlopen(url, timeout=10, context=trust) as response:
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
                key = os.environ.get("AWS_ACCESS_KEY_ID")
                raise self.problem(error, f"{step} {self.url} as {masked(key) if key else self.credentials}") from None

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
            if wants_keys(os.environ, self.destination):
                return found("key-missing", variable="AWS_ACCESS_KEY_ID")
            # a client keeps what it found, and the next check is to look again
            self.client = None
            return found("pod-identity")
        if getattr(error, "operation_name", "") == "AssumeRoleWithWebIdentity" and str(status)[:1] == "4":
            return found("pod-role", role=os.environ.get("AWS_ROLE_ARN", "of the pod"))
        bundle = os.environ.get("AWS_CA_BUNDLE")
        if bundle and not os.path.exists(bundle) and self.endpoint.startswith("https:") and not response:
            return found("store-certificate", hint=f", and the file that AWS_CA_BUNDLE names, {bundle}, is not there")
        if distrusts(answer):
            return found("store-certificate")
        if isinstance(error, exceptions.SSLError):
            return found("store-tls")
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


class CloudStore(ArtifactStore):
    """A store with a Python library of its own, which MLflow uses too: one object is put, read and deleted."""

    checkable = True
    # where the library takes credentials from
    reads = ""

    @property
    def credentials(self):
        return f"the credentials of {self.destination}"

    def check(self):
        step, content = "making a client for", uuid.uuid4().bytes
        try:
            if self.client is None:
                self.client = self.connect()
            step = "PUT"
            self.put(content)
            step = "GET"
            back = self.get()
            step = "DELETE"
            self.delete()
        except Problem:
            raise
        # the libraries raise errors of many packages
        except Exception as error:
            raise self.problem(error, f"{step} {self.url}") from None
        if back != content:
            answer = "other content than was put"
            raise Problem("store-error", f"GET {self.url}", self.endpoint, answer, answer_code="content")

    def problem(self, error, tried):
        status, code = self.facts(error)
        # without what follows in Azure's: a number that is another each time, and the answer again
        text = f"{type(error).__name__}: {str(error).partition(chr(10) + 'RequestId:')[0]}"
        names = {401: "cloud-credentials", 403: "cloud-denied", 404: "cloud-bucket-missing"}
        if distrusts(text):
            name = "store-certificate"
        elif status:
            name = names.get(status, "store-error")
        else:
            name = "cloud-absent"
        if name in ("cloud-credentials", "cloud-absent"):
            # a client keeps credentials, and the next check is to look again
            self.client = None
        bucket = f"{self.destination.split(':')[0]}://{self.bucket}"
        return Problem(name, tried, self.endpoint, text, bucket=bucket, answer_code=code, reads=self.reads)


class GoogleStore(CloudStore):
    """A bucket of Google Cloud Storage."""

    module = "google.cloud.storage"
    reads = "google-cloud-storage reads the file in GOOGLE_APPLICATION_CREDENTIALS, else asks for the workload identity."

    def connect(self):
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import storage

        self.lacking = ""
        try:
            client = storage.Client()
        except DefaultCredentialsError as error:
            # as MLflow does it
            client = storage.Client.create_anonymous_client()
            self.lacking = type(error).__name__
        self.endpoint = client.api_endpoint
        return client

    @property
    def blob(self):
        return self.client.bucket(self.bucket).blob(self.key)

    def put(self, content):
        self.blob.upload_from_string(content, timeout=10, retry=None)

    def get(self):
        return self.blob.download_as_bytes(timeout=10, retry=None)

    def delete(self):
        self.blob.delete(timeout=10, retry=None)

    def facts(self, error):
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError, TransportError

        if isinstance(error, GoogleAPICallError):
            return int(error.code), self.lacking or f"{int(error.code)} {type(error).__name__}"
        # wrong credentials are refused by another server than the store, or are no credentials at all
        refused = isinstance(error, GoogleAuthError) and not isinstance(error, TransportError)
        return 401 if refused or self.client is None else None, type(error).__name__


class AzureStore(CloudStore):
    """A container of Azure Blob Storage."""

    module = "azure.storage.blob"
    reads = (
        "azure-storage-blob gets AZURE_STORAGE_CONNECTION_STRING, else AZURE_STORAGE_ACCESS_KEY, else the workload identity "
        "(DefaultAzureCredential)."
    )

    def __init__(self, destination):
        super().__init__(destination)
        parts = re.fullmatch(r"([^@]+)@([^.]+\.blob\.core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net))", self.bucket)
        self.container, self.host = parts.groups()[:2] if parts else ("", "")

    def connect(self):
        from azure.storage.blob import BlobServiceClient

        if not self.container:
            raise Problem("destination-form", "reading --artifacts-destination", form=self.destination)
        # MLflow takes these two for all its connections
        insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "false").lower() in ("true", "1")
        options = {
            "connection_verify": False if insecure else os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True,
            "connection_timeout": 3,
            "read_timeout": 10,
            "retry_total": 0,
        }
        if "AZURE_STORAGE_CONNECTION_STRING" in os.environ:
            client = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"], **options)
        else:
            credential = os.environ.get("AZURE_STORAGE_ACCESS_KEY")
            if credential is None:
                from azure.identity import DefaultAzureCredential

                credential = DefaultAzureCredential()
            client = BlobServiceClient(f"https://{self.host}", credential=credential, **options)
        self.endpoint = client.url.split("?")[0]
        return client

    @property
    def blob(self):
        return self.client.get_blob_client(self.container, self.key)

    def put(self, content):
        self.blob.upload_blob(content, overwrite=True)

    def get(self):
        return self.blob.download_blob().readall()

    def delete(self):
        self.blob.delete_blob()

    def facts(self, error):
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError, ServiceResponseError

        code = getattr(error, "error_code", None) or type(error).__name__
        code = getattr(code, "value", code)
        if isinstance(error, (ServiceRequestError, ServiceResponseError)):
            return None, code
        status = error.status_code if isinstance(error, HttpResponseError) else None
        refused = isinstance(error, ClientAuthenticationError) or "failed to authenticate" in str(error)
        return 401 if refused or self.client is None else status, code


STORES = {"s3": S3Store, "gs": GoogleStore, "wasbs": AzureStore}


def artifact_store(arguments):
    destination = destination_of(arguments)
    return STORES.get(urllib.parse.urlsplit(destination).scheme, ArtifactStore)(destination)


def distrusts(text):
    """Whether an error of Python is about a certificate: of its authority or date, or of the host that it is for."""
    return (
        re.search("certificate.verify.failed|hostname .* doesn't match|certificate is not valid for", text, re.IGNORECASE)
        is not None
    )


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


class Tables:
    """Tables with a schema of their own: those of MLflow, and those of its login, which may be in the same database."""

    def __init__(self, title, version_table, folder, empty, initialise, upgrade, before=None):
        self.title = title
        self.version_table = version_table
        # of the revisions, in the package mlflow
        self.folder = folder
        self.empty = empty
        self.initialise = initialise
        self.upgrade = upgrade
        # table and revision of versions that had no version table
        self.before = before


MLFLOW_TABLES = Tables(
    "the database",
    "alembic_version",
    ("store", "db_migrations", "versions"),
    "The database is empty: initialising it",
    ("making the tables of MLflow", INITIALISE),
    ("mlflow db upgrade", UPGRADE),
)
LOGIN_TABLES = Tables(
    "the login tables",
    "alembic_version_auth",
    ("server", "auth", "db", "migrations", "versions"),
    "There is no login yet: making its tables and the admin",
    ("making the tables of MLflow's login, and its admin", INITIALISE_LOGIN),
    ("upgrading the tables of MLflow's login", INITIALISE_LOGIN),
    ("users", "8606fa83a998"),
)


def is_postgres(uri):
    return re.match(r"postgres(ql)?(\+\w+)?://", uri) is not None


class Database:
    """A database of the tracking server. One of this class itself is not checked: a file, for example."""

    module = ""
    checkable = False

    def __init__(self, uri, tables=MLFLOW_TABLES, root="", variable=""):
        hide_secrets_of(uri)
        self.uri = uri
        self.root = root
        self.tables = tables
        # host and port without what else may stand in the URI
        self.server = re.sub(r"^[^:]+://(.*@)?([^/?]*).*$", r"\2", uri, flags=re.DOTALL) or "localhost"
        # what the texts say
        self.values = {"uri_source": source_of(variable)} if variable else {}
        if variable and "@" in uri:
            self.values.update(login=f"User or password in {source_of(variable)}", password_source=source_of(variable))

    @property
    def name(self):
        return f"{self.tables.title} at {self.server}"

    @contextlib.contextmanager
    def session(self):
        """A connection of its own, which is closed in the end."""
        raise NotImplementedError
        yield

    def problem(self, name, tried, answer="", **values):
        return Problem(name, tried, self.server, answer, **{**self.values, **values})

    def engine(self, url, **options):
        """An engine of SQLAlchemy, which takes the driver that MLflow takes."""
        import sqlalchemy

        try:
            return sqlalchemy.create_engine(url, **options)
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            tried = f"reading {self.values.get('uri_source', '--backend-store-uri')}"
            raise self.problem("database-driver", tried, form=str(error)) from None

    def check(self):
        """Reachable, and the schema fits; for doctor and monitor."""
        with self.session() as session:
            self.judge_schema(session.revision(self.tables))

    def judge_schema(self, actual):
        known, wanted = package_revisions(self.tables.folder)
        if actual in (None, wanted) or wanted is None:
            return
        name = "schema-older" if actual in known else "schema-newer"
        what = "" if self.tables is MLFLOW_TABLES else f" of {self.tables.title}"
        raise self.problem(name, f"reading the revision of the schema{what}", actual, actual=actual, wanted=wanted)

    def prepare(self, wait):
        """Initialises an empty database while no other pod does, and upgrades an older one where that is wanted.

        Two servers that start on an empty database at the same time both make the tables, and one of them dies of it.
        """
        with self.session() as session:
            # held until the connection closes, even if this pod dies
            while not session.try_lock():
                reason = "another pod is initialising it"
                if not wait(self.name, reason):
                    raise wait.over(self.problem("database-absent", "taking the lock for initialisation", reason))
            actual = session.revision(self.tables)
            if actual is None:
                say(self.tables.empty)
                self.run("database-init", *self.tables.initialise)
                return
            try:
                self.judge_schema(actual)
            except Problem as problem:
                if problem.name != "schema-older" or os.environ.get("STARTUP_UPGRADE_SCHEMA") != "true":
                    raise
                wanted = problem.values["wanted"]
                say(f"Upgrading the schema of {self.tables.title} from revision {actual} to {wanted}")
                self.run("schema-upgrade", *self.tables.upgrade)

    def run(self, cause, tried, program):
        """Runs a program of MLflow in a child process. What it prints has no secrets in it."""
        environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": self.uri}
        command = [sys.executable, "-c", program, self.root]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace") as child:
            try:
                for line in child.stderr:
                    print(redact(line), end="", file=sys.stderr, flush=True)
            except BaseException:
                child.kill()
                raise
        if child.returncode != 0:
            raise self.problem(cause, tried, f"exit code {child.returncode}")


class Postgres(Database):
    """A PostgreSQL."""

    module = "psycopg2"
    checkable = True

    def prepare(self, wait):
        # all of MLflow goes through SQLAlchemy, which has another driver by default in each version
        if importlib.util.find_spec("sqlalchemy"):
            import sqlalchemy

            # a URI that it cannot read is told by the login
            with contextlib.suppress(sqlalchemy.exc.ArgumentError, ValueError):
                self.engine(self.uri)
        super().prepare(wait)

    def connect(self):
        import psycopg2 as driver

        libpq_uri = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", self.uri)
        tried = f"logging in as {os.environ.get('PGUSER', 'the user of the URI')}"
        try:
            connection = driver.connect(libpq_uri, connect_timeout=5)
        except (driver.OperationalError, driver.ProgrammingError) as error:
            answer = " ".join(str(error).split())
            if re.match("invalid |missing ", answer):
                raise self.problem("database-uri", f"reading {self.values.get('uri_source', '--backend-store-uri')}") from None
            raise self.problem(postgres_cause(answer), tried, answer) from None
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def session(self):
        import psycopg2 as driver

        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                yield PostgresSession(cursor)
        except (driver.OperationalError, driver.InterfaceError) as error:
            raise self.problem("database-absent", "asking the database", str(error)) from None
        except driver.Error as error:
            raise self.problem("database-error", "asking the database", str(error)) from None
        finally:
            connection.close()


def postgres_cause(answer):
    """The cause behind the error of a login."""
    if re.search("certificate verify failed|certificate file|server certificate", answer):
        return "database-certificate"
    # a server that refuses with encryption and without it does not have this user or host
    only_plain = re.search("no encryption|SSL off", answer) and not re.search("SSL encryption|SSL on", answer)
    if only_plain or "server does not support SSL" in answer:
        return "database-tls"
    if "FATAL:" not in answer or any(refusal in answer for refusal in PASSING_REFUSALS):
        return "database-absent"
    return "database-missing" if "database" in answer and "does not exist" in answer else "database-refuses"


class PostgresSession:
    def __init__(self, cursor):
        self.cursor = cursor

    def value(self, statement, parameters=()):
        self.cursor.execute(statement, parameters)
        row = self.cursor.fetchone()
        return row[0] if row else None

    def try_lock(self):
        return self.value("SELECT pg_try_advisory_lock(%s)", (INIT_LOCK,))

    def revision(self, tables):
        """Revision of the schema, None where there is none."""
        if self.value(f"SELECT to_regclass('{tables.version_table}')") is not None:
            return self.value(f"SELECT version_num FROM {tables.version_table}")  # noqa: S608
        table, revision = tables.before or (None, None)
        return revision if table and self.value(f"SELECT to_regclass('{table}')") is not None else None


# numbers of MySQL, and of SQL Server; all that is not here is a server that does not answer
SQL_ERRORS = {
    "database-refuses": (1045, 1698, 18456),
    "database-missing": (1049, 4060),
    "database-error": (1044, 1142, 1143, 229),
    "database-tls": (2026, 3159),
}
CONNECT_OPTIONS = {
    "pymysql": {"connect_timeout": 5},
    "mysqldb": {"connect_timeout": 5},
    "pymssql": {"login_timeout": 5, "timeout": 10},
}


class OtherDatabase(Database):
    """A MySQL, a SQL Server, or what else SQLAlchemy and MLflow know that is a server."""

    module = "sqlalchemy"
    checkable = True

    def __init__(self, uri, tables=MLFLOW_TABLES, root="", variable=""):
        super().__init__(uri, tables, root, variable)
        source = source_of(variable) if variable else "--backend-store-uri"
        self.values = {
            "uri_source": source,
            "login": f"User or password in {source}",
            "password_source": source,
            "alter_user": "ALTER USER",
            "own_database": "Give the user all rights on the database: GRANT ALL ON …",
            "own_tables": "Give the user all rights on the database: GRANT ALL ON …",
        }

    def connect(self):
        import sqlalchemy
        from sqlalchemy.pool import NullPool

        tried = f"reading {self.values['uri_source']}"
        try:
            url = sqlalchemy.make_url(self.uri)
            if url.host and url.host not in self.server:
                raise ValueError("a part of the password was taken for the host")
            options = dict(CONNECT_OPTIONS.get(url.get_driver_name(), {}))
            if url.get_backend_name() == "mysql":
                # what MLflow takes
                for name in ("ssl_ca", "ssl_cert", "ssl_key"):
                    if os.environ.get(f"MLFLOW_MYSQL_{name.upper()}"):
                        options[name] = os.environ[f"MLFLOW_MYSQL_{name.upper()}"]
            engine = self.engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        except (sqlalchemy.exc.ArgumentError, ValueError):
            raise self.problem("database-uri-form", tried) from None
        return engine.connect()

    @contextlib.contextmanager
    def session(self):
        import sqlalchemy

        tried = "logging in as the user of the URI"
        try:
            with self.connect() as connection:
                tried = "asking the database"
                yield OtherSession(connection)
        except (sqlalchemy.exc.DBAPIError, OSError) as error:
            cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
            raise self.problem(other_cause(cause), tried, str(cause)) from None


def other_cause(error):
    """The cause behind an error of a driver."""
    text = str(error)
    if distrusts(text):
        return "database-certificate"
    numbers = {int(number) for number in re.findall(r"(?<!\d)\d{3,5}(?!\d)", str(error.args[:1]))}
    return next((name for name, known in SQL_ERRORS.items() if numbers & set(known)), "database-absent")


class OtherSession:
    def __init__(self, connection):
        self.connection = connection

    def value(self, statement, **parameters):
        import sqlalchemy

        return self.connection.execute(sqlalchemy.text(statement), parameters).scalar()

    def try_lock(self):
        """MySQL's locks are those of the whole server, so the name of the database is in it. Elsewhere there are none."""
        if self.connection.dialect.name != "mysql":
            return True
        return self.value("SELECT GET_LOCK(:name, 0)", name=f"mlflow {self.connection.engine.url.database}"[:64]) == 1

    def revision(self, tables):
        """Revision of the schema, None where there is none."""
        import sqlalchemy

        inspector = sqlalchemy.inspect(self.connection)
        if inspector.has_table(tables.version_table):
            return self.value(f"SELECT version_num FROM {tables.version_table}")  # noqa: S608
        table, revision = tables.before or (None, None)
        return revision if table and inspector.has_table(table) else None


def database_at(uri, **options):
    if is_postgres(uri):
        return Postgres(uri, **options)
    is_server = re.match(r"(mysql|mssql)(\+\w+)?:", uri) is not None
    return (OtherDatabase if is_server else Database)(uri, **options)


def backend_store(arguments):
    uri = flag(arguments, "--backend-store-uri")
    variable = "" if uri else "MLFLOW_BACKEND_STORE_URI"
    root = flag(arguments, "--default-artifact-root", os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", ""))
    return database_at(uri or os.environ.get(variable, ""), root=root, variable=variable)


def login_database():
    return database_at(login_settings().get("database_uri", ""), tables=LOGIN_TABLES)


class ReadReplica:
    """The read replica of the database, which the tracking server starts without, but does not serve well."""

    module = "psycopg2"

    def __init__(self):
        self.database = database_at(os.environ.get("MLFLOW_READ_REPLICA_BACKEND_STORE_URI", ""))
        self.checkable = isinstance(self.database, Postgres)

    @property
    def name(self):
        return f"the read replica at {self.database.server}"

    def check(self):
        try:
            with self.database.session() as session:
                session.value("SELECT 1")
        except Problem as problem:
            where = self.database.server
            raise Problem("replica", problem.tried, where, problem.answer, form=problem.title) from None


def package_revisions(folder):
    """All revisions of the MLflow in this image, and the newest. Read from its files: to import it takes seconds."""
    spec = importlib.util.find_spec("mlflow")
    known, below = set(), set()
    for location in (spec.submodule_search_locations or []) if spec else []:
        for path in glob.glob(os.path.join(location, *folder, "*.py")):
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


def until_well(wait, part, action):
    while True:
        try:
            return action()
        except Problem as problem:
            if not problem.passing:
                raise
            if not wait(part.name, f"{problem.title}; {problem.answer}" if problem.answer else problem.title):
                raise wait.over(problem) from None


def installed(part):
    """Whether this Python has what the check of a store needs."""
    try:
        return importlib.util.find_spec(part.module) is not None
    except ModuleNotFoundError:
        # not even the package that the module is in
        return False


def handle_sigterm():
    # process 1 ignores signals that it has no handler for, and waiting must not outlive the pod
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def start(arguments):
    handle_sigterm()
    try:
        put_credentials_in_place(os.environ, destination_of(arguments))
        if not arguments:
            fail(EXIT_USAGE, ["ERROR: no command to start", __doc__.splitlines()[0]])
        judge_environment(os.environ, arguments)
        wait = Wait(float(os.environ.get("STARTUP_DEADLINE_SECONDS", "300")))
        store = artifact_store(arguments)
        for part in (store, backend_store(arguments), *([login_database()] if has_login(arguments) else [])):
            if not part.checkable:
                continue
            if not installed(part):
                warn(
                    f"this Python has no {part.module}, so {part.name} is not checked: use an MLflow image with the suffix -full"
                )
                continue
            until_well(wait, part, lambda part=part: part.prepare(wait))
    except Problem as problem:
        fail(problem.cause.code, problem.lines())
    replica = ReadReplica()
    if replica.checkable and installed(replica):
        problem = examine(replica.name, replica.check).problem
        if problem:
            warn(f"{problem.title}. {problem.cause.why}")
    say(redact(f"Starting MLflow with {store.credentials}"))
    os.execvp(arguments[0], arguments)


# --- gc


def gc(arguments):
    """Becomes mlflow gc, which without a server that lets it in would delete rows and leave their artifacts for ever."""
    handle_sigterm()
    clean(os.environ, CLEANED_LOGIN, "would belong to it")
    uri = flag(arguments, "--tracking-uri", os.environ.get("MLFLOW_TRACKING_URI", ""))
    database = backend_store(arguments)
    try:
        for variable, value, what in (
            ("MLFLOW_TRACKING_URI", uri, "the URL of the tracking server, for example http://mlflow-service:5000"),
            ("MLFLOW_BACKEND_STORE_URI", database.uri, "the URI of the server's backend store, or pass --backend-store-uri"),
        ):
            if not value:
                raise Problem("gc-missing", f"reading {variable} from the environment", variable=variable, what=what)
        server = TrackingServer(uri, client_login())
        wait = Wait(float(os.environ.get("STARTUP_DEADLINE_SECONDS", "300")))
        until_well(wait, server, server.lets_in)
        if database.checkable and installed(database):
            until_well(wait, database, database.check)
    except Problem as problem:
        say("mlflow gc was not started, and nothing was deleted")
        fail(problem.cause.code, problem.lines())
    say(f"Starting mlflow gc with {server.name}")
    os.environ.update(MLFLOW_BACKEND_STORE_URI=database.uri, MLFLOW_TRACKING_URI=uri)
    os.execv(sys.executable, [sys.executable, "-c", GC, *arguments])


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


def request(url, method="GET", body=None, headers=None, timeout=10):
    """One HTTP request, to the tracking server. An answer of any status is an answer."""
    data = body.encode() if isinstance(body, str) else body
    ask = urllib.request.Request(url, data, {"Content-Type": "application/json"} if isinstance(body, str) else {}, method=method)
    for name, value in (headers or {}).items():
        # a login is for this host, and not for one that it redirects to
        ask.add_unredirected_header(name, value)
    host = urllib.parse.urlsplit(url).hostname
    authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    handlers = [urllib.request.ProxyHandler({})] if host == "127.0.0.1" else []
    try:
        if authority:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
        opener = urllib.request.build_opener(*handlers)
        with opener.open(ask, timeout=timeout) as response:
            there = urllib.parse.urlsplit(response.url).hostname
            # a proxy that sends one to its login elsewhere
            return (response.status, response.read()) if there == host else (401, f"redirected to {there}".encode())
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(getattr(error, "reason", error)).encode()


class Login:
    """How requests log in, and where the pod has that from."""

    def __init__(self, variable, value, user=None):
        self.source = source_of(variable)
        self.user = user or "the token"
        pair = base64.b64encode(f"{user}:{value}".encode()).decode()
        self.header = f"Bearer {value}" if user is None else f"Basic {pair}"
        HIDDEN[pair] = f"({variable})"


def client_login():
    """That of MLflow's clients, if there is one."""
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user and password:
        return Login("MLFLOW_TRACKING_PASSWORD", password, user)
    return Login("MLFLOW_TRACKING_TOKEN", token) if token else None


def admin_login():
    """That of the admin, in the pod of the server."""
    settings = {}
    with contextlib.suppress(Problem):
        # another check tells it
        settings = login_settings()
    user = os.environ.get("MLFLOW_AUTH_ADMIN_USERNAME") or settings.get("admin_username", "admin")
    password = os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD") or settings.get("admin_password", "")
    return Login("MLFLOW_AUTH_ADMIN_PASSWORD", password, user)


def host_for(arguments, host):
    """A host that the server answers for: the one that is asked, unless --allowed-hosts has others only."""
    allowed = flag(arguments, "--allowed-hosts", os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS", ""))
    patterns = [pattern.strip() for pattern in allowed.split(",") if pattern.strip()]
    if not patterns or any(fnmatch.fnmatch(host, pattern) for pattern in patterns):
        return None
    port = host.rpartition(":")[2]
    # first those that are names
    hosts = sorted((re.sub(r":\*$", f":{port}", pattern) for pattern in patterns), key=lambda pattern: "*" in pattern)
    return hosts[0].replace("*", "x")


def server_in_this_pod(arguments):
    host = f"127.0.0.1:{flag(arguments, '--port', '5000')}"
    prefix = flag(arguments, "--static-prefix", os.environ.get("MLFLOW_STATIC_PREFIX", ""))
    return TrackingServer(f"http://{host}{prefix}", admin_login() if has_login(arguments) else None, host_for(arguments, host))


class TrackingServer:
    """The running server, as its clients see it."""

    def __init__(self, uri, login=None, host=None):
        hide_secrets_of(uri)
        parsed = urllib.parse.urlsplit(uri)
        userinfo, _, place = parsed.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        if user and password:
            login = Login("MLFLOW_TRACKING_URI", urllib.parse.unquote(password), urllib.parse.unquote(user))
        self.uri = parsed._replace(netloc=place).geturl().rstrip("/")
        self.login = login
        self.headers = {**({"Authorization": login.header} if login else {}), **({"Host": host} if host else {})}

    @property
    def name(self):
        return f"the tracking server at {self.uri}"

    def expect(self, path, tried, method="GET", body=None):
        status, answer = request(self.uri + path, method, body, self.headers)
        if status == 200:
            return answer
        text = f"{status or 'no answer'} {answer[:300].decode('utf-8', 'replace')}".strip()
        values = {"user": self.login.user, "login_source": self.login.source} if self.login else {}
        raise Problem(self.cause(status, answer), tried, self.uri, text, uri=self.uri, **values)

    def cause(self, status, answer):
        if status == 0:
            return "server-absent"
        if status == 403 and b"host" in answer.lower():
            return "host-refused"
        if status in (401, 403) and not self.login:
            return "login-needed"
        return {401: "login-refused", 403: "login-denied"}.get(status, "server-error")

    def lets_in(self):
        """For those who start with the server: it is up, knows the user, and reaches its artifact store."""
        try:
            self.health()
            self.round_trip()
        except Problem as problem:
            problem.passing = problem.name in ("server-absent", "server-error")
            raise

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
    server = TrackingServer(uri, client_login())
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
        put_credentials_in_place(os.environ, destination_of(arguments))
        judge_environment(os.environ, arguments)
        variables = (*CLEANED, *CLEANED_LOGIN)
        cleaned = [name for name in variables if environment.get(name) != os.environ.get(name) and environment.get(name)]
        return f"white space was dropped: {', '.join(cleaned)}" if cleaned else ""

    yield examine("environment", judged)
    store = artifact_store(arguments)
    parts = [store, backend_store(arguments), ReadReplica()]
    with contextlib.suppress(Problem):
        # the first check has told it
        parts += [login_database()] if has_login(arguments) else []
    for part in parts:
        if part.checkable and installed(part):
            yield examine(part.name, part.check)
    yield from examine_server(server_in_this_pod(arguments), store.direct)


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
        self.parts = {"artifact": artifact_store(arguments), "database": backend_store(arguments)}
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
        put_credentials_in_place(os.environ, destination_of(arguments))
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
    names = {name: USUAL.get(name, f"`<{name}>`") for name in re.findall(r"\{(\w+)\}", texts)}
    say("| Exit code | What it says | Cause | Fix |\n| --- | --- | --- | --- |")
    for cause in CAUSES.values():
        cells = (str(cause.code), *(text.format(**names) for text in (cause.title, cause.why, cause.fix)))
        say("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")


def main(arguments):
    if arguments[:1] == ["doctor"]:
        sys.exit(doctor(arguments[1:]))
    if arguments[:1] == ["monitor"]:
        monitor(arguments[1:])
    elif arguments[:1] == ["gc"]:
        gc(arguments[1:])
    elif arguments == ["causes"]:
        catalogue()
    else:
        start(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
