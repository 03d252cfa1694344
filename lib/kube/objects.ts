import { ApiObject, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { Cluster } from './cluster';
import { fingerprint } from './hash';
import { Notes } from './notes';
import { Certificate as CertificateObject } from '../../imports/cert-manager.io';
import { Cluster as CloudNativePgClusterObject } from '../../imports/cnpgcluster-postgresql.cnpg.io';
import { ExternalSecret as ExternalSecretObject } from '../../imports/external-secrets.io';
import { HttpRoute as HttpRouteObject } from '../../imports/gateway.networking.k8s.io';
import { compareBy } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';
import { PodMonitor as PodMonitorObject } from '../../imports/podmonitor-monitoring.coreos.com';
import { PrometheusRule as PrometheusRuleObject } from '../../imports/prometheusrule-monitoring.coreos.com';
import { ScheduledBackup as ScheduledBackupObject } from '../../imports/scheduledbackup-postgresql.cnpg.io';
import { ServiceMonitor as ServiceMonitorObject } from '../../imports/servicemonitor-monitoring.coreos.com';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what TypeScript asks of the constructor of a mixin
type ApiObjectClass = new (...args: any[]) => ApiObject;

const PATCHES = new Notes<JsonPatch[]>();

/**
 * A typed object on which JSON patches come last. cdk8s applies them first, and its typed objects then drop, without a
 * word, every field that their version of Kubernetes does not have.
 */
function patchable<Base extends ApiObjectClass>(base: Base): Base {
  return class extends base {
    public override addJsonPatch(...operations: JsonPatch[]): void {
      PATCHES.set(this, [...(PATCHES.get(this) ?? []), ...operations]);
    }

    public override toJson(): unknown {
      return (PATCHES.get(this) ?? []).reduce((json, operation) => patched(this, json, operation), super.toJson());
    }
  };
}

/** A typed object with pods, which are as the platform of its cluster wants them before any patch. */
function withPods<Base extends ApiObjectClass>(base: Base): Base {
  return class extends base {
    public override toJson(): unknown {
      const json = super.toJson() as { readonly spec: PodOwner };
      const { jobTemplate } = json.spec;
      const spec = jobTemplate === undefined ? onPlatform(this, json.spec) : { ...json.spec, jobTemplate: { ...jobTemplate, spec: onPlatform(this, jobTemplate.spec) } };
      return { ...json, spec };
    }
  };
}

interface PodOwner {
  readonly template?: { readonly spec: k8s.PodSpec };
  readonly jobTemplate?: { readonly spec: PodOwner };
}

function onPlatform(object: ApiObject, owner: PodOwner): PodOwner {
  return owner.template === undefined ? owner : { ...owner, template: { ...owner.template, spec: Cluster.of(object).pod(owner.template.spec) } };
}

function patched(object: ApiObject, json: unknown, operation: JsonPatch): unknown {
  try {
    return JsonPatch.apply(json, operation);
  } catch {
    const { op, path } = operation._toJson() as { op: string; path: string };
    throw new Error(
      `[${object.node.path}] JSON patch: got ${op} ${JSON.stringify(path)} for ${object.kind} "${object.name}". ` +
        `Rule: remove, replace, move, copy and test need a value at their path, add one above it, and a test has to hold (https://www.rfc-editor.org/rfc/rfc6902#section-4). Fix: ${correction(json, path)}.`,
    );
  }
}

/** Where a JSON pointer leaves the document, and what stands there. */
function correction(document: unknown, pointer: string): string {
  let place = '';
  let value = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const children = typeof value === 'object' && value !== null ? (value as { [key: string]: unknown }) : {};
    if (!(key in children)) return `${place === '' ? 'the object' : place} has ${Object.keys(children).join(', ') || 'nothing in it'}, and no ${JSON.stringify(key)}`;
    value = children[key];
    place += `/${token}`;
  }
  return 'pass an operation that fits the value at this path';
}

export const Certificate = patchable(CertificateObject);
export const CloudNativePgCluster = patchable(CloudNativePgClusterObject);
export const ConfigMap = patchable(k8s.KubeConfigMap);
export const Deployment = patchable(withPods(k8s.KubeDeployment));
export const CronJob = patchable(withPods(k8s.KubeCronJob));
export const ExternalSecret = patchable(ExternalSecretObject);
export const HorizontalPodAutoscaler = patchable(k8s.KubeHorizontalPodAutoscalerV2);
export const HttpRoute = patchable(HttpRouteObject);
export const Ingress = patchable(k8s.KubeIngress);
export const Namespace = patchable(k8s.KubeNamespace);
export const NetworkPolicy = patchable(k8s.KubeNetworkPolicy);
export const PersistentVolumeClaim = patchable(k8s.KubePersistentVolumeClaim);
export const PodMonitor = patchable(PodMonitorObject);
export const PodDisruptionBudget = patchable(k8s.KubePodDisruptionBudget);
export const PrometheusRule = patchable(PrometheusRuleObject);
export const Role = patchable(k8s.KubeRole);
export const RoleBinding = patchable(k8s.KubeRoleBinding);
export const Secret = patchable(k8s.KubeSecret);
export const Service = patchable(k8s.KubeService);
export const ServiceMonitor = patchable(ServiceMonitorObject);
export const ScheduledBackup = patchable(ScheduledBackupObject);
export const ServiceAccount = patchable(k8s.KubeServiceAccount);

class StableStatefulSet extends k8s.KubeStatefulSet {
  public override toJson(): unknown {
    const json = super.toJson() as { spec: { volumeClaimTemplates?: object[] } };
    const volumeClaimTemplates = json.spec.volumeClaimTemplates?.map((claim) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      ...claim,
      status: { phase: 'Pending' },
    }));
    return { ...json, spec: { ...json.spec, volumeClaimTemplates } };
  }
}

/**
 * A StatefulSet with its claim templates as the API server completes them: `kubectl apply` compares this list as a
 * whole, and would patch the StatefulSet at every run.
 */
export const StatefulSet = patchable(withPods(StableStatefulSet));

/**
 * A Job whose name carries a fingerprint of its spec: the template of a Job is immutable, so a changed one has to be another
 * Job for `kubectl apply` to take it. The name is computed from the rendered object when it is read, after all patches so
 * far: read it last.
 */
export class ContentNamedJob extends patchable(withPods(k8s.KubeJob)) {
  private readonly given: string;
  private rendering = false;

  public constructor(scope: Construct, id: string, props: k8s.KubeJobProps) {
    super(scope, id, props);
    this.given = this.name;
    compareBy(this, this.given);
    JOBS.set(this, this);
    JOBS.set(this.metadata, this);
    // cdk8s has the name as a plain field, here and in the metadata, and renders it from there
    Object.defineProperty(this, 'name', COMPUTED_NAME);
    Object.defineProperty(this.metadata, 'name', COMPUTED_NAME);
  }

  /** The name as it is now. */
  public get rendered(): string {
    return this.rendering ? this.given : this.toJson().metadata.name;
  }

  public override toJson(): Job {
    this.rendering = true;
    try {
      const job = super.toJson() as Job;
      return { ...job, metadata: { ...job.metadata, name: `${job.metadata.name}-${fingerprint(job.spec)}` } };
    } finally {
      this.rendering = false;
    }
  }
}

const JOBS = new Notes<ContentNamedJob>();
// one for all Jobs: V8 holds what an accessor of its own knows as long as a note in a WeakMap would
const COMPUTED_NAME = {
  enumerable: true,
  get(this: object): string {
    return JOBS.get(this)!.rendered;
  },
};

interface Job {
  readonly metadata: { readonly name: string };
  readonly spec: unknown;
}
