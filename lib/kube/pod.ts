import { Size } from 'cdk8s';
import { PropChecks } from '../validation/prop-checks';
import { canonicalBytes, quantity } from '../validation/quantity';
import { k8s } from '../../imports/k8s';
import { ContainerResources } from '../options/resources';

/** User and group of every container. Above 10,000, so that it is no user of the node; none of the images needs its own. */
const UID = 10001;

/** Pod settings that pass the Pod Security Standard `restricted`. */
export const POD_SECURITY: k8s.PodSecurityContext = {
  runAsNonRoot: true,
  runAsUser: UID,
  runAsGroup: UID,
  fsGroup: UID,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Container settings that pass the Pod Security Standard `restricted`, with a read-only root file system. */
export const CONTAINER_SECURITY: k8s.SecurityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
};

/** The prop `resources` merged with a part's defaults and checked, as Kubernetes wants it. */
export function containerResources(
  checks: PropChecks,
  given: ContainerResources | undefined,
  defaults: Required<ContainerResources>,
  ephemeralStorageLimit: string,
  prop = 'resources',
): k8s.ResourceRequirements {
  given = checks.props(given ?? {}, { cpuRequest: 'value', cpuLimit: 'value', memoryRequest: 'value', memoryLimit: 'value' }, `${prop}.`);
  const all = {
    cpuRequest: given.cpuRequest ?? defaults.cpuRequest,
    cpuLimit: given.cpuLimit ?? defaults.cpuLimit,
    memoryRequest: given.memoryRequest ?? defaults.memoryRequest,
    memoryLimit: given.memoryLimit ?? defaults.memoryLimit,
  };
  const requests = { cpu: checks.cpu(`${prop}.cpuRequest`, all.cpuRequest), memory: checks.size(`${prop}.memoryRequest`, all.memoryRequest) };
  const limits = { cpu: checks.cpu(`${prop}.cpuLimit`, all.cpuLimit), memory: checks.size(`${prop}.memoryLimit`, all.memoryLimit) };
  for (const resource of ['cpu', 'memory'] as const) {
    if (quantity(requests[resource]) > quantity(limits[resource])) {
      checks.fault({
        prop: `${prop}.${resource}Request`,
        value: requests[resource],
        rule: `a request is not above its limit, here ${prop}.${resource}Limit = ${limits[resource]}`,
        fix: `lower ${prop}.${resource}Request or raise ${prop}.${resource}Limit`,
      });
    }
  }
  return {
    requests: quantities({ ...requests, 'ephemeral-storage': '64Mi' }),
    limits: quantities({ ...limits, 'ephemeral-storage': ephemeralStorageLimit }),
  };
}

/** Resources of the short-lived containers of a bootstrap Job. */
export const BOOTSTRAP_RESOURCES: Required<ContainerResources> = { cpuRequest: '50m', cpuLimit: '500m', memoryRequest: Size.mebibytes(64), memoryLimit: Size.mebibytes(256) };

/** A writable directory in an otherwise read-only container. */
export function emptyDir(name: string, sizeLimit: string, inMemory = false): k8s.Volume {
  return { name, emptyDir: { sizeLimit: canonical(sizeLimit), ...(inMemory ? { medium: 'Memory' } : {}) } };
}

/** The volume claim of a StatefulSet. */
export function volumeClaim(name: string, labels: { [key: string]: string }, size: string, storageClassName?: string): k8s.KubePersistentVolumeClaimProps {
  return { metadata: { name, labels }, spec: claimSpec(size, storageClassName) };
}

/** A volume that comes and goes with a pod. */
export function ephemeralVolume(name: string, labels: { [key: string]: string }, size: string, storageClassName?: string): k8s.Volume {
  return { name, ephemeral: { volumeClaimTemplate: { metadata: { labels }, spec: claimSpec(size, storageClassName) } } };
}

/** What a claim of a volume asks for. */
export function claimSpec(size: string, storageClassName: string | undefined): k8s.PersistentVolumeClaimSpec {
  return { accessModes: ['ReadWriteOnce'], storageClassName, volumeMode: 'Filesystem', resources: { requests: { storage: k8s.Quantity.fromString(size) } } };
}

/** An environment variable whose value stands in a Secret. */
export function envFromSecret(name: string, secretName: string, key: string): k8s.EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secretName, key } } };
}

/** Amounts of resources, as Kubernetes wants them. */
export function quantities(amounts: { [resource: string]: string }): { [resource: string]: k8s.Quantity } {
  return Object.fromEntries(Object.entries(amounts).map(([resource, amount]) => [resource, canonical(amount)]));
}

function canonical(amount: string): k8s.Quantity {
  return k8s.Quantity.fromString(/[KMGTP]i$/.test(amount) ? canonicalBytes(quantity(amount)) : amount);
}

