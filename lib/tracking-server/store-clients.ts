import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { Layer, ServerProcess, named } from './process';
import type { ServerPod } from './server-pod';
import { egressTo, isVariableName, variables } from './stores';
import { ITrackingServer } from './server';
import { goodRules } from '../kube/policy-peers';
import { StoreClientOptions } from '../options/store-client-options';
import { checkNoLiteralSecret } from '../validation/literal-secrets';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const SHAPE: Shape<StoreClientOptions> = { environment: 'list', volumes: 'list', volumeMounts: 'list', sidecars: 'list', egress: 'list' };
const PROP = 'storeClients';
/** What the libraries of the stores read besides what the stores themselves say: certificates, proxies, and where credentials are. */
const READ_BY_STORES = /^(AWS|AZURE|GOOGLE|GCE|BOTO|PG|MLFLOW_(S3|BOTO|GCS|MYSQL|TRACKING_(SERVER_CERT_PATH|INSECURE_TLS)))(_|[A-Z]|$)|^(https?|no|all)_proxy$|^(SSL_CERT|REQUESTS_CA|CURL_CA)_/i;
const LOOPBACK = /^[^:]+:\/\/(?:[^@/]*@)?(localhost|127(?:\.\d+){3}|\[::1\])(?=[:/?]|$)/i;

/** The prop `storeClients`, checked, of which the server itself gets its part. */
export function storeClients(checks: PropChecks, given: StoreClientOptions | undefined, process: ServerProcess, pod: ServerPod): Required<StoreClientOptions> {
  const clients = checkedClients(checks, given);
  clients.environment.forEach((variable, index) => {
    const prop = `${PROP}.environment[${index}]`;
    const owner = process.ownerOf(variable.name);
    if (!isVariableName(checks, prop, variable.name)) return;
    checkNoLiteralSecret(checks, prop, variable);
    if (process.variable(Layer.EXTRAS, `the prop ${PROP}`, variable.name, () => variable)) return;
    checks.fault({ prop, value: variable.name, rule: `a variable is set once, and ${named(owner!)} sets this one: of two values Kubernetes would silently take the last`, fix: 'leave it out' });
  });
  pod.addVolumes(`the prop ${PROP}.volumes`, clients.volumes, clients.volumeMounts);
  for (const sidecar of clients.sidecars) pod.addClient(`the prop ${PROP}.sidecars`, sidecar);
  return clients;
}

function checkedClients(checks: PropChecks, given: StoreClientOptions | undefined): Required<StoreClientOptions> {
  const { environment = [], volumes = [], volumeMounts = [], sidecars = [], egress = [] } = checks.props(given ?? {}, SHAPE, `${PROP}.`);
  const list = <T>(name: keyof StoreClientOptions, value: T[], what: string, example: string) => checks.members(`${PROP}.${name}`, value, {}, what, example);
  return {
    environment: variables(checks, `${PROP}.environment`, environment),
    volumes: list('volumes', volumes, 'volumes', '{ name: "client", secret: { secretName: "client" } }'),
    volumeMounts: list('volumeMounts', volumeMounts, 'mounts', '{ name: "client", mountPath: "/etc/client" }'),
    sidecars: list('sidecars', sidecars, 'containers', '{ name: "proxy", image: "example.com/proxy:1.0" }'),
    egress: goodRules(checks, `${PROP}.egress`, egress),
  };
}

/** What is left of it where a fault has been told of the rest. */
function clientsOf({ options }: ITrackingServer): Required<StoreClientOptions> {
  return checkedClients(PropChecks.unheard(), options.storeClients);
}

/** What the NetworkPolicy of a pod that connects to these stores lets out. */
export function storeEgress(server: ITrackingServer, ...stores: { readonly egress?: k8s.NetworkPolicyEgressRule[] }[]): k8s.NetworkPolicyEgressRule[] {
  return [...egressTo(...stores), ...clientsOf(server).egress];
}

/**
 * A pod beside that of the server with what it needs to connect as the server does, whoever gave it to the server: `storeClients`,
 * the variables that clients of the stores read, and the variables and the mounted paths that stand in the values of these. It is
 * made at synth, when all add-ons have added theirs.
 *
 * @param pod what it is by itself; the first container is the one that connects, and so do its init containers
 * @param wanted which further variables of the server it gets
 */
export function connectingPod(server: ITrackingServer, pod: () => k8s.PodSpec, wanted?: (name: string) => boolean): k8s.PodSpec {
  return Lazy.any({ produce: () => connected(server, pod(), wanted) }) as k8s.PodSpec;
}

function connected(server: ITrackingServer, pod: k8s.PodSpec, wanted: (name: string) => boolean = () => false): k8s.PodSpec {
  const clients = clientsOf(server);
  const [program, ...others] = pod.containers;
  const { env: own = [], volumeMounts: ownMounts = [] } = program;
  const { volumes = [], initContainers = [], containers } = server.podSpec;
  const taken = new Set([...own, ...server.artifactStore.environment].map(({ name }) => name));
  const all = server.environment.filter(({ name }) => !taken.has(name) && !name.startsWith('STARTUP_'));
  const names = new Set(clients.environment.map(({ name }) => name));
  for (const { name } of all) if (READ_BY_STORES.test(name) || wanted(name)) names.add(name);
  // Kubernetes puts a variable in for $(NAME) in the value of another
  for (const name of names) for (const other of all) if (all.some((variable) => variable.name === name && String(variable.value).includes(`$(${other.name})`))) names.add(other.name);
  const env = [...own, ...all.filter(({ name }) => names.has(name))];

  const paths = new Set(clients.volumeMounts.map(({ mountPath }) => mountPath));
  const mine = new Set(ownMounts.map(({ name }) => name));
  const wants = ({ name, mountPath }: k8s.VolumeMount) => !mine.has(name) && (paths.has(mountPath) || env.some(({ value }) => hasPath(String(value ?? ''), mountPath)));
  const mounts = containers[0].volumeMounts!.filter(wants);
  const sidecarNames = clients.sidecars.map(({ name }) => name);
  const sidecars = initContainers.filter(({ name }) => sidecarNames.includes(name));
  // the steps before it connect as well
  const mineToo = ({ env: given = [], volumeMounts: before = [], ...step }: k8s.Container): k8s.Container => ({
    ...step,
    env: [...given, ...env.filter(({ name }) => given.every((variable) => variable.name !== name))],
    volumeMounts: [...before, ...[...ownMounts, ...mounts].filter(({ mountPath }) => before.every((mount) => mount.mountPath !== mountPath))],
  });
  const steps = (pod.initContainers ?? []).map(mineToo);
  const mounted = new Set([...mounts, ...sidecars.flatMap(({ volumeMounts = [] }) => volumeMounts)].map(({ name }) => name));
  for (const { name } of pod.volumes ?? []) mounted.delete(name);
  return {
    ...pod,
    ...(sidecars.length + steps.length > 0 && { initContainers: [...sidecars, ...steps] }),
    containers: [{ ...program, env, volumeMounts: [...ownMounts, ...mounts] }, ...others],
    volumes: [...(pod.volumes ?? []), ...volumes.filter(({ name }) => mounted.has(name))],
  };
}

/** Faults where the server reaches a store by a container of its own pod, and another pod that connects has no such container. */
export function checkWayToStores(pod: Construct, server: ITrackingServer): void {
  // which containers there are is known at synth; this comes before the checks tell what they have
  pod.node.addValidation({ validate: () => (lookForWay(checks, server), []) });
  const checks = new PropChecks(pod, [server]);
}

function lookForWay(checks: PropChecks, server: ITrackingServer): void {
  const { backendStore, artifactStore, podSpec } = server;
  const [, ...sidecars] = podSpec.containers;
  if (sidecars.length === 0 || clientsOf(server).sidecars.length > 0) return;
  const endpoint = artifactStore.environment.find(({ name }) => name === 'MLFLOW_S3_ENDPOINT_URL')?.value;
  for (const [prop, address] of Object.entries({ backendStore: backendStore.uri, artifactStore: endpoint })) {
    const host = LOOPBACK.exec(String(address ?? ''))?.[1];
    if (host === undefined) continue;
    checks.fault({
      prop: 'server',
      value: `a server whose ${prop} is at ${host}`,
      rule: `this is the pod itself: the server may have a container there that leads to the store (${sidecars.map(({ name }) => name).join(', ')}), and this pod has none (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/)`,
      fix: `pass the container in ${PROP}.sidecars of the server, and not in pod.sidecars: every pod that connects has it then`,
    });
  }
}

/** Whether a path stands in a text, be it with more behind it. */
function hasPath(text: string, path: string): boolean {
  return text.split(/[\s,;:=?&"']+/).some((part) => part === path || part.startsWith(`${path.replace(/\/$/, '')}/`));
}

