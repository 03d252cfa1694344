import { Testing } from 'cdk8s';
import { ExternalPostgres, ExternalPostgresProps, PostgresTlsMode } from '../../lib/backend-store/external-postgres';
import { Credentials, ICredentials } from '../../lib/secrets/credentials';
import { PATIENCE, faults } from '../helpers';

const HOST = 'db.example.com';

function made(props: Partial<ExternalPostgresProps> = {}) {
  const chart = Testing.chart();
  const credentials = Credentials.fromSecretName(chart, 'User', 'db-user', { usernameKey: 'user', passwordKey: 'pass', namespace: 'team-a' });
  const store = new ExternalPostgres(chart, 'Database', { host: HOST, credentials, ...props });
  return { chart, store, faults: faults(chart) };
}

function valueOf(store: ExternalPostgres, name: string) {
  return store.environment.find((variable) => variable.name === name)?.value;
}

test('what it tells the tracking server', () => {
  const { chart, store } = made();
  expect(Testing.synth(chart)).toEqual([]);
  expect(store).toMatchObject({ uri: `postgresql+psycopg2://db.example.com:5432/mlflow${PATIENCE}`, secretNamespace: 'team-a', host: HOST, port: 5432, database: 'mlflow', tlsMode: 'require' });
  expect(store.environment).toEqual([
    { name: 'PGUSER', valueFrom: { secretKeyRef: { name: 'db-user', key: 'user' } } },
    { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'db-user', key: 'pass' } } },
    { name: 'PGSSLMODE', value: 'require' },
  ]);
  expect(store.volumes).toBeUndefined();
  expect(store.volumeMounts).toBeUndefined();
  expect(JSON.parse(JSON.stringify(store.egress))).toEqual([{ ports: [{ protocol: 'TCP', port: { value: 5432 } }] }]);
});

test.each<[Partial<ExternalPostgresProps>, string]>([
  [{ host: '10.0.0.7', port: 6543, database: 'ml-2.x' }, `postgresql+psycopg2://10.0.0.7:6543/ml-2.x${PATIENCE}`],
  [{ host: '2001:db8::5' }, `postgresql+psycopg2://[2001:db8::5]:5432/mlflow${PATIENCE}`],
  [{ host: 'postgres', port: 1, database: '0' }, `postgresql+psycopg2://postgres:1/0${PATIENCE}`],
])('%j is at %s', (props, uri) => {
  const { store, faults } = made(props);
  expect(faults).toEqual([]);
  expect(store.uri).toBe(uri);
});

describe('TLS', () => {
  test('with an authority in a Secret the certificate is checked, and the file is mounted', () => {
    const { store, faults } = made({ tls: { ca: { secretName: 'db-ca', key: 'root.pem' } } });
    expect(faults).toEqual([]);
    expect(valueOf(store, 'PGSSLMODE')).toBe('verify-full');
    expect(valueOf(store, 'PGSSLROOTCERT')).toBe('/etc/mlflow/backend-store-ca/ca.crt');
    expect(store.volumes).toEqual([{ name: 'backend-store-ca', secret: { secretName: 'db-ca', items: [{ key: 'root.pem', path: 'ca.crt' }], defaultMode: 0o440 } }]);
    expect(store.volumeMounts).toEqual([{ name: 'backend-store-ca', mountPath: '/etc/mlflow/backend-store-ca' }]);
  });

  test('an authority may stand in a ConfigMap', () => {
    const { store, faults } = made({ tls: { ca: { configMapName: 'db-ca' }, mode: PostgresTlsMode.VERIFY_CA } });
    expect(faults).toEqual([]);
    expect(valueOf(store, 'PGSSLMODE')).toBe('verify-ca');
    expect(store.volumes).toEqual([{ name: 'backend-store-ca', configMap: { name: 'db-ca', items: [{ key: 'ca.crt', path: 'ca.crt' }], defaultMode: 0o440 } }]);
  });

  test.each([PostgresTlsMode.DISABLE, PostgresTlsMode.PREFER, PostgresTlsMode.REQUIRE])('%s needs no authority', (mode) => {
    const { store, faults } = made({ tls: { mode } });
    expect(faults).toEqual([]);
    expect(valueOf(store, 'PGSSLMODE')).toBe(mode);
    expect(valueOf(store, 'PGSSLROOTCERT')).toBeUndefined();
  });

  test.each([PostgresTlsMode.VERIFY_CA, PostgresTlsMode.VERIFY_FULL])('%s without an authority is a fault that names both', (mode) => {
    expect(made({ tls: { mode } }).faults).toEqual([
      `[test/Database] tls.mode: got "${mode}". Rule: a certificate is checked against authorities, and tls.ca has none ` +
        '(https://www.postgresql.org/docs/current/libpq-ssl.html#LIBQ-SSL-CERTIFICATES). ' +
        'Fix: pass tls.ca, such as { configMapName: "database-ca" }, or PostgresTlsMode.REQUIRE as tls.mode.',
    ]);
  });

  test.each([PostgresTlsMode.DISABLE, PostgresTlsMode.PREFER, PostgresTlsMode.REQUIRE])('%s with an authority is a fault that names both', (mode) => {
    expect(made({ tls: { mode, ca: { secretName: 'ca' } } }).faults).toEqual([
      expect.stringMatching(`^\\[test/Database\\] tls\\.mode: got "${mode}"\\. Rule: tls\\.ca is there to check .+\\. Fix: leave tls\\.mode out, .+ tls\\.ca out\\.$`),
    ]);
  });

  test.each<[object, string]>([
    [{ mode: 'allow' }, 'tls.mode: got "allow". Rule: tls.mode is one of disable, prefer, require, verify-ca, verify-full. Fix: pass one of them.'],
    [{ ca: {} }, 'tls.ca: got {}. Rule: the certificates stand in one place: tls.ca.secretName or tls.ca.configMapName. Fix: pass one of the two, such as { configMapName: "ca-certificates" }.'],
    [
      { ca: { secretName: 'a', configMapName: 'b' } },
      'tls.ca: got "both a Secret \\"a\\" and a ConfigMap \\"b\\"". Rule: the certificates stand in one place: tls.ca.secretName or tls.ca.configMapName. ' +
        'Fix: pass one of the two, such as { configMapName: "ca-certificates" }.',
    ],
    [{ modus: 'require' }, 'tls.modus: got a string. Rule: there is no prop of this name. Fix: did you mean tls.mode?.'],
    [{ ca: { secret: 'a', secretName: 'a' } }, 'tls.ca.secret: got a string. Rule: there is no prop of this name. Fix: did you mean tls.ca.secretName?.'],
  ])('%j is refused', (tls, message) => {
    expect(made({ tls }).faults).toEqual([`[test/Database] ${message}`]);
  });

  test.each<[object, string]>([
    [{ secretName: 'My_CA' }, 'secretName'],
    [{ configMapName: 'My_CA' }, 'configMapName'],
    [{ secretName: 'ca', key: 'a/b' }, 'key'],
  ])('the authority %j is refused', (ca, prop) => {
    expect(made({ tls: { ca } }).faults).toEqual([expect.stringMatching(`^\\[test/Database\\] tls\\.ca\\.${prop}: got ".+"\\. Rule: .+\\. Fix: .+\\.$`)]);
  });
});

describe('read replica', () => {
  test('has the database, and the port, of the server', () => {
    const { store, faults } = made({ port: 6432, database: 'ml', readReplica: { host: 'ro.example.com' } });
    expect(faults).toEqual([]);
    expect(valueOf(store, 'MLFLOW_READ_REPLICA_BACKEND_STORE_URI')).toBe(`postgresql+psycopg2://ro.example.com:6432/ml${PATIENCE}`);
    expect(store.egress![0].ports).toHaveLength(1);
  });

  test('may have a port of its own, which the pods may connect to', () => {
    const { store } = made({ readReplica: { host: '2001:db8::6', port: 5433 } });
    expect(valueOf(store, 'MLFLOW_READ_REPLICA_BACKEND_STORE_URI')).toBe(`postgresql+psycopg2://[2001:db8::6]:5433/mlflow${PATIENCE}`);
    expect(store.egress![0].ports!.map(({ port }) => port!.value)).toEqual([5432, 5433]);
  });

  test.each<[object, string, string]>([
    [{}, 'readReplica.host', 'undefined'],
    [{ host: 'ro:5432' }, 'readReplica.host', 'a string'],
    [{ host: 'ro', port: 0 }, 'readReplica.port', '0'],
    [{ host: 'ro', database: 'x' }, 'readReplica.database', 'a string'],
  ])('%j is refused', (readReplica, prop, got) => {
    expect(made({ readReplica: readReplica as { host: string } }).faults).toEqual([
      expect.stringMatching(`^\\[test/Database\\] ${prop.replace('.', '\\.')}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`),
    ]);
  });
});

describe('NetworkPolicies', () => {
  test('let the pods connect to the port of the pods behind a Service, too', () => {
    expect(made({ targetPort: 15432 }).store.egress![0].ports!.map(({ port }) => port!.value)).toEqual([5432, 15432]);
  });

  test('let the pods connect to these ranges only', () => {
    const { store, faults } = made({ cidrs: ['10.1.0.0/16', '2001:db8::/64'] });
    expect(faults).toEqual([]);
    expect(store.egress).toEqual([expect.objectContaining({ to: [{ ipBlock: { cidr: '10.1.0.0/16' } }, { ipBlock: { cidr: '2001:db8::/64' } }] })]);
  });

  test('an empty list of ranges is refused', () => {
    expect(made({ cidrs: [] }).faults).toEqual([expect.stringMatching(/^\[test\/Database\] cidrs: got \[\]\. Rule: the list has one range or more/)]);
  });

  test.each(['10.0.0.1', '10.0.0.0/33', '2001:db8::/129', '10.0.0/8', 'db.example.com/32', '/8', ''])('the range %j is refused', (cidr) => {
    expect(made({ cidrs: ['10.0.0.0/8', cidr] }).faults).toEqual([expect.stringMatching(/^\[test\/Database\] cidrs\[1\]: got ".*"\. Rule: a range is .+\. Fix: .+\.$/)]);
  });
});

test.each<[string, unknown]>([
  ['host', ''],
  ['host', 'db_1.example.com'],
  ['host', '10.0.0.300'],
  ['host', 'db.example.com/mlflow'],
  ['host', 5432],
  ['port', 0],
  ['port', 65536],
  ['port', '5432'],
  ['database', ''],
  ['database', 'ml flow'],
  ['database', 'ml/flow'],
  ['database', 'ml?sslmode=disable'],
  ['database', 'ml%20flow'],
  ['database', 'a'.repeat(64)],
  ['targetPort', 1.5],
])('%s cannot be %j', (prop, value) => {
  expect(made({ [prop]: value }).faults).toEqual([expect.stringMatching(`^\\[test/Database\\] ${prop}: got .+\\. Rule: .+\\. Fix: .+\\.$`)]);
});

test.each(['postgresql://mlflow:hunter2@db.example.com/mlflow', 'mlflow:hunter2@db.example.com', 'db.example.com:5432'])('the host %s is refused and not shown', (host) => {
  const [message, ...rest] = made({ host }).faults;
  expect(rest).toEqual([]);
  expect(message).toMatch(/^\[test\/Database\] host: got a string\. Rule: a host is a DNS name or an IP address, without scheme, port/);
});

test('credentials that a Job would fill are refused: no Job knows this server', () => {
  const chart = Testing.chart();
  new ExternalPostgres(chart, 'Database', { host: HOST, credentials: new Credentials(chart, 'User', { secretName: 'db-user' }) });
  expect(faults(chart)).toEqual([
    '[test/Database] credentials: got "Secret \\"db-user\\", whose values a bootstrap Job would make up". ' +
      'Rule: a server outside the stack has its users already, and no Job that would fill the Secret. ' +
      'Fix: pass Credentials.fromSecretName(…) or new ExternalSecretCredentials(…).',
  ]);
});

test('host and credentials have to be given', () => {
  const chart = Testing.chart();
  const store = new ExternalPostgres(chart, 'Database', {} as ExternalPostgresProps);
  expect(faults(chart)).toEqual([
    '[test/Database] host: got undefined. Rule: the server has to be given. Fix: pass "mlflow.abc123.eu-west-1.rds.amazonaws.com".',
    '[test/Database] credentials: got undefined. Rule: the user of the database has to be given. Fix: pass Credentials.fromSecretName(…).',
  ]);
  expect(store.secretNamespace).toBeUndefined();
});

test('a prop with a wrong name is refused', () => {
  expect(made({ passwort: 'hunter2' } as object).faults).toEqual([expect.stringMatching(/^\[test\/Database\] passwort: got a string\. Rule: there is no prop of this name/)]);
});

test('a Secret of cdk8s-plus as credentials is a fault that says how to pass it', () => {
  const credentials = { name: 'keys' } as unknown as ICredentials;
  expect(made({ credentials }).faults).toEqual([expect.stringMatching(/^\[test\/Database\] credentials: got an object with name\. .* Fix: pass Credentials\.fromSecret\(…\)/)]);
});
