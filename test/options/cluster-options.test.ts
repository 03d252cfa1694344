import { Size, Testing } from 'cdk8s';
import { ClusterOptions, ClusterPlatform, Credentials, ExternalPostgres, IpFamily, Login, MlflowStack, MlflowStackProps, ScratchVolume } from '../../lib';
import { Manifests, PATIENCE, faults, get, ofKind } from '../helpers';

/** A stack with all kinds of pods: two logins cannot be, so that there are two stacks. */
function stacks(cluster: ClusterOptions, props: MlflowStackProps = {}): Manifests {
  const chart = Testing.chart();
  const clientCredentials = Credentials.fromSecretName(chart, 'Client', 'client', { usernameKey: 'id', passwordKey: 'secret', namespace: 'b' });
  const common = { garbageCollection: {}, metrics: {}, ingress: { hosts: ['mlflow.example.com'] }, cluster, ...props };
  new MlflowStack(chart, 'A', { namespace: 'a', login: Login.basicAuth(), ...common });
  new MlflowStack(chart, 'B', { namespace: 'b', login: Login.oidc({ issuerUrl: 'https://login.example.com', clientCredentials }), ...common });
  return Testing.synth(chart);
}

interface Pod {
  readonly name: string;
  readonly spec: { readonly securityContext: object; readonly containers: Container[]; readonly initContainers?: Container[] };
}
interface Container {
  readonly name: string;
  readonly resources: { readonly requests: { [name: string]: string }; readonly limits: { [name: string]: string } };
}

/** The pods of everything that makes pods. */
function pods(objects: Manifests): Pod[] {
  const found = objects.flatMap(({ kind, metadata, spec }) => {
    const template = spec?.template ?? spec?.jobTemplate?.spec.template;
    return template === undefined ? [] : [{ name: `${kind} ${metadata.namespace}/${metadata.name.replace(/-[0-9a-f]{10}$/, '')}`, spec: template.spec }];
  });
  expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(['CronJob a/mlflow-gc', 'Deployment a/mlflow', 'Deployment b/mlflow-oauth2-proxy', 'Deployment b/mlflow-monitor', 'Job a/mlflow-secrets', 'Job b/minio-bootstrap', 'StatefulSet a/postgres']));
  return found;
}
const mebibytes = (quantity: string) => (quantity.endsWith('Gi') ? 1024 : 1) * Number.parseInt(quantity, 10);

describe('the platform', () => {
  const ids = { runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001 };
  const restricted = (name: string) => ({ runAsNonRoot: true, ...(name.startsWith('StatefulSet') && { fsGroupChangePolicy: 'OnRootMismatch' }), seccompProfile: { type: 'RuntimeDefault' } });

  test('is one where pods name their users, if nothing is said', () => {
    for (const { name, spec } of pods(stacks({}))) expect([name, spec.securityContext]).toEqual([name, { ...restricted(name), ...ids }]);
  });

  test('OpenShift gives pods their users: none names one, and all are restricted as before', () => {
    const found = pods(stacks({ platform: ClusterPlatform.OPENSHIFT }));
    for (const { name, spec } of found) expect([name, spec.securityContext]).toEqual([name, restricted(name)]);
    // nowhere else either: a container could name one, too
    expect(JSON.stringify(found)).not.toMatch(/runAsUser|runAsGroup|"fsGroup"/);
  });

  test('GKE Autopilot lowers limits of ephemeral storage to the requests, which are the same here, and at most 10 GiB', () => {
    for (const { name, spec } of pods(stacks({ platform: ClusterPlatform.GKE_AUTOPILOT }))) {
      for (const { resources } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect([name, resources.requests['ephemeral-storage']]).toEqual([name, resources.limits['ephemeral-storage']]);
        expect(mebibytes(resources.limits['ephemeral-storage'])).toBeLessThanOrEqual(10 * 1024);
      }
    }
  });

  test('on GKE Autopilot files in transit have a volume of their own, which can be switched off for small ones', () => {
    const tmp = (scratchVolume?: ScratchVolume) => {
      const objects = stacks({ platform: ClusterPlatform.GKE_AUTOPILOT }, { trackingServer: { scratchVolume, scratchSize: Size.gibibytes(9) } });
      return get(objects.filter(({ metadata }) => metadata.namespace === 'a'), 'Deployment', 'mlflow').spec.template.spec.volumes.find(({ name }: { name: string }) => name === 'tmp');
    };
    expect(tmp().ephemeral.volumeClaimTemplate.spec.resources).toEqual({ requests: { storage: '9Gi' } });
    expect(tmp(ScratchVolume.emptyDir())).toEqual({ name: 'tmp', emptyDir: { sizeLimit: '9Gi' } });
  });

  test('more of the disk of a node than Autopilot gives is a fault', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { cluster: { platform: ClusterPlatform.GKE_AUTOPILOT }, trackingServer: { scratchVolume: ScratchVolume.emptyDir() } });
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Stack\/TrackingServer\] scratchSize: got "10Gi"\. Rule: .+10 GiB.+https:.+ Fix: .+Size\.gibibytes\(9\)\.$/)]);
  });

  test('a patch of the user comes last', () => {
    const chart = Testing.chart();
    const { postgres } = new MlflowStack(chart, 'Stack', { cluster: { platform: ClusterPlatform.OPENSHIFT } });
    postgres!.statefulSet.addJsonPatch({ _toJson: () => ({ op: 'add', path: '/spec/template/spec/securityContext/fsGroup', value: 5 }) } as never);
    expect(get(Testing.synth(chart), 'StatefulSet', 'postgres').spec.template.spec.securityContext).toEqual({ ...restricted('StatefulSet'), fsGroup: 5 });
  });
});

describe('NetworkPolicies', () => {
  const policies = (cluster: ClusterOptions) => ofKind(stacks(cluster), 'NetworkPolicy');
  const dns = [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }];
  const asks = ({ ports }: { ports: { port: number }[] }) => ports.some(({ port }) => port === 53);

  test('let pods ask anybody for addresses, or those that are named', () => {
    for (const { spec } of policies({})) for (const rule of (spec.egress ?? []).filter(asks)) expect(rule).not.toHaveProperty('to');
    const rules = policies({ dnsPeers: dns }).flatMap(({ spec }) => (spec.egress ?? []).filter(asks));
    expect(rules.length).toBeGreaterThan(12);
    for (const rule of rules) expect(rule.to).toEqual(dns);
  });

  test('with names for DNS, nothing goes to port 53 of anybody else', () => {
    for (const { metadata, spec } of policies({ dnsPeers: dns })) {
      for (const rule of spec.egress ?? []) if (rule.to === undefined) expect([metadata.name, rule.ports.map(({ port }: { port: number }) => port)]).toEqual([metadata.name, expect.not.arrayContaining([53])]);
    }
  });

  test('without a mesh, nothing is said of it', () => expect(JSON.stringify(policies({}))).not.toMatch(/15008|169\.254\.7\.127/));

  test.each([
    [IpFamily.IPV4, '169.254.7.127/32'],
    [IpFamily.IPV6, 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128'],
  ])('in an ambient mesh with %s, what goes from pod to pod comes through it, and its probes do', (ipFamily, cidr) => {
    const mesh = { protocol: 'TCP', port: 15008 };
    for (const { spec } of policies({ ambientMesh: true, ipFamily })) {
      for (const { from, ports } of spec.ingress ?? []) {
        expect(ports).toContainEqual(mesh);
        if (from !== undefined) expect(from).toContainEqual({ ipBlock: { cidr } });
      }
      for (const { to, ports } of spec.egress ?? []) expect(ports.some(({ port }: { port: number }) => port === 15008)).toBe(to !== undefined && !to[0].ipBlock);
    }
  });
});

test('with short names nothing of a stack but the name for clients elsewhere knows its namespace or the domain', () => {
  const objects = stacks({ shortNames: true }).filter(({ kind, metadata }) => kind !== 'ConfigMap' || metadata.name === 'mlflow-login');
  expect(objects.filter((object) => /\.svc\b|cluster\.local/.test(JSON.stringify(object))).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
  const [server] = get(objects.filter(({ metadata }) => metadata.namespace === 'a'), 'Deployment', 'mlflow').spec.template.spec.containers;
  expect(server.args).toContain(`--backend-store-uri=postgresql+psycopg2://postgres:5432/mlflow${PATIENCE}`);
  expect(server.env).toContainEqual({ name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://minio:9000' });
});

test('names for clients elsewhere are whole', () => {
  const { trackingUri, minio } = new MlflowStack(Testing.chart(), 'Stack', { cluster: { shortNames: true } });
  expect([trackingUri, minio!.endpointUrl]).toEqual(['http://mlflow-service.mlflow.svc.cluster.local:5000', 'http://minio:9000']);
});

test('an add-on has the cluster of its server, and not of the chart', () => {
  const chart = Testing.chart();
  const backendStore = new ExternalPostgres(chart, 'Db', { host: 'db.example.com', credentials: Credentials.fromSecretName(chart, 'C', 'c', { namespace: 'mlflow' }) });
  new MlflowStack(chart, 'Stack', { backendStore, trackingServer: { cluster: { platform: ClusterPlatform.OPENSHIFT } }, garbageCollection: {} });
  const objects = Testing.synth(chart);
  expect(get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec.template.spec.securityContext).not.toHaveProperty('fsGroup');
  expect(get(objects, 'StatefulSet', 'minio').spec.template.spec.securityContext).toHaveProperty('fsGroup', 10001);
});

test.each<[object, string, string]>([
  [{ platform: 'openshift' }, 'cluster.platform: got "openshift"', 'Kubernetes, OpenShift, GkeAutopilot'],
  [{ shortNames: 'yes' }, 'cluster.shortNames: got "yes"', 'true or false'],
  [{ ambientMesh: 1 }, 'cluster.ambientMesh: got 1', 'true or false'],
  [{ dnsPeers: [] }, 'cluster.dnsPeers: got []', 'one peer or more'],
  [{ dnsPeers: [{ podselector: {} }] }, 'cluster.dnsPeers[0].podselector', 'no prop of this name'],
  [{ dnsPeers: ['kube-dns'] }, 'cluster.dnsPeers[0]', 'a list of peers'],
])('%j is told once', (cluster, start, rule) => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { cluster, garbageCollection: {} } as never);
  const told = faults(chart);
  expect(told[0]).toContain(`[test/Stack] ${start}`);
  expect(told[0]).toContain(rule);
  expect(told.every((fault) => fault.startsWith('[test/Stack] '))).toBe(true);
});
