import { Chart, Testing } from 'cdk8s';

export type Manifests = ReturnType<typeof Testing.synth>;

export function ofKind(objects: Manifests, kind: string): Manifests {
  return objects.filter((object) => object.kind === kind);
}

/** The one object of this kind and name. The fingerprint at the end of the name of a Job is left out. */
export function get(objects: Manifests, kind: string, name: string) {
  const nameOf = (object: Manifests[number]) => (kind === 'Job' ? object.metadata.name.replace(/-[0-9a-f]{10}$/, '') : object.metadata.name);
  const found = ofKind(objects, kind).filter((object) => nameOf(object) === name);
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind} with name "${name}"`);
  return found[0];
}

/** All objects that have pods: Deployments, StatefulSets, Jobs. */
export function workloads(objects: Manifests): Manifests {
  return objects.filter((object) => object.spec?.template !== undefined);
}

export function containers(workload: Manifests[number]): Manifests {
  const { initContainers = [], containers } = workload.spec.template.spec;
  return [...initContainers, ...containers];
}

/** The faults that a synth of the chart reports, one an entry; none where it passes. */
export function faults(chart: Chart): string[] {
  try {
    Testing.synth(chart);
  } catch (error) {
    const [title, ...lines] = (error as Error).message.split('\n  ');
    if (title !== 'Validation failed with the following errors:') throw error;
    return lines;
  }
  return [];
}

/**
 * The objects for a snapshot, with the programs in them cut after their first line, and without the files of the preflight: tests
 * of their own look at the rest.
 */
export function shape(objects: Manifests): Manifests {
  const cut = (text: string) => text.replace(/\n[^]+/, '\n…');
  return objects.map((object) => {
    if (object.kind !== 'ConfigMap') return object;
    const whole = object.data['__main__.py'] === undefined ? object.data : {};
    return { ...object, data: Object.fromEntries(Object.entries<string>(whole).map(([key, program]) => [key, cut(program)])) };
  });
}

/** What each URI of a PostgreSQL says of silent servers. */
export const PATIENCE = '?connect_timeout=15&keepalives_idle=15&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=20000';
