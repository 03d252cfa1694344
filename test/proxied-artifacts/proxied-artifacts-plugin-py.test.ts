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
const EXCEPTIONS = `
class MlflowException(Exception):
    @classmethod
    def invalid_parameter_value(cls, message):
        return cls("INVALID_PARAMETER_VALUE: " + message)
`;
/** A repository of MLflow: [module, class, class of the plugin, URI]. */
const REPOSITORIES: [string, string, string, string][] = [
  ['s3_artifact_repo', 'S3ArtifactRepository', 'ProxiedS3ArtifactRepository', 's3://models'],
  ['gcs_artifact_repo', 'GCSArtifactRepository', 'ProxiedGCSArtifactRepository', 'gs://models'],
  ['azure_blob_artifact_repo', 'AzureBlobArtifactRepository', 'ProxiedAzureBlobArtifactRepository', 'wasbs://models@account.blob.core.windows.net'],
];
const repositoryModule = (name: string) => `
from mlflow.store.artifact.artifact_repo import (
    ArtifactRepository, MultipartDownloadMixin, MultipartUploadMixin, PresignedUploadMixin,
)

CALLS = []


class ${name}(ArtifactRepository, MultipartUploadMixin, MultipartDownloadMixin, PresignedUploadMixin):
    def __init__(self, artifact_uri, client=None, tracking_uri=None, registry_uri=None):
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        CALLS.append(["__init__", artifact_uri, client, tracking_uri, registry_uri])

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

/** Runs Python code that has MLflow's class, its calls and the class of the plugin at hand, and leaves its findings in `result`. */
async function evaluate([module, original, proxied]: string[], code: string): Promise<unknown> {
  const program = `
import json, sys, types
for store in ("s3", "google", "azure"):
    # what needs the library of a cloud
    sys.modules["proxied_artifacts." + store] = module = types.ModuleType(store)
    module.prepare = lambda: None
from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.${module} import CALLS, ${original} as Original
from proxied_artifacts.repository import ${proxied} as Proxied
${code}
print(json.dumps(result))
`;
  const modules = scratch({
    'mlflow/__init__.py': '',
    'mlflow/exceptions.py': EXCEPTIONS,
    'mlflow/store/__init__.py': '',
    'mlflow/store/artifact/__init__.py': '',
    'mlflow/store/artifact/artifact_repo.py': ARTIFACT_REPO,
    ...Object.fromEntries(REPOSITORIES.map(([name, className]) => [`mlflow/store/artifact/${name}.py`, repositoryModule(className)])),
    'program.py': program,
  });
  const { stdout, stderr } = await run([PYTHON, join(modules, 'program.py')], { PYTHONPATH: `${modules}:${join(ROOT, 'lib/proxied-artifacts')}` });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe.each(REPOSITORIES)('%s', (...repository) => {
  const uri = repository[3];

  test('is made for an artifact URI as MLflow makes repositories', async () => {
    const result = await evaluate(
      repository,
      `
by_name = Proxied("${uri}/1", tracking_uri="http://tracking", registry_uri="http://registry")
by_position = Proxied("${uri}/2", "http://tracking", "http://registry")
alone = Proxied("${uri}/3")
result = [by_name.uris, by_position.uris, alone.uris, CALLS]
`,
    );

    const uris = [
      [`${uri}/1`, 'http://tracking', 'http://registry'],
      [`${uri}/2`, 'http://tracking', 'http://registry'],
      [`${uri}/3`, null, null],
    ];
    expect(result).toEqual([...uris, uris.map(([artifactUri, trackingUri, registryUri]) => ['__init__', artifactUri, null, trackingUri, registryUri])]);
  });

  test('hands every call to the repository of MLflow', async () => {
    const calls: [string, string, unknown[], string | string[]][] = [
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
    ];
    const result = await evaluate(
      repository,
      `
repository = Proxied("${uri}")
CALLS.clear()
result = [[${calls.map(([method, passed]) => `repository.${method}(${passed})`).join(', ')}], CALLS]
`,
    );

    expect(result).toEqual([calls.map(([, , , returned]) => returned), calls.map(([method, , received]) => [method, ...received])]);
  });

  test('is an ArtifactRepository and nothing that could make URLs for clients', async () => {
    const result = await evaluate(
      repository,
      `
mixins = [artifact_repo.MultipartUploadMixin, artifact_repo.MultipartDownloadMixin, artifact_repo.PresignedUploadMixin]
repository = Proxied("${uri}")
result = {
    "base": isinstance(repository, artifact_repo.ArtifactRepository),
    "mixins": [isinstance(repository, mixin) for mixin in mixins],
    "mixins of MLflow's": [issubclass(Original, mixin) for mixin in mixins],
    "methods": [name for name in dir(repository) if "presigned" in name or "multipart" in name],
}
`,
    );

    expect(result).toEqual({ base: true, mixins: [false, false, false], "mixins of MLflow's": [true, true, true], methods: [] });
  });
});

test('paths are resolved within the folder of a run, and lead out of none', async () => {
  const run = '1/0123/artifacts';
  const paths: [string | null, string | null][] = [
    [null, null],
    ['', ''],
    ['1', '1'],
    [`${run}/a b/c`, `${run}/a b/c`],
    [`${run}/a/`, `${run}/a`],
    [`${run}/./d`, `${run}/d`],
    [`${run}/.`, run],
    [`${run}/dir/..`, run],
    [`${run}/dir/../e//f/.`, `${run}/e/f`],
    [`${run}/artifacts/..`, run],
    [`${run}/..x/...`, `${run}/..x/...`],
    ['1/models/m-1/artifacts/./MLmodel', '1/models/m-1/artifacts/MLmodel'],
  ];
  const wrong = [`${run}/..`, `${run}/dir/../..`, `${run}/../../other/artifacts/x`, '..', '.', '/', '/1', './1/0123/artifacts/x', '1/./0123', '1//0123/artifacts/x', '1/../2/artifacts'];
  const result = await evaluate(
    REPOSITORIES[0],
    `
from mlflow.exceptions import MlflowException
repository = Proxied("s3://models")
CALLS.clear()
errors = []
for path in json.loads(${JSON.stringify(JSON.stringify(paths.map(([path]) => path)))}):
    repository.list_artifacts(path)
for path in json.loads(${JSON.stringify(JSON.stringify(wrong))}):
    for call in (repository.list_artifacts, repository.delete_artifacts, lambda path: repository.log_artifact("x", path), lambda path: repository.log_artifacts("x", path), lambda path: repository._download_file(path, "x")):
        try:
            call(path)
            errors.append("none for " + path)
        except MlflowException as error:
            errors.append(str(error))
result = [[call[1] for call in CALLS], errors]
`,
  );
  expect(result).toEqual([
    paths.map(([, path]) => path),
    wrong.flatMap((path) => Array<string>(5).fill(`INVALID_PARAMETER_VALUE: Invalid path '${path}': it leads out of the folder of its run`)),
  ]);
});
