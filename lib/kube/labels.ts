/** Which part of which installation an object belongs to. */
export interface Part {
  /** Software: `mlflow`, `postgresql`, `minio`. */
  readonly name: string;
  /** The name that the user gave to this installation of it. */
  readonly instance: string;
  /** Role of the part: `tracking-server`, `backend-store`, `artifact-store`. */
  readonly component: string;
  /** Image, whose tag is the version. */
  readonly image: string;
}

/**
 * Labels for selectors. They hold nothing that depends on the path of the construct or on the version: both
 * change, and the selector of a workload is immutable.
 */
export function selectorLabels(part: Part): { [key: string]: string } {
  return {
    'app.kubernetes.io/name': part.name,
    'app.kubernetes.io/instance': part.instance,
    'app.kubernetes.io/component': part.component,
  };
}

/** Labels for the metadata of objects. */
export function labels(part: Part): { [key: string]: string } {
  return {
    ...selectorLabels(part),
    'app.kubernetes.io/part-of': 'mlflow',
    'app.kubernetes.io/managed-by': 'cdk8s',
  };
}

/** Labels for workloads and their pods, which have a version. */
export function workloadLabels(part: Part): { [key: string]: string } {
  const version = /:([A-Za-z0-9]|[A-Za-z0-9][\w.-]{0,61}[A-Za-z0-9])(@|$)/.exec(String(part.image))?.[1];
  return { ...labels(part), ...(version === undefined ? {} : { 'app.kubernetes.io/version': version }) };
}
