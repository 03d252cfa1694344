"""MLflow plugin: artifacts on S3 that travel through the tracking server only.

MLflow tells its clients to use presigned URLs of the artifact store whenever the repository class of the
artifacts destination says it can make them. This class can do all that MLflow's own S3 repository does, except
that, so clients keep to the tracking server.
"""

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository


class ProxiedS3ArtifactRepository(ArtifactRepository):
    def __init__(self, artifact_uri, tracking_uri=None, registry_uri=None):
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._s3 = S3ArtifactRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)

    def log_artifact(self, local_file, artifact_path=None):
        return self._s3.log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir, artifact_path=None):
        return self._s3.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path=None):
        return self._s3.list_artifacts(path)

    def _download_file(self, remote_file_path, local_path):
        return self._s3._download_file(remote_file_path, local_path)

    def delete_artifacts(self, artifact_path=None):
        return self._s3.delete_artifacts(artifact_path)

    def upload_archived_trace_data_bytes(self, data):
        return self._s3.upload_archived_trace_data_bytes(data)
