"""The two buckets of a backup: that of the artifacts, and its destination."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gzip
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from preflight.environment import upload_arguments
from preflight.mlflow_doctor import PROBE_PREFIX
from preflight.problem import Problem
from preflight.s3 import S3Store

# before the variables of the destination
PREFIX = "BACKUP_"
SOURCES = "STARTUP_SOURCES"
OF_A_STORE = ("AWS_", "MLFLOW_S3_", "MLFLOW_BOTO_", SOURCES)
# below it is what a restore has moved aside; it belongs to no backup
ASIDE = "before-restore-"
AT_A_TIME = 8
MOST_KEYS = 1000
CHUNK = 1024 * 1024
# what a store answers for a key that is not there
ABSENT = ("404", "NoSuchKey", "NotFound")


class Found(NamedTuple):
    """An object, by its path below a root."""

    path: str
    size: int
    etag: str


def variables_of_destination() -> dict[str, str]:
    """As they would be called for the artifact store."""
    return {name[len(PREFIX) :]: value.strip() for name, value in os.environ.items() if name.startswith(PREFIX)}


@contextlib.contextmanager
def as_destination() -> Iterator[None]:
    """Within it the environment is that of a client of the destination."""
    before = dict(os.environ)
    forget_session()
    for name in before:
        if name.startswith(OF_A_STORE):
            del os.environ[name]
    os.environ.update(variables_of_destination())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        forget_session()


def forget_session() -> None:
    """The session of all clients that name none keeps the keys that it has found first."""
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None  # type: ignore[attr-defined]


def client_of(variables: dict[str, str]) -> Any:
    import boto3
    from botocore.client import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": variables.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE") or "auto"},
        retries={"mode": "standard", "max_attempts": 5},
        max_pool_connections=AT_A_TIME + 2,
    )
    given = {
        "aws_access_key_id": variables.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": variables.get("AWS_SECRET_ACCESS_KEY"),
        "region_name": variables.get("AWS_DEFAULT_REGION"),
        "endpoint_url": variables.get("MLFLOW_S3_ENDPOINT_URL"),
        "verify": variables.get("AWS_CA_BUNDLE"),
    }
    checksums = {
        "request_checksum_calculation": variables.get("AWS_REQUEST_CHECKSUM_CALCULATION"),
        "response_checksum_validation": variables.get("AWS_RESPONSE_CHECKSUM_VALIDATION"),
    }
    config = config.merge(Config(**{name: value for name, value in checksums.items() if value}))
    # an own session: the default one has read the environment of the other store, perhaps
    return boto3.session.Session().client("s3", config=config, **{name: value for name, value in given.items() if value})


class Bucket:
    """A root in a bucket."""

    @classmethod
    def of_artifacts(cls) -> Bucket:
        return cls(os.environ["ARTIFACTS_DESTINATION"], {name: os.environ[name].strip() for name in os.environ})

    @classmethod
    def of_destination(cls) -> Bucket:
        return cls(os.environ["BACKUP_DESTINATION"], variables_of_destination())

    def __init__(self, uri: str, variables: dict[str, str]) -> None:
        self.uri = uri.rstrip("/")
        self.bucket, _, path = uri.partition("://")[2].partition("/")
        self.root = f"{path.strip('/')}/" if path.strip("/") else ""
        self.client = client_of(variables)
        owner = variables.get("MLFLOW_S3_EXPECTED_BUCKET_OWNER")
        self.target = {"Bucket": self.bucket, **({"ExpectedBucketOwner": owner} if owner else {})}
        self.arguments = upload_arguments(variables)

    def place(self, path: str) -> dict[str, str]:
        return {**self.target, "Key": self.root + path}

    def listing(self, below: str = "") -> Iterator[Found]:
        """All objects below the root, but for probes and what was moved aside."""
        pages = self.client.get_paginator("list_objects_v2").paginate(**self.target, Prefix=self.root + below)
        for page in pages:
            for found in page.get("Contents", []):
                path = found["Key"][len(self.root) :]
                if not path.startswith((PROBE_PREFIX, ASIDE)):
                    yield Found(path, found["Size"], found["ETag"].strip('"'))

    def folders(self, below: str) -> list[str]:
        """Names of what looks like folders, in order."""
        pages = self.client.get_paginator("list_objects_v2").paginate(**self.target, Prefix=self.root + below, Delimiter="/")
        prefixes = [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
        return sorted(prefix[len(self.root + below) :].rstrip("/") for prefix in prefixes)

    def read(self, path: str) -> bytes | None:
        """What stands there; None where nothing does."""
        from botocore.exceptions import ClientError

        try:
            content: bytes = self.client.get_object(**self.place(path))["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT:
                return None
            raise
        return content

    def read_json(self, path: str) -> Any:
        content = self.read(path)
        if content is None:
            return None
        return json.loads(gzip.decompress(content) if path.endswith(".gz") else content)

    def write_json(self, path: str, value: Any) -> None:
        text = json.dumps(value, separators=(",", ":") if path.endswith(".gz") else None).encode()
        content = gzip.compress(text, mtime=0) if path.endswith(".gz") else text
        self.client.put_object(**self.place(path), Body=content, **self.arguments)

    def upload(self, file: str, path: str) -> None:
        self.client.upload_file(file, self.bucket, self.root + path, ExtraArgs=self.arguments)

    def download(self, path: str, file: str) -> None:
        self.client.download_file(self.bucket, self.root + path, file)

    def sha256(self, path: str) -> str:
        digest = hashlib.sha256()
        for chunk in self.client.get_object(**self.place(path))["Body"].iter_chunks(CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    def move(self, paths: Iterable[tuple[str, str]]) -> int:
        """Gives objects other paths, by copies that the store makes itself; a move that was interrupted can be made again."""

        def one(pair: tuple[str, str]) -> None:
            before, after = pair
            source = {"Bucket": self.bucket, "Key": self.root + before}
            self.client.copy(source, self.bucket, self.root + after, ExtraArgs=self.arguments)
            self.client.delete_object(**self.place(before))

        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            return sum(1 for _ in pool.map(one, paths))

    def delete(self, paths: Iterable[str]) -> int:
        """One by one: some stores refuse the other way without a checksum that newer clients do not send."""
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            return sum(1 for _ in pool.map(lambda path: self.client.delete_object(**self.place(path)), paths))

    def delete_below(self, below: str) -> int:
        return self.delete([found.path for found in self.listing(below)])


def try_destination() -> None:
    """Puts, gets and deletes a small object there, as MLflow's own stores are tried."""
    with as_destination():
        try:
            S3Store(os.environ["DESTINATION"]).check()
        except Problem as problem:
            told = Problem(
                "backup-destination",
                problem.tried,
                problem.where,
                problem.answer,
                form=problem.title,
                inner=problem.text(problem.cause.why),
                mend=problem.text(problem.cause.fix),
            )
            told.passing = problem.passing
            raise told from None
