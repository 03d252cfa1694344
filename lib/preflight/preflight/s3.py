"""The artifact store in an S3 bucket."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any, Callable

from .environment import DEFAULT_REGION, proxy_for, shared_files, suspicious_form, upload_arguments, wants_keys
from .problem import USUAL, Problem, masked, source_of, warn
from .store import ArtifactStore, distrusts

# probes of others that are older were left behind by a pod that ended in between
LEFT_AFTER = datetime.timedelta(hours=1)
# where each probe leaves a version behind for ever
SELDOM_SECONDS = 3600


class S3Store(ArtifactStore):
    """An S3 bucket, used as MLflow uses it."""

    module = "boto3"
    checkable = True

    def __init__(self, destination: str) -> None:
        super().__init__(destination)
        self.direct = os.environ.get("STARTUP_ARTIFACT_TRANSFER") == "direct"
        self.user_may_come_late = os.environ.get("STARTUP_USER_MAY_COME_LATE") == "true"
        self.endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL", "")
        self.name = f"the artifact store at {self.endpoint or 'S3'}"
        owner = os.environ.get("MLFLOW_S3_EXPECTED_BUCKET_OWNER")
        self.target = {"Bucket": self.bucket, **({"ExpectedBucketOwner": owner} if owner else {})}
        # probes that are in the bucket, or may be
        self.left: list[dict[str, str]] = []
        self.keeps_versions = False
        self.next_probe = 0.0

    def connect(self) -> None:
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
        self.name = f"the artifact store at {self.endpoint}"

    def listing(self, below: str) -> Iterator[dict[str, Any]]:
        """All objects whose keys begin so."""
        for page in self.client.get_paginator("list_objects_v2").paginate(**self.target, Prefix=below):
            yield from page.get("Contents", [])

    def steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Name and action of each step of the check, in order."""
        content = uuid.uuid4().bytes
        probe = {"Key": self.key}

        def put() -> None:
            # before, since the answer may get lost
            self.left.append(probe)
            version = self.client.put_object(**self.target, **probe, Body=content, **upload_arguments(os.environ)).get(
                "VersionId"
            )
            probe.update({"VersionId": version} if version else {})

        def get() -> None:
            if self.client.get_object(**self.target, Key=self.key)["Body"].read() != content:
                answer = "other content than was put"
                raise Problem("store-error", f"GET {self.url}", self.endpoint, answer, answer_code="content")

        yield "LIST", self.find_left
        yield "region of", self.check_region
        if self.keeps_versions and time.monotonic() < self.next_probe:
            return
        self.next_probe = time.monotonic() + SELDOM_SECONDS
        yield "PUT", put
        yield "GET", get
        if self.direct:
            yield "GET presigned", lambda: self.get_presigned({**self.target, "Key": self.key}, content)
        yield "DELETE", lambda: self.delete(probe)

    def find_left(self) -> None:
        """Lists as MLflow does, and sees in passing what pods left that ended between PUT and DELETE."""
        answer = self.client.list_objects_v2(**self.target, Prefix=self.key.rpartition("/")[0] + "/", MaxKeys=100)
        with contextlib.suppress(KeyError, TypeError, ValueError):
            # by the clock of the store, which wrote the other times
            now = email.utils.parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            old = [found["Key"] for found in answer.get("Contents", []) if now - found["LastModified"] > LEFT_AFTER]
            known = {probe["Key"] for probe in self.left}
            self.left += [{"Key": key} for key in old if key not in known]

    def delete(self, probe: dict[str, str]) -> None:
        """Deletes as MLflow does, but the very version: a bucket with versions would keep it, and a marker of the delete."""
        from botocore.exceptions import ClientError

        answer = self.client.delete_objects(**self.target, Delete={"Objects": [probe]})
        for error in answer.get("Errors", []):
            if error.get("Code") == "AccessDenied" and self.without_version(probe):
                return self.delete(probe)
            metadata = {
                **answer.get("ResponseMetadata", {}),
                "HTTPStatusCode": 403 if error.get("Code") == "AccessDenied" else 400,
            }
            raise ClientError({"Error": error, "ResponseMetadata": metadata}, "DeleteObjects")
        self.left.remove(probe)

    def without_version(self, probe: dict[str, str]) -> bool:
        """Whether a probe has a version that it can be deleted without, as who may delete no version has to."""
        if probe.pop("VersionId", "null") == "null":
            return False
        if not self.keeps_versions:
            self.keeps_versions = True
            warn(
                f"the bucket {self.bucket} keeps versions, and the user may not delete one (s3:DeleteObjectVersion), so each try "
                f"leaves a small one below {self.key.rpartition('/')[0]}/: allow it there, or let a lifecycle rule remove them. "
                "The monitor writes once an hour till it is started again"
            )
        return True

    def clean_up(self) -> None:
        """Removes the probes that are left, by single deletes, which stores know that refuse MLflow's."""
        from botocore.exceptions import BotoCoreError, ClientError

        for probe in list(self.left) if self.client else []:
            try:
                if "VersionId" not in probe:
                    version = self.client.head_object(**self.target, **probe).get("VersionId")
                    probe.update({"VersionId": version} if version else {})
                self.client.delete_object(**self.target, **probe)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status == 403 and self.without_version(probe):
                    with contextlib.suppress(ClientError, BotoCoreError):
                        self.client.delete_object(**self.target, **probe)
                        self.left.remove(probe)
                    continue
                if status != 404:
                    # the next check tries again
                    continue
            except (BotoCoreError, ValueError):
                return
            self.left.remove(probe)

    def get_presigned(self, target: dict[str, str], content: bytes) -> None:
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

    def check(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if self.client is None:
            self.connect()
        try:
            for step, action in self.steps():
                try:
                    action()
                except (ClientError, BotoCoreError, ValueError) as error:
                    key = os.environ.get("AWS_ACCESS_KEY_ID")
                    raise self.problem(
                        error, f"{step} {self.url} as {masked(key) if key else 'the identity of the pod'}"
                    ) from None
        finally:
            # SIGTERM ends a check as well
            self.clean_up()

    def check_region(self) -> None:
        """Compares the region with the one of the store. A wrong one breaks presigned URLs only."""
        from botocore.exceptions import BotoCoreError, ClientError

        region = self.client.meta.region_name
        try:
            actual = self.client.get_bucket_location(**self.target).get("LocationConstraint") or DEFAULT_REGION
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

    def problem(self, error: Exception, tried: str) -> Problem:
        """The cause behind an error of boto3."""
        from botocore import exceptions

        response: dict[str, Any] = getattr(error, "response", {})
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        where = self.endpoint + (f', answered by "{headers["server"]}"' if headers.get("server") else "")
        details = response.get("Error", {})
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        code = details.get("Code") or (str(status) if response else type(error).__name__)
        sources = {"source": source_of("AWS_ACCESS_KEY_ID"), "secret_source": source_of("AWS_SECRET_ACCESS_KEY")}
        answer = f"{status} {code}: {details.get('Message', '')}".strip() if response else f"{code}: {error}"

        def found(name: str, **values: object) -> Problem:
            known = {**USUAL, "bucket": self.bucket, "answer_code": code, **sources}
            return Problem(name, tried, where, answer, **{**known, **values})

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
        if isinstance(error, exceptions.ParamValidationError) and upload_arguments(os.environ):
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
            path = urllib.parse.urlsplit(self.endpoint).path.rstrip("/")
            return found("endpoint-path", path=path) if path else found("secret-wrong")
        if code in ("InvalidTokenId", "InvalidToken", "ExpiredToken"):
            return found("session-token")
        if code == "RequestTimeTooSkewed":
            return found("clock", hint=skew(headers.get("date")))
        if code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"):
            return found("region", region=self.client.meta.region_name, actual=details.get("Region", "another"))
        if code in ("NoSuchBucket", "404"):
            return found("bucket-missing")
        if tried.startswith("DELETE") and str(status) in ("400", "405", "501"):
            wants_md5 = "md5" in f"{code} {details.get('Message', '')}".lower()
            return found("delete-md5" if wants_md5 else "delete-objects")
        # MinIO calls a drive that fills up while it writes an InternalError
        full = "no space left on device" in str(details.get("Message", ""))
        if full or code in ("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage"):
            return found("store-full")
        if tried.startswith("PUT") and upload_arguments(os.environ) and code != "AccessDenied" and str(status)[:1] in ("4", "5"):
            return found("upload-args")
        if code in ("AccessDenied", "403", "AllAccessDisabled"):
            return found("denied")
        if response:
            return found("store-error")
        return found("store-absent")

    def absent(self, found: Callable[..., Problem]) -> Problem:
        host = urllib.parse.urlsplit(self.endpoint).hostname or ""
        virtual = f"{self.bucket}.{host}"
        style = (self.client.meta.config.s3 or {}).get("addressing_style") if self.client else None
        if style == "virtual" and resolves(host) and not resolves(virtual):
            return found("virtual-addressing", host=virtual)
        return found("store-absent")

    def unknown_key(self, found: Callable[..., Problem]) -> Problem:
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


def resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def skew(date: str | None) -> str:
    try:
        seconds = time.time() - email.utils.parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return ""
    return f"; this node is {abs(seconds) / 60:.0f} minutes {'ahead' if seconds > 0 else 'behind'}"
