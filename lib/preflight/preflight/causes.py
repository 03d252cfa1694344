"""The catalogue of causes: those of the pod, and those that a client meets as well."""

from __future__ import annotations

import re

from . import gc_causes, lost_causes, mlflow_doctor, relocate_causes, schema_causes, secret_causes
from .commands import COMMANDS, OTHERS
from .exits import (
    EXIT_CREDENTIALS,
    EXIT_DATABASE_ABSENT,
    EXIT_DATABASE_REFUSES,
    EXIT_ENVIRONMENT,
    EXIT_STORE_ABSENT,
    EXIT_STORE_REFUSES,
)
from .mlflow_doctor import Cause, Problem, say

MIN_PASSWORD_LENGTH = 12
LARGER_VOLUME = "https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs/how-to/operate.md#a-larger-volume"

CAUSES = {
    "key-missing": Cause(
        EXIT_CREDENTIALS,
        "{variable} not set!",
        "{source} has no value for it, so MLflow would find no, or half a pair of, credentials "
        "(NoCredentialsError, PartialCredentialsError).",
        "Give {source} a value and restart the pod.",
    ),
    "key-form": Cause(
        EXIT_ENVIRONMENT,
        "{variable} is not a key: it {form}",
        "The value in {source} was put there in a form that no S3 server knows; it would answer InvalidAccessKeyId "
        "or SignatureDoesNotMatch.",
        "Put the plain value into {source} (kubectl create secret generic --from-literal, or stringData) and restart the pod.",
    ),
    "key-unknown": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store does not know the access key id (InvalidAccessKeyId)",
        "The user was removed or disabled, MinIO's volume was lost and its users with it, its root user was changed, "
        "or the Secret has a key of another server{hint}.",
        "Compare {source} with the users of the store (mc admin user ls). The bootstrap Job makes the user of a generated Secret "
        "again, and its bucket: delete that Job, and apply the manifests. Where the volume was lost, so are the artifacts that "
        "were in it: gc --lost names them, in the pod.",
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
        "Put the secret key of the user into {secret_source} and restart the pod. With MinIO of the stack, the bootstrap Job "
        "gives the user the key that is in the Secret: delete that Job, and apply the manifests.",
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
    "endpoint-path": Cause(
        EXIT_STORE_REFUSES,
        'the artifact store does not take the signature of a request to the path "{path}" ({answer_code})',
        "The signature is over the path. Something before the store takes it away or changes it, or the secret key is wrong.",
        "Give the endpoint of the store itself, or let the proxy hand the path on as it is; else compare {secret_source} with "
        "the secret key of the user.",
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
        'Correct it, for example {\x7b"ServerSideEncryption": "AES256"}\x7d, or remove it (prop extraEnv).',
    ),
    "delete-md5": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store wants a Content-MD5 to delete objects ({answer_code})",
        "MLflow deletes by DeleteObjects, to which boto3 since 1.36 adds a CRC32 instead, and nothing could ever be deleted: no "
        "artifact by a user, and none by mlflow gc.",
        "Take a version of the store that knows the checksums of today's S3 clients, or an image of MLflow with boto3 below 1.36 "
        "(prop image).",
    ),
    "delete-objects": Cause(
        EXIT_STORE_REFUSES,
        "the artifact store does not delete objects as MLflow asks it to ({answer_code})",
        "MLflow deletes by DeleteObjects (POST ?delete), and this store, or a proxy before it, does not know it or has it shut.",
        "Take a version of the store that has it, or let the request through.",
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
        "The bootstrap Job of the stack makes the bucket, and the policy of its user: delete that Job, and apply the manifests. "
        "In another store make the bucket, or attach a policy for it to the user.",
        passing=True,
    ),
    "bucket-missing": Cause(
        EXIT_STORE_ABSENT,
        "bucket {bucket} does not exist (NoSuchBucket)",
        "It was not made yet, was deleted, or has another name in --artifacts-destination.",
        "The bootstrap Job of the stack makes it: delete that Job, and apply the manifests. Where the bucket was deleted, so are "
        "the artifacts that were in it: gc --lost names them, in the pod. In another store make it there (mc mb), or correct the "
        "name (prop bucket of the store).",
        passing=True,
    ),
    "store-absent": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store does not answer",
        "It is not running, is not ready yet, has another name or port, or a NetworkPolicy is in the way.",
        "See the pods and the Service of the store, and MLFLOW_S3_ENDPOINT_URL. A pod that is Pending says why in its events. "
        "What was changed by hand, such as an endpoint or a number of pods, is put back by the manifests: apply them.",
        passing=True,
    ),
    "store-full": Cause(
        EXIT_STORE_ABSENT,
        "the artifact store has no room left ({answer_code})",
        "Its volume, or the quota of the bucket, is full.",
        f"Make the volume larger, see {LARGER_VOLUME}, or raise the quota (prop quota of the store). One that was set by hand "
        "goes with the bootstrap Job: delete that Job, and apply the manifests. While the server answers, gc takes away what was "
        "deleted before; a server that is started again waits for room.",
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
        "See the pods and the Service of the database, and {uri_source}. A pod that is Pending says why in its events. What was "
        "changed by hand, such as a number of pods, is put back by the manifests: apply them.",
        passing=True,
    ),
    "database-refuses": Cause(
        EXIT_DATABASE_REFUSES,
        "the database refuses the user",
        "{login} is not what the database has: it was changed in one place only, the Secret has white space in it, or the volume "
        "of the database was lost, and users and tables with it.",
        "Correct {password_source}, or the user in the database ({alter_user}), and restart the pod. With a PostgreSQL of the "
        "stack, the bootstrap Job sets the password that is in the Secret: delete that Job, and apply the manifests. Where its "
        "volume is new (the age of its claim), that Job makes an empty database: restore a backup.",
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
        "Use one that it has: postgresql+psycopg2://, mysql+pymysql:// or mssql+pymssql://. Images with the suffix -full have "
        "them all.",
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
        "Make it (CREATE DATABASE ... OWNER ...), or correct the name (prop database of the store).",
    ),
    "database-init": Cause(
        EXIT_DATABASE_REFUSES,
        "the empty database could not be initialised",
        "The lines above say why; most often the user may not make tables in it.",
        "{own_database}",
    ),
    **schema_causes.CAUSES,
    "login-missing": Cause(
        EXIT_CREDENTIALS,
        "{variable} not set!",
        "The tracking server has a login (--app-name=basic-auth), and MLflow does not start it without {what}.",
        "Give {source} a value (Login.basicAuth does) and restart the pod.",
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
        "Mount the file (Login.basicAuth does), or correct it.",
    ),
    **secret_causes.CAUSES,
    "check-failed": Cause(
        EXIT_ENVIRONMENT,
        "the check itself failed: {form}",
        "A variable of the environment, or an answer, has a form that the check does not know.",
        "Look for a variable with a wrong value. Where there is none, report these lines: "
        "https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/issues",
    ),
    **gc_causes.CAUSES,
    **lost_causes.CAUSES,
    **relocate_causes.CAUSES,
    **mlflow_doctor.CAUSES,
}
# the client knows its own only
Problem.causes = CAUSES

# what texts say where the one who met the cause does not know better
USUAL = {
    "hint": "",
    "known": "",
    "way_back": "",
    "login": "PGPASSWORD or PGUSER",
    "alter_user": "ALTER ROLE ... PASSWORD",
    "own_database": "Make the user the owner of the database: ALTER DATABASE ... OWNER TO ...",
    "own_tables": "Make the user the owner of the database and of its tables: "
    "ALTER DATABASE ... OWNER TO ..., REASSIGN OWNED BY ... TO ...",
    "uri_source": "--backend-store-uri",
}


def catalogue() -> int:
    """All causes, as a table in Markdown."""
    texts = "".join(cause.title + cause.why + cause.fix for cause in CAUSES.values())
    names = {name: "kubectl" if name == "kubectl" else USUAL.get(name, f"`<{name}>`") for name in re.findall(r"\{(\w+)\}", texts)}
    say("| Exit code | What it says | Cause | Fix |\n| --- | --- | --- | --- |")
    for name, cause in CAUSES.items():
        cells = [str(cause.code), *(text.format(**names) for text in (cause.title, cause.why, cause.fix))]
        # the namespace and the Secret are in what the pod says
        usual = {"kubectl": "kubectl", "deployment": "mlflow", "secret": "NAME"}
        cells[3] += "".join(f" `{command.format(**usual)}`" for command in COMMANDS.get(name, OTHERS))
        say("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return 0
