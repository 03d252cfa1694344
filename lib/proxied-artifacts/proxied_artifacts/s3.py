"""How files travel to an S3 store, and from it."""

from __future__ import annotations

import mimetypes
import os
import posixpath
from typing import Any, BinaryIO

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from .opened import Changed, Missing, NotModified, NotSatisfiable, Opened, Wanted
from .uploads import PLACES

# a full bucket in MinIO and in Ceph, and full drives in MinIO
NO_ROOM = ("XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "XMinioStorageFull")
# connections to the store: boto3 keeps 10, and makes a new one for each transfer beyond
CONNECTIONS = 2 * PLACES
# A store of one server is away for seconds when that starts again, where boto3 gives up within one. The pauses between seven
# attempts add up to half a minute, and to 63 seconds at the most, for which MLflow's clients wait.
PATIENCE = {"mode": "legacy", "total_max_attempts": 7}


def prepare() -> None:
    """Gives the client that MLflow makes enough connections and patience, where the process has not set up boto3 otherwise."""
    if boto3.DEFAULT_SESSION is None:
        session = botocore.session.get_session()
        # a Config goes before the environment, whose settings are somebody's wish
        retries = None if {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"} & os.environ.keys() else PATIENCE
        session.set_default_client_config(Config(max_pool_connections=CONNECTIONS, retries=retries))
        boto3.setup_default_session(botocore_session=session)


class Place:
    """An object, with what MLflow's repository says about how to reach it."""

    def __init__(self, repository: Any, path: str) -> None:
        self._repository = repository
        bucket, root = repository.parse_s3_compliant_uri(repository.artifact_uri)
        self.path = posixpath.join(root, path)
        self._object = {"Bucket": bucket, "Key": self.path}
        self._client = repository._get_s3_client()

    def _given(self) -> dict[str, Any]:
        """What MLFLOW_S3_UPLOAD_EXTRA_ARGS and MLFLOW_S3_EXPECTED_BUCKET_OWNER ask for."""
        return {**self._repository._bucket_owner_params, **(self._repository.get_s3_file_upload_extra_args() or {})}

    def _call(self, operation: str, arguments: dict[str, Any], **own: Any) -> Any:
        """Calls an operation with those of the arguments that it knows."""
        known = self._client.meta.service_model.operation_model(operation).input_shape.members
        method = getattr(self._client, xform_name(operation))
        return method(**self._object, **{name: value for name, value in arguments.items() if name in known}, **own)


class Target(Place):
    """An object that is uploaded, with the arguments with which MLflow would."""

    _upload_id = ""

    def __init__(self, repository: Any, path: str) -> None:
        super().__init__(repository, path)
        kind, encoding = mimetypes.guess_type(path)
        described = {"ContentType": kind, "ContentEncoding": encoding}
        self._arguments = {**{name: value for name, value in described.items() if value is not None}, **self._given()}
        # as boto3 does in its own uploads: a store must be told before the first part, or refuses the checksums of parts
        if self._client.meta.config.request_checksum_calculation == "when_supported":
            self._arguments.setdefault("ChecksumAlgorithm", "CRC32")

    @staticmethod
    def no_room(error: BaseException) -> str:
        """What the store says, where it has no room for the object."""
        answer = error.response["Error"] if isinstance(error, ClientError) else {}
        code, message = answer.get("Code", ""), answer.get("Message", "")
        # MinIO calls a drive that fills up while it writes an InternalError
        return f"{code}: {message}" if code in NO_ROOM or "no space left on device" in message else ""

    def put(self, body: bytearray) -> None:
        self._call("PutObject", self._arguments, Body=body)

    def put_stream(self, stream: BinaryIO) -> None:
        self._client.upload_fileobj(stream, self._object["Bucket"], self.path, ExtraArgs=self._arguments)

    def begin(self) -> None:
        self._upload_id = self._call("CreateMultipartUpload", self._arguments)["UploadId"]

    def part(self, number: int, body: bytearray) -> dict[str, Any]:
        answer = self._call("UploadPart", self._arguments, UploadId=self._upload_id, PartNumber=number, Body=body)
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"}
        return {"PartNumber": number, "ETag": answer["ETag"], **sums}

    def finish(self, parts: list[dict[str, Any]]) -> None:
        self._call("CompleteMultipartUpload", self._arguments, UploadId=self._upload_id, MultipartUpload={"Parts": parts})

    def abort(self) -> None:
        self._call("AbortMultipartUpload", self._arguments, UploadId=self._upload_id)


class Source(Place):
    """An object that is downloaded."""

    def open(self, wanted: Wanted) -> Opened:
        conditions = {"Range": wanted.range, "IfMatch": wanted.if_match, "IfNoneMatch": wanted.if_none_match}
        given = {name: value for name, value in conditions.items() if value is not None}
        try:
            answer = self._call("GetObject", self._readable(), **given)
        except ClientError as error:
            raise self._reason(error) from error
        return self._opened(answer, answer["Body"])

    def describe(self) -> Opened:
        try:
            return self._opened(self._call("HeadObject", self._readable()), None)
        except ClientError as error:
            raise self._reason(error) from error

    def _readable(self) -> dict[str, Any]:
        # of what an upload is given, a download needs the key of the customer, and who pays
        kept = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5", "RequestPayer", "ExpectedBucketOwner")
        return {name: value for name, value in self._given().items() if name in kept}

    def _opened(self, answer: dict[str, Any], body: Any) -> Opened:
        return Opened(
            length=answer["ContentLength"],
            etag=answer["ETag"],
            modified=answer["LastModified"],
            content_range=answer.get("ContentRange"),
            read=None if body is None else body.read,
            close=None if body is None else body.close,
        )

    def _reason(self, error: ClientError) -> Exception:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "404"):
            return Missing(self.path)
        if code in ("NotModified", "304"):
            return NotModified(error.response["ResponseMetadata"]["HTTPHeaders"].get("etag", ""))
        if code in ("InvalidRange", "416"):
            return NotSatisfiable(self.describe().length)
        if code in ("PreconditionFailed", "412"):
            return Changed()
        reason: Exception = error
        return reason
