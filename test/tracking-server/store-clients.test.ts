import { Chart, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Autoscaling, ExternalPostgres, Credentials, GarbageCollection, StoreClientOptions, TrackingServer } from '../../lib';
import { Manifests, faults, get } from '../helpers';
import { artifactStore, backendStore, namesOf, server, told } from './server';

const proxy = { name: 'cloud-sql-proxy', image: 'gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.18.0', args: ['--port=5432', 'project:region:instance'], volumeMounts: [{ name: 'proxy-key', mountPath: '/secrets' }] };
const CLIENTS: StoreClientOptions = {
  environment: [{ name: 'PGOPTIONS', value: '-c search_path=$(DB_SCHEMA)' }, { name: 'PGSSLCERT', value: '/etc/client/tls.crt' }],
  volumes: [{ name: 'client', secret: { secretName: 'client' } }, { name: 'proxy-key', secret: { secretName: 'key' } }],
  volumeMounts: [{ name: 'client', mountPath: '/etc/client' }],
  sidecars: [proxy],
  egress: [{ ports: [{ port: { value: 3307 } as never }] }],
};

type AddOn = (made: TrackingServer, chart: Chart) => void;

/** The pods that connect: the server, its monitor and the clean-up. The first container of each is its program. */
function connecting(props: object, addOn: AddOn = () => undefined) {
  const chart = Testing.chart();
  const made = server(props, chart);
  new GarbageCollection(chart, 'Gc', { server: made });
  // an add-on that comes later counts as well
  addOn(made, chart);
  const objects = Testing.synth(chart);
  return { objects, pods: [get(objects, 'Deployment', 'mlflow').spec.template.spec, get(objects, 'Deployment', 'mlflow-monitor').spec.template.spec, get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec.template.spec] };
}

describe('storeClients reaches every pod that connects', () => {
  const { objects, pods } = connecting({ storeClients: CLIENTS, extraEnv: [{ name: 'DB_SCHEMA', value: 'mlflow' }, { name: 'OPENAI_BASE', value: 'x' }] });

  test('with its variables, and those that they are made of', () => {
    for (const { containers } of pods) {
      expect(containers[0].env).toEqual(expect.arrayContaining([...CLIENTS.environment!, { name: 'DB_SCHEMA', value: 'mlflow' }]));
      expect(new Set(namesOf(containers[0].env)).size).toBe(containers[0].env.length);
    }
  });

  test('with its volumes and mounts, those of the sidecar included', () => {
    for (const { containers, volumes } of pods) {
      expect(containers[0].volumeMounts).toContainEqual(CLIENTS.volumeMounts![0]);
      expect(volumes).toEqual(expect.arrayContaining([...CLIENTS.volumes!]));
      expect(new Set(namesOf(volumes)).size).toBe(volumes.length);
    }
  });

  test('with its sidecars, which start first, and do not keep a clean-up from its end', () => {
    for (const { initContainers } of pods) {
      expect(initContainers).toEqual([{ ...proxy, restartPolicy: 'Always', imagePullPolicy: 'IfNotPresent', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true } }]);
    }
  });

  test('with its connections', () => {
    for (const name of ['mlflow', 'mlflow-monitor', 'mlflow-gc']) expect(get(objects, 'NetworkPolicy', name).spec.egress).toContainEqual({ ports: [{ port: 3307 }] });
  });

  test('and nothing else does: the monitor has no other variables of the server', () => {
    expect(namesOf(pods[1].containers[0].env)).not.toContain('OPENAI_BASE');
  });
});

test('a volume that a variable of the stores points into comes along, whoever gave it', () => {
  const pod = { volumes: [{ name: 'ca', configMap: { name: 'ca' } }, { name: 'cache', emptyDir: {} }], volumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }, { name: 'cache', mountPath: '/etc/cache' }] };
  const { pods } = connecting({ pod, extraEnv: [{ name: 'AWS_CA_BUNDLE', value: '/etc/ca/ca.crt' }, { name: 'PGSSLROOTCERT', value: '/etc/ca/ca.crt' }] });
  for (const { containers, volumes } of pods.slice(1)) {
    expect(namesOf(containers[0].volumeMounts)).toContain('ca');
    expect(namesOf(volumes)).toContain('ca');
    expect(namesOf(volumes)).not.toContain('cache');
  }
});

test('what an add-on gives to the server for its stores comes along', () => {
  const { pods } = connecting({}, (made, chart) => {
    const owner = new Construct(chart, 'Tls');
    made.addVariable(owner, { name: 'PGSSLKEY', value: '/etc/keys/tls.key' });
    made.addVolume(owner, { name: 'keys', secret: { secretName: 'keys' } }, { name: 'keys', mountPath: '/etc/keys' });
    made.addVariable(owner, { name: 'OTHER', value: '1' });
  });
  for (const { containers, volumes } of pods.slice(1)) {
    expect(containers[0].env).toContainEqual({ name: 'PGSSLKEY', value: '/etc/keys/tls.key' });
    expect(volumes).toContainEqual({ name: 'keys', secret: { secretName: 'keys' } });
    expect(namesOf(containers[0].env)).not.toContain('OTHER');
  }
});

test('the clean-up has still no key of the artifact store', () => {
  const { pods } = connecting({ storeClients: CLIENTS });
  expect(namesOf(pods[2].containers[0].env)).not.toEqual(expect.arrayContaining(['AWS_ACCESS_KEY_ID']));
});

describe('a database behind a container of the pod', () => {
  const local = (chart: Chart) => new ExternalPostgres(chart, 'Db', { host: '127.0.0.1', credentials: Credentials.fromSecretName(chart, 'User', 'user', { namespace: 'mlflow' }) });
  const made = (props: object) => {
    const chart = Testing.chart();
    const tracking = new TrackingServer(chart, 'TrackingServer', { backendStore: local(chart), artifactStore, ...props });
    new GarbageCollection(chart, 'Gc', { server: tracking });
    return chart;
  };

  test('is one of all pods that connect', () => expect(faults(made({ storeClients: { sidecars: [proxy], volumes: CLIENTS.volumes } }))).toEqual([]));

  test('is told where it is in the pod of the server only', () => {
    const { volumeMounts, ...sidecar } = proxy;
    const expected = (path: string) => told('server', '"a server whose backendStore is at 127.0.0.1"', 'cloud-sql-proxy', 'storeClients.sidecars', path);
    expect(faults(made({ pod: { sidecars: [sidecar] } }))).toEqual([expected('TrackingServer/Monitor'), expected('Gc')]);
    expect(volumeMounts).toHaveLength(1);
  });
});

test('autoscaling looks at these sidecars, too', () => {
  const chart = Testing.chart();
  const made = server({ storeClients: { sidecars: [{ name: 'proxy', image: 'proxy:1' }] } }, chart);
  new Autoscaling(chart, 'Autoscaling', { server: made, maxReplicas: 3 });
  expect(faults(chart)).toEqual([told('server', '"container \\"proxy\\" without requests of cpu"', 'by percent', 'resources.requests', 'Autoscaling')]);
});

test.each<[object, string, string, string]>([
  [{ environment: [{ name: 'PGUSER', value: 'you' }] }, 'storeClients.environment[0]', '"PGUSER"', 'the prop backendStore sets this one'],
  [{ environment: [{ name: '1', value: 'you' }] }, 'storeClients.environment[0]', '"1"', 'the name of a variable'],
  [{ environment: [{ name: 'PGPASSFILE_PASSWORD', value: 'secret' }] }, 'storeClients.environment[0].value', 'a string', 'is a secret by its name'],
  [{ volumes: [{ name: 'a', hostPath: { path: '/' } }] }, 'storeClients.volumes', '"hostPath"', 'restricted'],
  [{ volumeMounts: [{ name: 'a', mountPath: '/a' }] }, 'storeClients.volumes', '"mount /a of a volume a"', 'a mount is of the volume that comes with it'],
  [{ sidecars: [{ name: 'mlflow', image: 'a:1' }] }, 'storeClients.sidecars', '"container mlflow"', 'a name of its own'],
  [{ sidecars: [{ name: 'a', image: 'a:1', securityContext: { runAsUser: 0 } }] }, 'storeClients.sidecars[0].securityContext', '"runAsUser 0"', 'restricted'],
  [{ egress: [{ port: 443 }] }, 'storeClients.egress[0].port', '', 'no prop of this name'],
  [{ sidecar: [] }, 'storeClients.sidecar', '', 'no prop of this name'],
])('%j is refused, and told once', (storeClients, prop, got, rule) => {
  const chart = Testing.chart();
  server({ storeClients }, chart);
  const all = faults(chart);
  expect(all).toHaveLength(1);
  expect(all[0]).toContain(`[test/TrackingServer] ${prop}: got ${got}`);
  expect(all[0]).toContain(rule);
});

describe('what a LimitRange may ask for', () => {
  const of = (objects: Manifests, kind: string, name: string) => get(objects, kind, name).spec.template.spec;

  test('of the monitor', () => {
    const chart = Testing.chart();
    server({ preflight: { monitorResources: { cpuRequest: '100m', memoryRequest: Size.mebibytes(128) } } }, chart);
    const [{ resources }] = of(Testing.synth(chart), 'Deployment', 'mlflow-monitor').containers;
    expect(resources).toEqual({ requests: { cpu: '100m', memory: '128Mi', 'ephemeral-storage': '64Mi' }, limits: { cpu: '500m', memory: '192Mi', 'ephemeral-storage': '256Mi' } });
  });

  test('more than its limit is told', () => {
    const chart = Testing.chart();
    server({ preflight: { monitorResources: { memoryRequest: Size.gibibytes(1) } } }, chart);
    expect(faults(chart)).toEqual([told('preflight.monitorResources.memoryRequest', '"1Gi"', 'not above its limit', 'raise', 'TrackingServer/Monitor')]);
  });

  test('without a monitor it has no resources', () => {
    const chart = Testing.chart();
    server({ preflight: { monitor: false, monitorResources: {} } }, chart);
    expect(faults(chart)).toEqual([told('preflight.monitorResources', 'an object with nothing in it', 'there is no monitor', 'leave')]);
  });
});

test('stores without storeClients are as they were', () => {
  const { pods } = connecting({ backendStore, artifactStore });
  for (const pod of pods) expect(pod).not.toHaveProperty('initContainers');
});
