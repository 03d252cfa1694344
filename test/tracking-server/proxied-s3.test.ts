import { join } from 'node:path';
import { PYTHON, ROOT, run, scratch } from '../run-script';

const ARTIFACT_REPO = `
from abc import ABC, ABCMeta, abstractmethod


class ArtifactRepository:
    __metaclass__ = ABCMeta

    def __init__(self, artifact_uri, tracking_uri=None, registry_uri=None):
        self.uris = [artifact_uri, tracking_uri, registry_uri]


class MultipartUploadMixin(ABC):
    @abstractmethod
    def create_multipart_upload(self, local_file): ...


class MultipartDownloadMixin(ABC):
    @abstractmethod
    def get_download_presigned_url(self, artifact_path): ...


class PresignedUploadMixin(ABC):
    @abstractmethod
    def create_presigned_upload_url(self, artifact_path): ...
`;
const S3_ARTIFACT_REPO = `
from mlflow.store.artifact.artifact_repo import (
    ArtifactRepository, MultipartDownloadMixin, MultipartUploadMixin, PresignedUploadMixin,
)

CALLS = []


class S3ArtifactRepository(ArtifactRepository, MultipartUploadMixin, MultipartDownloadMixin, PresignedUploadMixin):
    def __init__(self, artifact_uri, access_key_id=None, secret_access_key=None, tracking_uri=None, registry_uri=None):
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        CALLS.append(["__init__", artifact_uri, access_key_id, secret_access_key, tracking_uri, registry_uri])

    def log_artifact(self, local_file, artifact_path=None):
        CALLS.append(["log_artifact", local_file, artifact_path])
        return "logged one"

    def log_artifacts(self, local_dir, artifact_path=None):
        CALLS.append(["log_artifacts", local_dir, artifact_path])
        return "logged all"

    def list_artifacts(self, path=None):
        CALLS.append(["list_artifacts", path])
        return ["a", "b"]

    def _download_file(self, remote_file_path, local_path):
        CALLS.append(["_download_file", remote_file_path, local_path])
        return "downloaded"

    def delete_artifacts(self, artifact_path=None):
        CALLS.append(["delete_artifacts", artifact_path])
        return "deleted"

    def upload_archived_trace_data_bytes(self, data):
        CALLS.append(["upload_archived_trace_data_bytes", data])
        return "uploaded"

    def create_multipart_upload(self, local_file): ...
    def get_download_presigned_url(self, artifact_path): ...
    def create_presigned_upload_url(self, artifact_path): ...
`;

/** Runs Python code that has the class at hand and leaves its findings in `result`. */
async function evaluate(code: string): Promise<unknown> {
  const program = `
import json
from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.s3_artifact_repo import CALLS, S3ArtifactRepository
from proxied_s3 import ProxiedS3ArtifactRepository
${code}
print(json.dumps(result))
`;
  const modules = scratch({
    'mlflow/__init__.py': '',
    'mlflow/store/__init__.py': '',
    'mlflow/store/artifact/__init__.py': '',
    'mlflow/store/artifact/artifact_repo.py': ARTIFACT_REPO,
    'mlflow/store/artifact/s3_artifact_repo.py': S3_ARTIFACT_REPO,
    'program.py': program,
  });
  const { stdout, stderr } = await run([PYTHON, join(modules, 'program.py')], { PYTHONPATH: `${modules}:${join(ROOT, 'lib/tracking-server')}` });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

test('is made for an artifact URI as MLflow makes repositories', async () => {
  const result = await evaluate(`
by_name = ProxiedS3ArtifactRepository("s3://models/1", tracking_uri="http://tracking", registry_uri="http://registry")
by_position = ProxiedS3ArtifactRepository("s3://models/2", "http://tracking", "http://registry")
alone = ProxiedS3ArtifactRepository("s3://models/3")
result = [by_name.uris, by_position.uris, alone.uris, CALLS]
`);

  const uris = [
    ['s3://models/1', 'http://tracking', 'http://registry'],
    ['s3://models/2', 'http://tracking', 'http://registry'],
    ['s3://models/3', null, null],
  ];
  expect(result).toEqual([...uris, uris.map(([artifactUri, trackingUri, registryUri]) => ['__init__', artifactUri, null, null, trackingUri, registryUri])]);
});

test.each<[string, string, unknown[], string | string[]]>([
  ['log_artifact', '"/tmp/a", "models"', ['/tmp/a', 'models'], 'logged one'],
  ['log_artifact', '"/tmp/a", artifact_path="models"', ['/tmp/a', 'models'], 'logged one'],
  ['log_artifact', '"/tmp/a"', ['/tmp/a', null], 'logged one'],
  ['log_artifacts', '"/tmp", "models"', ['/tmp', 'models'], 'logged all'],
  ['log_artifacts', '"/tmp"', ['/tmp', null], 'logged all'],
  ['list_artifacts', '"models"', ['models'], ['a', 'b']],
  ['list_artifacts', '', [null], ['a', 'b']],
  ['_download_file', '"models/a", "/tmp/a"', ['models/a', '/tmp/a'], 'downloaded'],
  ['delete_artifacts', '"models"', ['models'], 'deleted'],
  ['delete_artifacts', '', [null], 'deleted'],
  ['upload_archived_trace_data_bytes', '"data"', ['data'], 'uploaded'],
])('%s(%s) is done by the S3 repository', async (method, passed, received, returned) => {
  const result = await evaluate(`
repository = ProxiedS3ArtifactRepository("s3://models")
CALLS.clear()
result = [repository.${method}(${passed}), CALLS]
`);

  expect(result).toEqual([returned, [[method, ...received]]]);
});

test('is an ArtifactRepository and nothing that could make URLs for clients', async () => {
  const result = await evaluate(`
mixins = [artifact_repo.MultipartUploadMixin, artifact_repo.MultipartDownloadMixin, artifact_repo.PresignedUploadMixin]
repository = ProxiedS3ArtifactRepository("s3://models")
result = {
    "base": isinstance(repository, artifact_repo.ArtifactRepository),
    "mixins": [isinstance(repository, mixin) for mixin in mixins],
    "mixins of S3": [issubclass(S3ArtifactRepository, mixin) for mixin in mixins],
    "methods": [name for name in dir(repository) if "presigned" in name or "multipart" in name],
}
`);

  expect(result).toEqual({ base: true, mixins: [false, false, false], 'mixins of S3': [true, true, true], methods: [] });
});
