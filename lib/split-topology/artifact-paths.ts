/** What comes between a prefix and the artifacts, in each form in which MLflow has it: its clients' and its web UI's. */
const APIS = ['/api/2.0', '/ajax-api/2.0'];

/**
 * Beginnings of all paths with which MLflow 3.17 and 3.18 move or list artifacts, but for those of logged models in the web UI,
 * whose id stands in the middle. For routes, which know no patterns.
 *
 * @see https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/server/__init__.py
 */
export function artifactPrefixes(prefix: string): string[] {
  const paths = [
    ...APIS.flatMap((api) => [`${api}/mlflow-artifacts`, `${api}/mlflow/artifacts`]),
    '/ajax-api/2.0/mlflow/upload-artifact',
    '/ajax-api/2.0/mlflow/get-trace-artifact',
    '/ajax-api/3.0/mlflow/get-trace-artifact',
    '/get-artifact',
    '/model-versions/get-artifact',
  ];
  return paths.map((path) => `${prefix}${path}`);
}

/** All of these paths, as a regular expression of nginx. A later version of an API is one, too. */
export function artifactPattern(prefix: string): string {
  const number = String.raw`[0-9]+\.[0-9]+`;
  const ofApi = [`mlflow-artifacts/`, `mlflow/artifacts/`, `mlflow/(upload|get-trace)-artifact$`, `mlflow/logged-models/[^/]+/artifacts/`];
  return `^${prefix.replace(/[.+]/g, String.raw`\$&`)}/((ajax-)?api/${number}/(${ofApi.join('|')})|(model-versions/)?get-artifact$)`;
}
