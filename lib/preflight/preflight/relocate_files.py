"""The files of a relocation: how many and how big they are, and the copies of those that live elsewhere."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from .environment import upload_arguments
from .mlflow_doctor import PROBE_PREFIX
from .problem import Problem, say
from .relocate_undo import FOLDER, repository
from .s3 import S3Store

# before the variables of the store that is copied from
COPY_FROM = "COPY_FROM_"
COPIES_AT_A_TIME = 8
CHUNK = 1024 * 1024


class File(NamedTuple):
    """An object, by its path below a root."""

    path: str
    size: int
    etag: str


def s3_client(variables: dict[str, str]) -> Any:
    """A client with these variables, or with those of the environment where there are none."""
    import boto3
    from botocore.client import Config

    style = variables.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE") or os.environ.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "auto")
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": style},
        retries={"mode": "standard"},
        max_pool_connections=COPIES_AT_A_TIME,
    )
    own = {
        "aws_access_key_id": variables.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": variables.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": variables.get("AWS_SESSION_TOKEN"),
        "region_name": variables.get("AWS_DEFAULT_REGION"),
        "verify": variables.get("AWS_CA_BUNDLE"),
        # one of AWS where the variables of another store name none
        "endpoint_url": variables.get("MLFLOW_S3_ENDPOINT_URL")
        or (None if variables else os.environ.get("MLFLOW_S3_ENDPOINT_URL")),
    }
    insecure = os.environ.get("MLFLOW_S3_IGNORE_TLS", "").lower() in ("true", "1")
    given = {name: value for name, value in own.items() if value}
    return boto3.client("s3", config=config, **({"verify": False} if insecure and not variables else {}), **given)


class Bucket:
    """A root in a bucket."""

    def __init__(self, uri: str, client: Any, target: dict[str, str] | None = None) -> None:
        bucket, _, path = uri.partition("://")[2].partition("/")
        self.uri, self.client = uri.rstrip("/"), client
        self.target = target or {"Bucket": bucket}
        self.root = f"{path.strip('/')}/" if path.strip("/") else ""

    def files(self, below: str = "") -> Iterator[File]:
        pages = self.client.get_paginator("list_objects_v2").paginate(**self.target, Prefix=self.root + below)
        for page in pages:
            for found in page.get("Contents", []):
                path = found["Key"][len(self.root) :]
                if not path.startswith((PROBE_PREFIX, f"{FOLDER}/")):
                    yield File(path, found["Size"], found["ETag"])

    def place(self, path: str) -> dict[str, str]:
        return {**self.target, "Key": self.root + path}

    def sha256(self, path: str) -> str:
        digest = hashlib.sha256()
        for chunk in self.client.get_object(**self.place(path))["Body"].iter_chunks(CHUNK):
            digest.update(chunk)
        return digest.hexdigest()


def destination_bucket(store: S3Store) -> Bucket:
    return Bucket(store.destination, s3_client({}), store.target)


class Hashing:
    """A body that is read, and what has been read of it."""

    def __init__(self, body: Any) -> None:
        self.body, self.digest = body, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.body.read(None if size < 0 else size)
        self.digest.update(data)
        return data


class Copy:
    """Copies of what is below a root in another bucket, or at another endpoint."""

    def __init__(self, uri: str, to: Bucket) -> None:
        variables = {name[len(COPY_FROM) :]: value.strip() for name, value in os.environ.items() if name.startswith(COPY_FROM)}
        # a store copies by itself what is its own
        self.server_side = not variables
        self.source, self.to = Bucket(uri, s3_client(variables)), to

    def missing(self) -> list[File]:
        """What is not there yet. Where another file is, nothing is copied at all."""
        there = {file.path: file for file in self.to.files()}
        wanted, taken = [], []
        for file in self.source.files():
            other = there.get(file.path)
            if other is None:
                wanted.append(file)
            elif other.size != file.size or (other.etag != file.etag and not self.same(file.path)):
                taken.append(file.path)
        if taken:
            more = f" and {len(taken) - 20} more" if len(taken) > 20 else ""
            names = ", ".join(taken[:20]) + more
            raise Problem("relocate-taken", f"comparing {self.source.uri} with {self.to.uri}", answer=names, count=len(taken))
        return wanted

    def same(self, path: str) -> bool:
        return self.source.sha256(path) == self.to.sha256(path)

    def one(self, file: File) -> int:
        """Copies a file, and reads it back where the two stores do not tell the same fingerprint of it."""
        arguments = upload_arguments(os.environ)
        if self.server_side:
            self.to.client.copy(
                self.source.place(file.path), self.to.target["Bucket"], self.to.root + file.path, ExtraArgs=arguments
            )
            there = self.to.client.head_object(**self.to.place(file.path))
            good = there["ContentLength"] == file.size and (there["ETag"] == file.etag or self.same(file.path))
        else:
            body = Hashing(self.source.client.get_object(**self.source.place(file.path))["Body"])
            self.to.client.upload_fileobj(body, self.to.target["Bucket"], self.to.root + file.path, ExtraArgs=arguments)
            good = self.to.sha256(file.path) == body.digest.hexdigest()
        if not good:
            raise Problem("relocate-copy", f"reading back {self.to.uri}/{file.path}", answer="other content than was copied")
        return file.size

    def copy(self, files: list[File]) -> None:
        if not files:
            return
        total = sum(file.size for file in files)
        say(f"Copying {len(files)} files of {total} bytes from {self.source.uri} to {self.to.uri}")
        with concurrent.futures.ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            done = sum(pool.map(self.one, files))
        say(f"Copied and verified {len(files)} files of {done} bytes")


class OtherStore:
    """A store that is no S3 bucket, by what MLflow has for it."""

    def __init__(self, uri: str) -> None:
        self.repository = repository(uri)

    def files(self, below: str = "") -> Iterator[File]:
        for entry in self.repository.list_artifacts(below or None):
            if entry.is_dir:
                yield from self.files(entry.path)
            else:
                yield File(entry.path, entry.file_size or 0, "")

    def sha256(self, path: str) -> str:
        digest = hashlib.sha256()
        with tempfile.TemporaryDirectory() as folder, open(self.repository.download_artifacts(path, folder), "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()
