import { ImageSource } from './image-source';
import { workloadLabels } from './labels';
import { BOOTSTRAP_RESOURCES, CONTAINER_SECURITY, containerResources } from './pod';
import { checkNoLiteralSecret, checkTextValue } from '../validation/literal-secrets';
import { PropChecks } from '../validation/prop-checks';
import { Shape, constructPath } from '../validation/prop-shape';
import { PodOptions, TopologySpread } from '../options/pod-options';
import { k8s } from '../../imports/k8s';

interface Labels { [key: string]: string }

const POD: Shape<PodOptions> = {
  labels: 'labels',
  annotations: {},
  nodeSelector: 'labels',
  tolerations: 'list',
  affinity: {},
  topologySpread: 'list',
  priorityClassName: 'value',
  volumes: 'list',
  volumeMounts: 'list',
  initContainers: 'list',
  sidecars: 'list',
  bootstrapResources: {},
  terminationGracePeriod: 'value',
};
const SPREAD: Shape<TopologySpread> = { topologyKey: 'value', maxSkew: 'value', required: 'value' };
const CONTAINER: Shape<k8s.Container> = {
  args: 'list',
  command: 'list',
  env: 'list',
  envFrom: 'list',
  image: 'value',
  imagePullPolicy: 'value',
  lifecycle: {},
  livenessProbe: {},
  name: 'value',
  ports: 'list',
  readinessProbe: {},
  resizePolicy: 'list',
  resources: {},
  restartPolicy: 'value',
  securityContext: {},
  startupProbe: {},
  stdin: 'value',
  stdinOnce: 'value',
  terminationMessagePath: 'value',
  terminationMessagePolicy: 'value',
  tty: 'value',
  volumeDevices: 'list',
  volumeMounts: 'list',
  workingDir: 'value',
};
const MOUNT: Shape<k8s.VolumeMount> = { mountPath: 'value', mountPropagation: 'value', name: 'value', readOnly: 'value', subPath: 'value', subPathExpr: 'value' };
/** The labels that the constructs set themselves. */
const OWN_LABELS = Object.keys(workloadLabels({ name: '', instance: '', component: '', image: 'image:tag' }));
const VOLUMES = ['configMap', 'csi', 'downwardApi', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];
const RESTRICTED = 'the Pod Security Standard restricted (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted)';

/** What a user wants of the pods of a construct, checked. */
export class PodSettings {
  /** Seconds that a pod which is asked to stop may take, where the user says so. */
  public readonly terminationGracePeriod?: number;

  /** Of each container of a Job that fills Secrets. */
  public readonly bootstrapResources: k8s.ResourceRequirements;

  private readonly options: PodOptions;
  private readonly spreads: Omit<k8s.TopologySpreadConstraint, 'labelSelector'>[];

  public constructor(
    private readonly checks: PropChecks,
    options: PodOptions | undefined,
    private readonly images: ImageSource,
    private readonly prop = 'pod',
  ) {
    const given = checks.props(options ?? {}, POD, `${prop}.`);
    const list = <T>(name: keyof PodOptions, value: T[] | undefined, what: string, example: string) =>
      checks.members(`${prop}.${name}`, value ?? [], {}, what, example);
    this.bootstrapResources = containerResources(checks, given.bootstrapResources, BOOTSTRAP_RESOURCES, '256Mi', `${prop}.bootstrapResources`);
    const spreads = list('topologySpread', given.topologySpread, 'spreads', '{ topologyKey: "kubernetes.io/hostname" }');
    this.spreads = spreads.map((spread, index) => this.spread(`${prop}.topologySpread[${index}]`, spread));
    this.options = {
      ...given,
      tolerations: list('tolerations', given.tolerations, 'tolerations', '{ key: "gpu", operator: "Exists" }'),
      volumes: list('volumes', given.volumes, 'volumes', '{ name: "ca", configMap: { name: "ca" } }'),
      volumeMounts: list('volumeMounts', given.volumeMounts, 'mounts', '{ name: "ca", mountPath: "/etc/ca" }'),
      initContainers: list('initContainers', given.initContainers, 'containers', '{ name: "wait", image: "busybox:1.36" }'),
      sidecars: list('sidecars', given.sidecars, 'containers', '{ name: "proxy", image: "example.com/proxy:1.0" }'),
    };
    if (given.priorityClassName !== undefined) checks.objectName(`${prop}.priorityClassName`, given.priorityClassName);
    checks.annotations(`${prop}.annotations`, given.annotations);
    for (const [key, value] of Object.entries(given.labels ?? {}).filter(([label]) => OWN_LABELS.includes(label))) {
      checks.fault({
        prop: `${prop}.labels[${JSON.stringify(key)}]`,
        value,
        rule: 'the construct sets this label, and selectors depend on it (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/)',
        fix: 'leave it out, or take a label of your own such as "example.com/team"',
      });
    }
    if (given.terminationGracePeriod !== undefined) this.terminationGracePeriod = checks.seconds(`${prop}.terminationGracePeriod`, given.terminationGracePeriod);
    this.options.volumeMounts!.forEach((mount, index) => checks.props(mount, MOUNT, `${prop}.volumeMounts[${index}].`));
    this.options.volumes!.forEach((volume, index) => checkVolume(checks, `${prop}.volumes[${index}]`, volume));
  }

  public labels(own: Labels): Labels {
    return { ...this.options.labels, ...own };
  }

  public annotations(own: Labels = {}): Labels | undefined {
    const all = { ...this.options.annotations, ...own };
    return Object.keys(all).length === 0 ? undefined : all;
  }

  /** Where the pods of the server run. Several of them keep away from each other, if they can. */
  public placement(selector: Labels, several = false): Partial<k8s.PodSpec> {
    const apart = several && this.options.affinity?.podAntiAffinity === undefined ? { podAntiAffinity: onOtherNodes(selector) } : undefined;
    const affinity = apart || this.options.affinity ? { ...this.options.affinity, ...apart } : undefined;
    const topologySpreadConstraints = this.spreads.map((spread) => ({ ...spread, labelSelector: { matchLabels: selector } }));
    return { ...this.helperPlacement(), ...(affinity && { affinity }), ...(topologySpreadConstraints.length > 0 && { topologySpreadConstraints }) };
  }

  /** Where a Job or a pod beside the server runs, which shall not be spread or drawn together with anything. */
  public helperPlacement(): Partial<k8s.PodSpec> {
    const { nodeSelector, tolerations, priorityClassName } = this.options;
    return {
      ...(this.images.pullSecrets && { imagePullSecrets: this.images.pullSecrets }),
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations!.length > 0 && { tolerations }),
      ...(priorityClassName && { priorityClassName }),
    };
  }

  /** The pod of a server with what the user adds to it. */
  public complete(pod: k8s.PodSpec): k8s.PodSpec {
    const { volumes, volumeMounts, initContainers, sidecars } = this.options;
    const [server, ...others] = pod.containers;
    this.rejectTaken('volumes', volumes!, pod.volumes ?? [], ({ name }) => name);
    this.rejectTaken('volumeMounts', volumeMounts!, server.volumeMounts ?? [], ({ mountPath }) => mountPath);
    this.rejectTaken('initContainers', initContainers!, [...pod.containers, ...(pod.initContainers ?? [])], ({ name }) => name);
    this.rejectTaken('sidecars', sidecars!, [...pod.containers, ...(pod.initContainers ?? []), ...initContainers!], ({ name }) => name);
    const mountable = new Set([...(pod.volumes ?? []), ...volumes!, ...(server.volumeMounts ?? [])].map(({ name }) => name));
    volumeMounts!.forEach(({ name }, index) => {
      if (!mountable.has(name)) this.checks.fault({ prop: `${this.prop}.volumeMounts[${index}]`, value: name, rule: 'the pod has no volume of this name (https://kubernetes.io/docs/concepts/storage/volumes/)', fix: `pass it in ${this.prop}.volumes` });
    });
    const init = [...(pod.initContainers ?? []), ...this.restricted(`${this.prop}.initContainers`, initContainers!)];
    return {
      ...pod,
      ...(this.terminationGracePeriod !== undefined && { terminationGracePeriodSeconds: this.terminationGracePeriod }),
      ...(init.length > 0 && { initContainers: init }),
      containers: [{ ...server, volumeMounts: [...(server.volumeMounts ?? []), ...volumeMounts!] }, ...others, ...this.restricted(`${this.prop}.sidecars`, sidecars!)],
      volumes: [...(pod.volumes ?? []), ...volumes!],
    };
  }

  private spread(prop: string, given: TopologySpread): Omit<k8s.TopologySpreadConstraint, 'labelSelector'> {
    const { topologyKey, maxSkew, required } = this.checks.props(given, SPREAD, `${prop}.`);
    const key = this.checks.required(`${prop}.topologyKey`, topologyKey, '', 'the label of the nodes', '"kubernetes.io/hostname"');
    return {
      topologyKey: key,
      maxSkew: this.checks.count(`${prop}.maxSkew`, maxSkew ?? 1, 'the difference'),
      whenUnsatisfiable: this.checks.flag(`${prop}.required`, required ?? false) ? 'DoNotSchedule' : 'ScheduleAnyway',
    };
  }

  private rejectTaken<T, Own>(name: keyof PodOptions, given: T[], own: Own[], key: (member: T | Own) => string): void {
    const taken = new Set(own.map(key));
    given.forEach((member, index) => {
      if (typeof key(member) !== 'string' || taken.has(key(member))) {
        this.checks.fault({
          prop: `${this.prop}.${name}[${index}]`,
          value: key(member),
          rule: 'in a pod each volume and each container has a name of its own, and each mount a path of its own',
          fix: name === 'volumeMounts' ? 'pass another mountPath' : 'pass another name',
        });
      }
      taken.add(key(member));
    });
  }

  /** Containers with the image and the security context that this library gives those that do not say. */
  public restricted(prop: string, containers: k8s.Container[]): k8s.Container[] {
    return containers.map((container, index) => {
      const member = `${prop}[${index}]`;
      if (isOfCdk8sPlus(container)) {
        this.checks.fault({ prop: member, value: 'a Container of cdk8s-plus', rule: `a container is one of the API of Kubernetes (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container)`, fix: 'pass an object such as { name: "proxy", image: "registry.example.com/proxy:1.0", env: [{ name: "LEVEL", value: "info" }] }' });
        return { name: `container-${index}` };
      }
      container = this.checks.props(container, CONTAINER, `${member}.`);
      const security = container.securityContext && defined(container.securityContext);
      const broken = security && brokenRule(security);
      if (broken) this.checks.fault({ prop: `${member}.securityContext`, value: broken, rule: `the pods of this library pass ${RESTRICTED}`, fix: 'leave it out: the container then has the security context of this library' });
      container.env?.forEach((variable, at) => {
        checkTextValue(this.checks, `${member}.env[${at}]`, variable);
        checkNoLiteralSecret(this.checks, `${member}.env[${at}]`, variable);
      });
      if (container.ports?.some(({ hostPort }) => hostPort)) this.checks.fault({ prop: `${member}.ports`, value: 'hostPort', rule: `the pods of this library pass ${RESTRICTED}`, fix: 'leave hostPort out' });
      return { ...container, image: this.images.of(`${member}.image`, container.image!), imagePullPolicy: container.imagePullPolicy ?? this.images.pullPolicy, securityContext: { ...CONTAINER_SECURITY, ...security } };
    });
  }
}

/** What is undefined would take the place of a default. */
function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

/** Whether it is the class of any version of cdk8s-plus, whose fields are others than those of the API. */
function isOfCdk8sPlus(container: object): boolean {
  return typeof (container as { mount?: unknown }).mount === 'function';
}

/** Faults where a pod with this volume would break the Pod Security Standard `restricted`. */
export function checkVolume(checks: PropChecks, prop: string, volume: k8s.Volume): void {
  if (constructPath(volume) !== undefined) {
    checks.fault({ prop, value: volume, hidden: true, rule: 'a volume is one of the API of Kubernetes (https://kubernetes.io/docs/concepts/storage/volumes/)', fix: 'pass an object such as { name: "scratch", emptyDir: {} }' });
    return;
  }
  const kind = Object.keys(volume).find((member) => member !== 'name' && !VOLUMES.includes(member));
  if (kind !== undefined) checks.fault({ prop, value: kind, rule: `a volume is one of ${VOLUMES.join(', ')}: the pods of this library pass ${RESTRICTED}`, fix: 'pass such a volume, for example a persistentVolumeClaim' });
}

function onOtherNodes(selector: Labels): k8s.PodAntiAffinity {
  const podAffinityTerm = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: selector } };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] };
}

/** What in a security context the Pod Security Standard `restricted` does not allow. */
function brokenRule(security: k8s.SecurityContext): string | undefined {
  if (security.runAsUser === 0) return 'runAsUser 0';
  if (security.runAsNonRoot === false) return 'runAsNonRoot false';
  if (security.privileged) return 'privileged true';
  if (security.allowPrivilegeEscalation) return 'allowPrivilegeEscalation true';
  if (security.capabilities?.add?.some((capability) => capability !== 'NET_BIND_SERVICE')) return `capabilities.add ${security.capabilities.add.join(', ')}`;
  if (security.capabilities && !security.capabilities.drop?.includes('ALL')) return 'capabilities without drop ALL';
  if (security.seccompProfile?.type === 'Unconfined') return 'seccompProfile Unconfined';
  if (security.procMount && security.procMount !== 'Default') return `procMount ${security.procMount}`;
  return undefined;
}
