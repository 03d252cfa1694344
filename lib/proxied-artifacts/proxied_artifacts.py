"""MLflow plugin: artifacts that travel through the tracking server only.

MLflow tells its clients to use presigned URLs of the artifact store whenever the repository class of the
artifacts destination says it can make them. These classes can do all that MLflow's own repositories do, except
that, so clients keep to the tracking server.
"""

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository
from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository


class ProxiedArtifactRepository(ArtifactRepository):
    """Hands everything to a repository of MLflow. The library of its cloud is imported when one is made."""

    original = None

    def __init__(self, artifact_uri, tracking_uri=None, registry_uri=None):
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._repository = self.original(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)

    def log_artifact(self, local_file, artifact_path=None):
        return self._repository.log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir, artifact_path=None):
        return self._repository.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path=None):
        return self._repository.list_artifacts(path)

    def _download_file(self, remote_file_path, local_path):
        return self._repository._download_file(remote_file_path, local_path)

    def delete_artifacts(self, artifact_path=None):
        return self._repository.delete_artifacts(artifact_path)

    def upload_archived_trace_data_bytes(self, data):
        return self._repository.upload_archived_trace_data_bytes(data)


class ProxiedS3ArtifactRepository(ProxiedArtifactRepository):
    original = S3ArtifactRepository


class ProxiedGCSArtifactRepository(ProxiedArtifactRepository):
    original = GCSArtifactRepository


class ProxiedAzureBlobArtifactRepository(ProxiedArtifactRepository):
    original = AzureBlobArtifactRepository
