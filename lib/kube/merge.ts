import { ClusterOptions } from '../options/cluster-options';
import { ImageOptions } from '../options/image-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';
import { PropChecks } from '../validation/prop-checks';

/**
 * The options of a part, over those of what it belongs to: field by field, and labels, annotations and digests key by key. What is
 * no object is left to the checks of the part.
 */
export function mergePod(shared: PodOptions | undefined, own: PodOptions | undefined): PodOptions | undefined {
  return merge(shared, own, ['labels', 'annotations']);
}

/** As `mergePod`, for images. */
export function mergeImages(shared: ImageOptions | undefined, own: ImageOptions | undefined): ImageOptions | undefined {
  return merge(shared, own, ['digests']);
}

/** As `mergePod`, for what is known of the cluster. */
export function mergeCluster(shared: ClusterOptions | undefined, own: ClusterOptions | undefined): ClusterOptions | undefined {
  return merge(shared, own, []);
}

/** As `mergePod`, for CPU and memory. */
export function mergeResources(shared: ContainerResources | undefined, own: ContainerResources | undefined): ContainerResources | undefined {
  return merge(shared, own, []);
}

/** What of the pods of a server its other pods have as well: where they run, and how they are marked. */
export function sharedPod(pod: PodOptions | undefined): PodOptions | undefined {
  if (!isObject(pod)) return pod;
  const { labels, annotations, nodeSelector, tolerations, affinity, topologySpread, priorityClassName, bootstrapResources } = pod;
  return { labels, annotations, nodeSelector, tolerations, affinity, topologySpread, priorityClassName, bootstrapResources };
}

function merge<T extends object>(shared: T | undefined, own: T | undefined, maps: (keyof T)[]): T | undefined {
  if (!isObject(shared) || !isObject(own)) return own ?? shared;
  const given = Object.entries(own).filter(([, value]) => value !== undefined && value !== null);
  const merged = { ...shared, ...(Object.fromEntries(given) as T) };
  for (const name of maps) {
    const [below, above] = [shared[name], own[name]];
    if (isObject(below) && isObject(above)) merged[name] = { ...below, ...above };
  }
  return merged;
}

function isObject<T>(value: T): value is T & object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The prop `pod` without what is for pods of one part, and not for those of all, which has no place in it. */
export function podOfAll(checks: PropChecks, pod: PodOptions | undefined): PodOptions | undefined {
  const ofOnePart = ['volumes', 'volumeMounts', 'initContainers', 'sidecars'] as const;
  for (const prop of ofOnePart) {
    if (pod?.[prop] !== undefined) {
      checks.fault({ prop: `pod.${prop}`, value: pod[prop], hidden: true, rule: 'it is for the pods of one part, and not for those of all', fix: `pass trackingServer.pod.${prop}, or the pod of a store` });
    }
  }
  return pod && { ...pod, ...Object.fromEntries(ofOnePart.map((prop) => [prop, undefined])) };
}
