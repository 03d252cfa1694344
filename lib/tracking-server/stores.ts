import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { maxConnections as knownConnections } from '../store/external-store';
import { checkTextValue } from '../validation/literal-secrets';
import { PropChecks } from '../validation/prop-checks';
import { fits } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/** The prop `backendStore`, with what can be used of it. */
export function usableBackendStore(checks: PropChecks, store?: IBackendStore): IBackendStore {
  const none: IBackendStore = { uri: '', environment: [] };
  const given = checks.required('backendStore', store, none, 'the place for experiments and runs', 'a store such as new Postgres(…)');
  const { uri, environment, maxConnections } = given;
  const usable = variables(checks, 'backendStore.environment', environment);
  if (uri === undefined ? !usable.some(({ name }) => name === 'MLFLOW_BACKEND_STORE_URI') : typeof uri !== 'string') {
    checks.fault({
      prop: 'backendStore.uri',
      value: uri,
      hidden: true,
      rule: 'it is a text, or backendStore.environment has MLFLOW_BACKEND_STORE_URI from a Secret (https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/)',
      fix: 'pass a store such as new Postgres(…), ExternalPostgres or ExternalDatabase',
    });
  }
  return { uri: uri === undefined || typeof uri === 'string' ? uri : '', environment: usable, maxConnections: knownConnections(checks, 'backendStore.maxConnections', maxConnections), ...usableRest(checks, 'backendStore', given) };
}

/** The prop `artifactStore`, with what can be used of it. */
export function usableArtifactStore(checks: PropChecks, store?: IArtifactStore): IArtifactStore {
  const none: IArtifactStore = { artifactsDestination: '', environment: [] };
  const given = checks.required('artifactStore', store, none, 'the place for artifacts', 'a store such as new Minio(…)');
  const { artifactsDestination, environment, userMayComeLate, usesPodIdentity } = given;
  return {
    artifactsDestination,
    environment: variables(checks, 'artifactStore.environment', environment),
    userMayComeLate,
    usesPodIdentity,
    ...usableRest(checks, 'artifactStore', given),
  };
}

/** Faults of stores that this server cannot use. */
export function checkStores(checks: PropChecks, namespace: string, backendStore: IBackendStore, artifactStore: IArtifactStore): void {
  for (const [prop, { secretNamespace }] of Object.entries({ backendStore, artifactStore })) {
    if (secretNamespace !== undefined && secretNamespace !== namespace) {
      checks.fault({
        prop,
        value: `a store with its Secret in namespace "${secretNamespace}"`,
        rule: `a pod reads Secrets of its own namespace only, here "${namespace}" (https://kubernetes.io/docs/concepts/configuration/secret/)`,
        fix: `put the store and the tracking server into one namespace`,
      });
    }
  }
  const { uri } = backendStore;
  if (typeof uri === 'string' && /^[^:]+:\/\/[^@]*:[^@]*@|[?&]password=/.test(uri)) {
    checks.fault({
      prop: 'backendStore.uri',
      value: uri.replace(/\/\/.*@/, '//(not shown)@').replace(/([?&]password=)[^&]*/g, '$1(not shown)'),
      rule: 'the URI stands in the arguments of a process, so it has no password in it',
      fix: 'leave user name and password out of the URI and pass PGUSER and PGPASSWORD in backendStore.environment',
    });
  }
}

/** Faults where the store knows pods by their ServiceAccount, and these have none of their own. */
export function checkIdentity(checks: PropChecks, server: { readonly artifactStore: IArtifactStore; readonly serviceAccountName?: string }): void {
  if (!server.artifactStore.usesPodIdentity || server.serviceAccountName !== undefined) return;
  checks.fault({
    prop: 'artifactStore',
    value: 'a store without keys',
    rule: 'such a store knows the pods by their ServiceAccount, and they have none (https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html)',
    fix: 'add new ServerServiceAccount(…), or serviceAccount of MlflowStack, with the annotation of your cloud, or give credentials to artifactStore',
  });
}

/** What a pod that uses a store may connect to for it. Of one that does not tell, nobody knows: everything. */
export function egressTo(...stores: { readonly egress?: k8s.NetworkPolicyEgressRule[] }[]): k8s.NetworkPolicyEgressRule[] {
  return stores.flatMap(({ egress }) => egress ?? [{}]);
}

/** The members of a list that may be environment variables. */
export function variables(checks: PropChecks, prop: string, list: k8s.EnvVar[]): k8s.EnvVar[] {
  list.forEach((variable, index) => fits(variable, {}) && checkTextValue(checks, `${prop}[${index}]`, variable));
  return checks.members(prop, list, {}, 'environment variables', '{ name: "MLFLOW_LOGGING_LEVEL", value: "DEBUG" }');
}

/** Whether a variable has a name that one may have; otherwise a fault of it. */
export function isVariableName(checks: PropChecks, prop: string, name: string): boolean {
  const good = typeof name === 'string' && /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name);
  if (!good) {
    checks.fault({
      prop,
      value: name,
      rule: 'the name of a variable has letters, digits, "-", "_" and ".", no digit first (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/)',
      fix: 'pass a name such as "MLFLOW_LOGGING_LEVEL"',
    });
  }
  return good;
}

type StoreRest = Pick<IBackendStore, 'secretNamespace' | 'volumes' | 'volumeMounts' | 'egress' | 'connections' | 'volumeClaims'>;

/** What stores of all kinds may have besides. */
function usableRest(checks: PropChecks, prop: string, { secretNamespace, volumes, volumeMounts, egress, connections, volumeClaims }: StoreRest): StoreRest {
  const rest = checks.props({ secretNamespace, volumes, volumeMounts, egress, volumeClaims }, { secretNamespace: 'value', volumes: 'list', volumeMounts: 'list', egress: 'list', volumeClaims: 'list' }, `${prop}.`);
  return {
    ...rest,
    connections,
    volumes: rest.volumes && checks.members(`${prop}.volumes`, rest.volumes, {}, 'volumes', '{ name: "ca", configMap: { name: "ca" } }'),
    volumeMounts: rest.volumeMounts && checks.members(`${prop}.volumeMounts`, rest.volumeMounts, {}, 'mounts', '{ name: "ca", mountPath: "/etc/ca" }'),
    egress: rest.egress && checks.members(`${prop}.egress`, rest.egress, {}, 'rules', '{ ports: [{ port: k8s.IntOrString.fromNumber(443) }] }'),
  };
}
