import { Testing } from 'cdk8s';
import { Minio, Postgres, StartupScript, TrackingServer } from '../../lib';
import { artifactStore, backendStore, synth, told, wrong } from './server';
import { faults, get } from '../helpers';

const at = (message: string) => `[test/TrackingServer] ${message}`;

describe('stores', () => {
  test.each(['backendStore', 'artifactStore'] as const)('%s of another namespace', (prop) => {
    const stores = { backendStore: { ...backendStore, secretNamespace: 'mlflow' }, artifactStore: { ...artifactStore, secretNamespace: 'mlflow' } };
    expect(wrong(stores)).toEqual([]);
    expect(wrong({ ...stores, [prop]: { ...stores[prop], secretNamespace: 'other' } })).toEqual([
      at(
        `${prop}: got "a store with its Secret in namespace \\"other\\"". Rule: a pod reads Secrets of its own namespace only, here "mlflow" ` +
          '(https://kubernetes.io/docs/concepts/configuration/secret/). Fix: put the store and the tracking server into one namespace.',
      ),
    ]);
  });

  test('a startup script of another namespace', () => {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { namespace: 'other' });
    new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript });
    expect(faults(chart)).toEqual([
      at(
        'startupScript: got "a ConfigMap in namespace \\"other\\"". Rule: a pod mounts ConfigMaps of its own namespace only, here "mlflow" ' +
          '(https://kubernetes.io/docs/concepts/configuration/configmap/). Fix: make the StartupScript with namespace "mlflow".',
      ),
    ]);
  });

  const PASSWORD_REST =
    'Rule: the URI stands in the arguments of a process, so it has no password in it. ' +
    'Fix: leave user name and password out of the URI and pass PGUSER and PGPASSWORD in backendStore.environment.';

  test.each([
    ['postgresql://me:hunter2@db/runs', 'postgresql://(not shown)@db/runs'],
    ['postgresql+psycopg2://me:hunter2@db:5432/runs?sslmode=require', 'postgresql+psycopg2://(not shown)@db:5432/runs?sslmode=require'],
    ['mysql://me:hunter2@db/runs', 'mysql://(not shown)@db/runs'],
    ['postgresql://:hunter2@db/runs', 'postgresql://(not shown)@db/runs'],
    ['postgresql://me:hunter2@b@db/runs', 'postgresql://(not shown)@db/runs'],
    // what SQLAlchemy takes for a password as well
    ['postgresql://me:hunter2/b@db/runs', 'postgresql://(not shown)@db/runs'],
  ])('a password in the URI %s', (uri, shown) => {
    expect(wrong({ backendStore: { uri, environment: [] } })).toEqual([at(`backendStore.uri: got "${shown}". ${PASSWORD_REST}`)]);
  });

  test('a password in the query of the URI, which libpq reads too', () => {
    const [fault, ...rest] = wrong({ backendStore: { uri: 'postgresql://db/runs?user=me&password=hunter2', environment: [] } });
    expect(fault).toMatch(/^\[test\/TrackingServer\] backendStore\.uri: got .+\. Rule: .+ Fix: .+\.$/);
    expect(fault).not.toContain('hunter2');
    expect(rest).toEqual([]);
  });

  test.each([
    'postgresql://db/runs',
    'postgresql://db.example.com:5432/runs?sslmode=require',
    'postgresql://me@db:5432/runs',
    'postgresql:///runs?host=/var/run/postgresql',
    'postgresql://[::1]:5432/runs',
    'sqlite:////data/mlflow.db',
    'mysql+pymysql://db:3306/runs',
  ])('the URI %s has none', (uri) => {
    expect(wrong({ backendStore: { uri, environment: [] } })).toEqual([]);
  });
});

describe('the variables of the stores', () => {
  const SILENT = 'of two values Kubernetes would silently take the last';
  const region = { name: 'AWS_REGION', value: 'eu-west-1' };

  test('are set by one of the two', () => {
    const stores = { backendStore: { ...backendStore, environment: [region] }, artifactStore: { ...artifactStore, environment: [{ ...region, value: 'us-east-1' }] } };
    expect(wrong(stores)).toEqual([told('backendStore.environment[0]', '"AWS_REGION"', `the prop artifactStore sets this one: ${SILENT}`, 'leave it out')]);
  });

  test.each([
    ['MLFLOW_WORKERS', 'the prop workers'],
    ['MLFLOW_SERVER_ENABLE_JOB_EXECUTION', 'the prop settings.jobExecution'],
    ['MLFLOW_STATIC_PREFIX', 'the prop settings.staticPrefix'],
    ['MLFLOW_SERVER_ALLOWED_HOSTS', 'the prop settings.allowedHosts'],
    ['MLFLOW_PORT', 'the prop port'],
    ['HOME', 'the construct itself'],
  ])('do not set %s', (name, owner) => {
    const environment = [region, { name, value: '1' }];
    for (const prop of ['artifactStore', 'backendStore']) {
      const store = { ...(prop === 'artifactStore' ? artifactStore : backendStore), environment };
      expect(wrong({ [prop]: store })).toEqual([told(`${prop}.environment[1]`, `"${name}"`, `${owner} sets this one: ${SILENT}`, 'leave it out')]);
    }
  });

  test('may have the URI in them, instead of the flag', () => {
    const uri = { name: 'MLFLOW_BACKEND_STORE_URI', valueFrom: { secretKeyRef: { name: 'db', key: 'uri' } } };
    const [server] = get(synth({ backendStore: { environment: [uri] } }), 'Deployment', 'mlflow').spec.template.spec.containers;
    expect(server.env).toContainEqual(uri);
    expect(server.args.join()).not.toContain('--backend-store-uri');
    expect(wrong({ backendStore: { ...backendStore, environment: [uri] } })).toEqual([told('backendStore.environment[0]', '"MLFLOW_BACKEND_STORE_URI"', 'the prop backendStore sets this one', 'leave it out')]);
  });

  test.each([[undefined, 'undefined'], [7, '7'], ['', '""'], ['A=B', '"A=B"']])('cannot be called %j', (name, got) => {
    expect(wrong({ artifactStore: { ...artifactStore, environment: [{ name, value: '1' }] } })).toEqual([told('artifactStore.environment[0]', got, 'the name of a variable has letters', 'pass a name such as')]);
  });
});

test('the volumes of both stores have names and paths of their own', () => {
  const volume = (name: string, mountPath: string) => ({ volumes: [{ name, secret: { secretName: name } }], volumeMounts: [{ name, mountPath }] });
  const stores = (one: object, other: object) => wrong({ artifactStore: { ...artifactStore, ...one }, backendStore: { ...backendStore, ...other } });
  const OTHER = 'and the prop artifactStore has this one';
  expect(stores(volume('s3-ca', '/etc/s3'), volume('db-ca', '/etc/db'))).toEqual([]);
  expect(stores(volume('ca', '/etc/s3'), volume('ca', '/etc/db'))).toEqual([told('backendStore', '"volume ca"', OTHER, 'take another')]);
  expect(stores(volume('s3-ca', '/etc/ca'), volume('db-ca', '/etc/ca'))).toEqual([told('backendStore', '"mount /etc/ca"', OTHER, 'take another')]);
  expect(stores({ volumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }] }, {})).toEqual([told('artifactStore', '"mount /etc/ca of a volume ca"', 'of the volume that comes with it', 'a volume that comes with it')]);
});

describe('a copy of a store', () => {
  const stores = (copied: boolean) => {
    const chart = Testing.chart();
    const [postgres, minio] = [new Postgres(chart, 'Postgres'), new Minio(chart, 'Minio')];
    new TrackingServer(chart, 'TrackingServer', copied ? { backendStore: { ...postgres }, artifactStore: { ...minio } } : { backendStore: postgres, artifactStore: minio });
    return Testing.synth(chart);
  };

  test('is the store to the NetworkPolicies, on both sides', () => {
    const policies = (copied: boolean) => stores(copied).filter(({ kind }) => kind === 'NetworkPolicy');
    expect(policies(true)).toEqual(policies(false));
    for (const store of ['postgres', 'minio']) {
      const [{ from }] = get(stores(true), 'NetworkPolicy', store).spec.ingress;
      expect(JSON.stringify(from)).toMatch(/tracking-server.*store-monitor|store-monitor.*tracking-server/);
    }
  });

  test('is all the store is', () => {
    expect(stores(true)).toEqual(stores(false));
  });
});
