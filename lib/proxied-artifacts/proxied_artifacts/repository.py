"""The repositories that MLflow takes for its own, by scheme of the artifacts destination."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterable
from typing import Any, BinaryIO

from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository
from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

from .paths import contained
from .request import DOWNLOAD, UPLOAD, Upload

# versions of MLflow without it spool uploads, as they do with their own repositories
StreamUploadMixin: Any = getattr(artifact_repo, "StreamUploadMixin", object)


class ProxiedArtifactRepository(ArtifactRepository, StreamUploadMixin):  # type: ignore[misc]
    """Hands everything to a repository of MLflow, but streams. The library of its cloud is imported when one is made."""

    original: Any = None
    # the module that knows how files travel to the store, and from it
    store = ""

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._store = importlib.import_module(f".{self.store}", __package__)
        self._store.prepare()
        self._repository = self.original(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> Any:
        return self._repository.log_artifact(local_file, contained(artifact_path))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> Any:
        return self._repository.log_artifacts(local_dir, contained(artifact_path))

    async def log_artifact_from_async_stream(
        self, chunks: AsyncIterable[bytes], artifact_file_name: str, artifact_path: str | None = None
    ) -> None:
        from .uploads import upload

        request = UPLOAD.get() or Upload(None)
        await upload(request.straight() or chunks, self._target(artifact_file_name, artifact_path), request)

    def log_artifact_from_stream(self, stream: BinaryIO, artifact_file_name: str, artifact_path: str | None = None) -> None:
        self._target(artifact_file_name, artifact_path).put_stream(stream)

    def _target(self, name: str, folder: str | None) -> Any:
        name = os.path.basename(name)
        folder = contained(folder)
        return self._store.Target(self._repository, f"{folder}/{name}" if folder else name)

    def list_artifacts(self, path: str | None = None) -> Any:
        return self._repository.list_artifacts(contained(path))

    def get_local_path(self, artifact_path: str) -> str | None:
        """The path of an empty file, in whose place the layer in front of MLflow sends the object; nothing without it."""
        download = DOWNLOAD.get()
        path = contained(artifact_path)
        if download is None or not path:
            return None
        download.repository, download.path = self, path
        local_path = os.path.join(download.placeholder, os.path.basename(path))
        with open(local_path, "wb"):
            return local_path

    def source(self, path: str) -> Any:
        """An object of the store, to be read."""
        return self._store.Source(self._repository, path)

    def _download_file(self, remote_file_path: str, local_path: str) -> Any:
        return self._repository._download_file(contained(remote_file_path), local_path)

    def delete_artifacts(self, artifact_path: str | None = None) -> Any:
        return self._repository.delete_artifacts(contained(artifact_path))

    def upload_archived_trace_data_bytes(self, data: bytes) -> Any:
        return self._repository.upload_archived_trace_data_bytes(data)


class ProxiedS3ArtifactRepository(ProxiedArtifactRepository):
    original = S3ArtifactRepository
    store = "s3"


class ProxiedGCSArtifactRepository(ProxiedArtifactRepository):
    original = GCSArtifactRepository
    store = "google"


class ProxiedAzureBlobArtifactRepository(ProxiedArtifactRepository):
    original = AzureBlobArtifactRepository
    store = "azure"
