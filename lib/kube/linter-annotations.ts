import { ApiObject } from 'cdk8s';
import { IConstruct } from 'constructs';

interface Labels { readonly [key: string]: string }
interface Probe { readonly httpGet?: { readonly path?: string; readonly port: unknown }; readonly tcpSocket?: { readonly port: unknown }; readonly exec?: { readonly command: string[] } }
interface Container {
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly env?: { readonly valueFrom?: { readonly secretKeyRef?: object } }[];
  readonly envFrom?: { readonly secretRef?: object }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}
interface Template { readonly metadata?: { readonly labels?: Labels }; readonly spec?: { readonly initContainers?: Container[]; readonly containers?: Container[] } }
/** What of a rendered object counts here. */
interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Labels };
  readonly spec?: {
    readonly template?: Template;
    readonly jobTemplate?: { readonly spec?: { readonly template?: Template } };
    readonly containers?: Container[];
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly clusterIP?: string;
    readonly selector?: Labels;
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
  };
}
/** A workload, with what belongs to it among the objects beside it. */
interface Workload {
  readonly object: Rendered;
  readonly containers: Container[];
  readonly services: Rendered[];
  readonly scaled: boolean;
}

const IGNORE = 'kube-score/ignore';
const SKIP = /^checkov\.io\/skip\d+$/;

/** The checks of checkov that would find something, with the reason that it asks for. */
const CHECKOV: [string, string, (workload: Workload) => boolean][] = [
  ['CKV_K8S_15', 'A pinned image starts without its registry', ({ containers }) => containers.some((container) => !hasDigest(container) && !isPulledAlways(container))],
  ['CKV_K8S_43', 'Pinned by tag; images.digests adds the digest of your registry', ({ containers }) => !containers.every(hasDigest)],
  ['CKV_K8S_35', 'Server and drivers read their credentials from the environment', ({ containers }) => containers.some(hasSecretInEnv)],
];

/** The tests of kube-score that would find something. */
const KUBE_SCORE: [string, (workload: Workload) => boolean][] = [
  ['container-image-pull-policy', ({ containers }) => !containers.every(isPulledAlways)],
  ['pod-probes-identical', ({ object, containers }) => !/Job$/.test(object.kind) && containers.some(hasSameProbes)],
  ['statefulset-has-servicename', ({ object, services }) => object.kind === 'StatefulSet' && !services.some((service) => service.spec?.clusterIP === 'None' && service.metadata.name === object.spec?.serviceName)],
  ['deployment-replicas', ({ object, services, scaled }) => object.kind === 'Deployment' && !scaled && services.length > 0 && (object.spec?.replicas ?? 1) < 2],
];

/**
 * Tells checkov and kube-score, in annotations of the workloads, what is on purpose the way it is, so that a finding in a
 * report is a new one. Without it the manifests are free of them; docs/explanation/linters.md has the reasons.
 *
 * @see https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
 * @see https://github.com/zegl/kube-score#ignoring-a-test
 */
export class LinterAnnotations {
  /**
   * Adds to each workload the annotations that its object needs as it is rendered now: call it last. An annotation that is
   * there already stays.
   *
   * @param scope the construct whose workloads get them: an app, a chart, a stack
   */
  public static add(scope: IConstruct): void {
    const rendered = new Map<ApiObject, Rendered>();
    for (const construct of scope.node.findAll()) {
      const object = ApiObject.isApiObject(construct) ? render(construct) : undefined;
      if (object !== undefined) rendered.set(construct as ApiObject, object);
    }
    const all = [...rendered.values()];
    const services = all.filter(({ kind }) => kind === 'Service');
    const scalers = all.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
    for (const [apiObject, object] of rendered) {
      const template = templateOf(object);
      const containers = [...(template?.spec?.initContainers ?? []), ...(template?.spec?.containers ?? [])];
      if (containers.length === 0) continue;
      const beside = (other: Rendered) => other.metadata.namespace === object.metadata.namespace;
      annotate(apiObject, object, {
        object,
        containers,
        services: services.filter((service) => beside(service) && selects(service, template?.metadata?.labels ?? {})),
        scaled: scalers.some((scaler) => beside(scaler) && scaler.spec?.scaleTargetRef?.kind === object.kind && scaler.spec.scaleTargetRef.name === object.metadata.name),
      });
    }
  }
}

function annotate({ metadata }: ApiObject, { metadata: { annotations = {} } }: Rendered, workload: Workload): void {
  const skipped = Object.entries(annotations).flatMap(([key, value]) => (SKIP.test(key) ? [value.split('=')[0]] : []));
  let number = 0;
  for (const [check, reason, finds] of CHECKOV) {
    if (skipped.includes(check) || !finds(workload)) continue;
    do number++; while (`checkov.io/skip${number}` in annotations);
    metadata.addAnnotation(`checkov.io/skip${number}`, `${check}=${reason}`);
  }
  const ignored = KUBE_SCORE.flatMap(([test, finds]) => (finds(workload) ? [test] : []));
  if (ignored.length > 0 && !(IGNORE in annotations)) metadata.addAnnotation(IGNORE, ignored.join(','));
}

/** The object as it will stand in the YAML. Of one that cannot be rendered the synth tells, with all that is wrong. */
function render(object: ApiObject): Rendered | undefined {
  try {
    return object.toJson() as Rendered;
  } catch {
    return undefined;
  }
}

function templateOf({ kind, spec }: Rendered): Template | undefined {
  return kind === 'Pod' ? { spec } : (spec?.jobTemplate?.spec?.template ?? spec?.template);
}

function selects({ spec }: Rendered, labels: Labels): boolean {
  const selector = Object.entries(spec?.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => labels[key] === value);
}

function hasDigest({ image }: Container): boolean {
  return image?.includes('@') ?? false;
}

/** Without a policy Kubernetes pulls an image always where it has no tag, or `latest`. */
function isPulledAlways({ image, imagePullPolicy }: Container): boolean {
  return imagePullPolicy === undefined ? /^([^@]*\/)?[^:@]*(:latest)?$/.test(image ?? '') : imagePullPolicy === 'Always';
}

function hasSecretInEnv({ env = [], envFrom = [] }: Container): boolean {
  return env.some(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined) || envFrom.some(({ secretRef }) => secretRef !== undefined);
}

/** By the eyes of kube-score, which takes all ports with a name for one. */
function hasSameProbes({ livenessProbe: liveness, readinessProbe: readiness }: Container): boolean {
  const number = (port: unknown) => (typeof port === 'number' ? port : 0);
  if (liveness?.httpGet && readiness?.httpGet) return liveness.httpGet.path === readiness.httpGet.path && number(liveness.httpGet.port) === number(readiness.httpGet.port);
  if (liveness?.tcpSocket && readiness?.tcpSocket) return liveness.tcpSocket.port === readiness.tcpSocket.port;
  return liveness?.exec !== undefined && readiness?.exec !== undefined && JSON.stringify(liveness.exec.command) === JSON.stringify(readiness.exec.command);
}
