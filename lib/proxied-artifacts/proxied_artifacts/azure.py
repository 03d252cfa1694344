"""How files travel to Azure Blob Storage, and from it."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock

from .opened import Missing, Opened, Wanted, content_range, extent


def prepare() -> None:
    """There is nothing to set up."""


class Place:
    def __init__(self, repository: Any, path: str) -> None:
        container, _, root, _ = repository.parse_wasbs_uri(repository.artifact_uri)
        self.path = posixpath.join(root, path)
        self._blob = repository.client.get_blob_client(container, self.path)
        self._timeout = repository.write_timeout


class Target(Place):
    def __init__(self, repository: Any, path: str) -> None:
        super().__init__(repository, path)
        # another upload of the same blob has other blocks; all names have to be of one length
        self._name = uuid.uuid4().hex

    def put(self, body: bytearray) -> None:
        self._blob.upload_blob(bytes(body), overwrite=True, timeout=self._timeout)

    def put_stream(self, stream: BinaryIO) -> None:
        self._blob.upload_blob(stream, overwrite=True, timeout=self._timeout)

    def begin(self) -> None:
        """Blocks are there with the first of them."""

    def part(self, number: int, body: bytearray) -> Any:
        block = f"{self._name}{number:05d}"
        self._blob.stage_block(block, bytes(body), timeout=self._timeout)
        return BlobBlock(block_id=block)

    def finish(self, parts: list[Any]) -> None:
        self._blob.commit_block_list(parts, timeout=self._timeout)

    def abort(self) -> None:
        """The store itself forgets blocks after a week: they cannot be deleted, and what was there before has to stay."""


class Source(Place):
    def open(self, wanted: Wanted) -> Opened:
        known = self._properties()
        bounds = extent(wanted, known.size, known.etag)
        first, last = bounds or (0, known.size - 1)
        part = {} if bounds is None else {"offset": first, "length": last + 1 - first}
        same = {"etag": known.etag, "match_condition": MatchConditions.IfNotModified}
        read = self._blob.download_blob(**part, **same).read
        return Opened(last + 1 - first, known.etag, known.last_modified, content_range(bounds, known.size), read)

    def describe(self) -> Opened:
        known = self._properties()
        return Opened(known.size, known.etag, known.last_modified)

    def _properties(self) -> Any:
        try:
            return self._blob.get_blob_properties()
        except ResourceNotFoundError:
            raise Missing(self.path) from None
