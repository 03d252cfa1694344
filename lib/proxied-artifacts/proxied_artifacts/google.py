"""How files travel to Google Cloud Storage, and from it, by what its library has for streams."""

from __future__ import annotations

import mimetypes
import posixpath
from typing import Any, BinaryIO

from google.cloud.storage.fileio import BlobReader, BlobWriter

from .opened import Missing, Opened, Wanted, content_range, extent
from .uploads import PART


def prepare() -> None:
    """There is nothing to set up."""


class Place:
    def __init__(self, repository: Any, path: str) -> None:
        bucket, root = repository.parse_gcs_uri(repository.artifact_uri)
        self.path = posixpath.join(root, path)
        self._bucket = repository._get_bucket(bucket)
        self._timeout = repository._GCS_DEFAULT_TIMEOUT


class Writer(BlobWriter):  # type: ignore[misc]
    """An upload that ends where it is told to. The library's own ends, too, when it is forgotten."""

    whole = False

    def close(self) -> None:
        if self.whole:
            super().close()


class Target(Place):
    # a session of this store takes one part after the other
    parallel = 1
    _writer: Writer

    def __init__(self, repository: Any, path: str) -> None:
        super().__init__(repository, path)
        self._how = {"content_type": mimetypes.guess_type(path)[0], "timeout": self._timeout}

    def put(self, body: bytearray) -> None:
        self._bucket.blob(self.path).upload_from_string(bytes(body), **self._how)

    def put_stream(self, stream: BinaryIO) -> None:
        self._bucket.blob(self.path, chunk_size=PART).upload_from_file(stream, **self._how)

    def begin(self) -> None:
        self._writer = Writer(self._bucket.blob(self.path), chunk_size=PART, **self._how)

    def part(self, number: int, body: bytearray) -> None:
        self._writer.write(body)

    def finish(self, parts: list[None]) -> None:
        self._writer.whole = True
        self._writer.close()

    def abort(self) -> None:
        self._writer.whole = False
        self._writer.terminate()


class Source(Place):
    def open(self, wanted: Wanted) -> Opened:
        blob = self._blob()
        bounds = extent(wanted, blob.size, _etag(blob))
        first, last = bounds or (0, blob.size - 1)
        # as it is stored, and of the generation that has been described
        reader = BlobReader(blob, chunk_size=PART, raw_download=True, timeout=self._timeout)
        reader.seek(first)
        left = last + 1 - first

        def read(size: int) -> bytes:
            nonlocal left
            data: bytes = reader.read(min(size, left)) if left > 0 else b""
            left -= len(data)
            return data

        return Opened(left, _etag(blob), blob.updated, content_range(bounds, blob.size), read, reader.close)

    def describe(self) -> Opened:
        blob = self._blob()
        return Opened(blob.size, _etag(blob), blob.updated)

    def _blob(self) -> Any:
        blob = self._bucket.get_blob(self.path, timeout=self._timeout)
        if blob is None:
            raise Missing(self.path)
        return blob


def _etag(blob: Any) -> str:
    return f'"{blob.etag}"'
