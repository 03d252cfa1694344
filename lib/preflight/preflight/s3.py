"""The artifact store in an S3 bucket."""

from __future__ import annotations

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

    def steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Name and action of each step of the check, in order."""
        target = {"Bucket": self.bucket, "Key": self.key}
        content = uuid.uuid4().bytes

        def get() -> None:
            if self.client.get_object(**target)["Body"].read() != content:
                answer = "other content than was put"
                raise Problem("store-error", f"GET {self.url}", self.endpoint, answer, answer_code="content")

        yield "LIST", lambda: self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.key, MaxKeys=1)
        yield "region of", self.check_region
        yield "PUT", lambda: self.client.put_object(**target, Body=content, **upload_arguments(os.environ))
        yield "GET", get
        if self.direct:
            yield "GET presigned", lambda: self.get_presigned(target, content)
        yield "DELETE", lambda: self.client.delete_object(**target)

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
        for step, action in self.steps():
            try:
                action()
            except (ClientError, BotoCoreError, ValueError) as error:
                key = os.environ.get("AWS_ACCESS_KEY_ID")
                raise self.problem(error, f"{step} {self.url} as {masked(key) if key else 'the identity of the pod'}") from None

    def check_region(self) -> None:
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
            return found("secret-wrong")
        if code in ("InvalidTokenId", "InvalidToken", "ExpiredToken"):
            return found("session-token")
        if code == "RequestTimeTooSkewed":
            return found("clock", hint=skew(headers.get("date")))
        if code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"):
            return found("region", region=self.client.meta.region_name, actual=details.get("Region", "another"))
        if code in ("NoSuchBucket", "404"):
            return found("bucket-missing")
        if tried.startswith("PUT") and upload_arguments(os.environ) and code != "AccessDenied" and str(status)[:1] in ("4", "5"):
            return found("upload-args")
        if code in ("AccessDenied", "403", "AllAccessDisabled"):
            return found("denied")
        if code in ("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage"):
            return found("store-full")
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
