import { ApiObject, Chart, Testing } from 'cdk8s';
import { Credentials, Images, Postgres, PostgresProps } from '../../lib';
import { MAKE_DATABASE_SH, POSTGRES_READY_SH } from '../../lib/assets.generated';
import { PATIENCE, containers, faults, get, ofKind, shape } from '../helpers';

const KEEPALIVES = ['--tcp_keepalives_idle=15', '--tcp_keepalives_interval=5'];

function synth(props?: PostgresProps) {
  const chart = Testing.chart();
  const postgres = new Postgres(chart, 'Postgres', props);
  const objects = Testing.synth(chart);
  const name = props?.name ?? 'postgres';
  const [server] = containers(get(objects, 'StatefulSet', name));
  const [, tool] = containers(get(objects, 'Job', `${name}-bootstrap`));
  return { postgres, objects, server, tool };
}

test('the whole store', () => {
  expect(shape(synth().objects)).toMatchSnapshot();
});

test('what it tells the tracking server', () => {
  const { postgres } = synth();
  expect(postgres.uri).toBe(`postgresql+psycopg2://postgres.mlflow.svc.cluster.local:5432/mlflow${PATIENCE}`);
  expect(postgres.environment).toEqual([
    { name: 'PGUSER', valueFrom: { secretKeyRef: { name: 'postgres-user', key: 'username' } } },
    { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'postgres-user', key: 'password' } } },
  ]);
  expect(postgres.secretNamespace).toBe('mlflow');
});

test('what it tells everybody', () => {
  const { postgres } = synth({ namespace: 'team-a', name: 'database', database: 'runs' });
  expect(postgres).toMatchObject({
    namespace: 'team-a',
    host: 'database.team-a.svc.cluster.local',
    port: 5432,
    database: 'runs',
    uri: `postgresql+psycopg2://database.team-a.svc.cluster.local:5432/runs${PATIENCE}`,
  });
  expect(ApiObject.of(postgres)).toBe(postgres.statefulSet);
  expect(postgres.service.name).toBe('database');
});

test('the server', () => {
  const { server } = synth();
  expect(server.image).toBe(Images.POSTGRES);
  expect(server.ports).toEqual([{ name: 'postgresql', containerPort: 5432 }]);
  expect(server.env).toEqual([
    { name: 'POSTGRES_USER', valueFrom: { secretKeyRef: { name: 'postgres-superuser', key: 'username' } } },
    { name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name: 'postgres-superuser', key: 'password' } } },
    { name: 'POSTGRES_DB', value: 'postgres' },
    { name: 'POSTGRES_INITDB_ARGS', value: '--auth-host=scram-sha-256 --data-checksums' },
    { name: 'PGDATA', value: '/var/lib/postgresql/data/pgdata' },
  ]);
  expect(server.volumeMounts).toContainEqual({ name: 'data', mountPath: '/var/lib/postgresql/data' });
});

test('the probes ask the server at the loopback address of either family', () => {
  const { server } = synth();
  expect(server.startupProbe.exec.command[1]).toBe('--host=localhost');
  expect(POSTGRES_READY_SH).toContain('pg_isready --host=localhost ');
});

test('its pod gives the superuser what the Secret has, by a script that the kubelet keeps up to date', () => {
  const { server, objects } = synth({ superuserCredentials: undefined });
  const { volumes } = get(objects, 'StatefulSet', 'postgres').spec.template.spec;
  expect(server.readinessProbe.exec.command).toEqual(['/bin/bash', '/scripts/postgres-ready.sh']);
  expect(server.volumeMounts).toEqual(expect.arrayContaining([{ name: 'scripts', mountPath: '/scripts' }, { name: 'superuser', mountPath: '/superuser' }]));
  expect(volumes).toContainEqual({ name: 'scripts', configMap: { name: 'postgres' } });
  expect(volumes).toContainEqual({ name: 'superuser', secret: { secretName: 'postgres-superuser', items: [{ key: 'password', path: 'password' }], defaultMode: 0o440, optional: true } });
  expect(get(objects, 'ConfigMap', 'postgres').data).toEqual({ 'postgres-ready.sh': POSTGRES_READY_SH });
});

test('its Service governs the StatefulSet', () => {
  const { postgres, objects } = synth();
  expect(get(objects, 'StatefulSet', 'postgres').spec.serviceName).toBe('postgres');
  expect(postgres.headlessService).toBe(postgres.service);
});

// with OrderedReady the pod with the broken image would be waited for, and not replaced
test('a broken image heals when it is corrected', () => {
  expect(get(synth().objects, 'StatefulSet', 'postgres').spec).toMatchObject({ podManagementPolicy: 'Parallel', replicas: 1 });
});

test('it takes the connections that are asked for', () => {
  expect(synth().server.args).toEqual(['--max_connections=100', ...KEEPALIVES]);
  const { postgres, server } = synth({ maxConnections: 500 });
  expect([postgres.maxConnections, server.args]).toEqual([500, ['--max_connections=500', ...KEEPALIVES]]);
  const chart = Testing.chart();
  new Postgres(chart, 'Postgres', { maxConnections: 0 });
  expect(faults(chart)).toEqual([expect.stringMatching(/maxConnections: got 0\. Rule: the number of connections is a whole number of 1 or more/)]);
});

test('the Service is headless', () => {
  expect(get(synth().objects, 'Service', 'postgres').spec).toMatchObject({
    clusterIP: 'None',
    ports: [{ name: 'postgresql', port: 5432, targetPort: 'postgresql' }],
  });
});

test('the Job makes the database', () => {
  const { objects, tool } = synth();
  expect(get(objects, 'ConfigMap', 'postgres-bootstrap').data['make-database.sh']).toBe(MAKE_DATABASE_SH);
  expect(tool.image).toBe(Images.POSTGRES);
  expect(tool.command).toEqual(['/bin/bash', '/scripts/make-database.sh']);
  expect(tool.env).toEqual([
    { name: 'CREDENTIALS_DIR', value: '/credentials' },
    { name: 'PGHOST', value: 'postgres' },
    { name: 'PGPORT', value: '5432' },
    { name: 'DATABASE', value: 'mlflow' },
    { name: 'ADMIN_SECRET_NAME', value: 'postgres-superuser' },
    { name: 'USER_SECRET_NAME', value: 'postgres-user' },
  ]);
});

test('the generated users are the superuser and the owner of the database', () => {
  const { postgres } = synth();
  expect([postgres.superuserCredentials.generatedUsername, postgres.credentials.generatedUsername]).toEqual(['postgres', 'mlflow']);
});

test('the name stands in the names of all objects', () => {
  const names = synth({ name: 'database' }).objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, '-*')}`);
  expect(names).toEqual([
    'Secret database-superuser',
    'Secret database-user',
    'Service database',
    'ConfigMap database',
    'StatefulSet database',
    'ServiceAccount database-bootstrap',
    'Role database-bootstrap',
    'RoleBinding database-bootstrap',
    'ConfigMap database-bootstrap',
    'Job database-bootstrap-*',
    'NetworkPolicy database-bootstrap',
    'NetworkPolicy database',
    'ConfigMap database-fill-secrets',
  ]);
});

test('another database is made by the Job and named in the URI', () => {
  const { postgres, tool } = synth({ database: 'team_a' });
  expect(tool.env).toContainEqual({ name: 'DATABASE', value: 'team_a' });
  expect(postgres.uri).toBe(`postgresql+psycopg2://postgres.mlflow.svc.cluster.local:5432/team_a${PATIENCE}`);
});

test('another image runs the server and its client, and is the version of the server', () => {
  const { objects, server, tool } = synth({ image: 'registry.example.com/postgres:18' });
  expect([server.image, tool.image]).toEqual(['registry.example.com/postgres:18', 'registry.example.com/postgres:18']);
  expect(get(objects, 'StatefulSet', 'postgres').metadata.labels['app.kubernetes.io/version']).toBe('18');
});

test('the superuser is known to the server and to the Job only', () => {
  const chart = Testing.chart();
  const superuserCredentials = Credentials.fromSecretName(chart, 'Superuser', 'my-superuser', { usernameKey: 'id', passwordKey: 'key' });
  const postgres = new Postgres(chart, 'Postgres', { superuserCredentials });
  const objects = Testing.synth(chart);
  const [server] = containers(get(objects, 'StatefulSet', 'postgres'));
  expect(server.env.slice(0, 2)).toEqual([
    { name: 'POSTGRES_USER', valueFrom: { secretKeyRef: { name: 'my-superuser', key: 'id' } } },
    { name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name: 'my-superuser', key: 'key' } } },
  ]);
  expect(JSON.stringify(postgres.environment)).not.toContain('my-superuser');
  expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).toEqual(['postgres-user']);
});

test('the namespace is that of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new Postgres(chart, 'Postgres').host).toBe('postgres.from-chart.svc.cluster.local');
});

describe('the name of the database', () => {
  test.each<[unknown, string]>([
    ['', '""'],
    ['MLflow', '"MLflow"'],
    ['ml-flow', '"ml-flow"'],
    ['ml flow', '"ml flow"'],
    ['1mlflow', '"1mlflow"'],
    ['mlflow?sslmode=disable', '"mlflow?sslmode=disable"'],
    ['übung', '"übung"'],
    ['mlflow\n', '"mlflow\\n"'],
    ['a'.repeat(64), `"${'a'.repeat(64)}"`],
    ['postgres', '"postgres"'],
  ])('cannot be %j', (database, got) => {
    const chart = Testing.chart();
    new Postgres(chart, 'Postgres', { database: database as string });
    expect(faults(chart)).toEqual([
      `[test/Postgres] database: got ${got}. Rule: a database name has lower-case letters, digits and "_", no digit first, at most 63 characters, ` +
        'and is none of the server\'s own (postgres, template0, template1) (https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS). ' +
        'Fix: pass a name such as "mlflow".',
    ]);
  });

  // the server makes them itself, so the Job would not, and the user would not be the owner
  test.each(['template0', 'template1'])('cannot be %s', (database) => {
    const chart = Testing.chart();
    new Postgres(chart, 'Postgres', { database });
    expect(faults(chart)).toEqual([expect.stringMatching(`^\\[test/Postgres\\] database: got "${database}"\\. Rule: .+\\. Fix: .+\\.$`)]);
  });

  test.each(['a', '_', 'mlflow', 'team_a_2', 'a'.repeat(63)])('can be %s', (database) => {
    const chart = Testing.chart();
    new Postgres(chart, 'Postgres', { database });
    expect(faults(chart)).toEqual([]);
  });
});

test.each<[keyof PostgresProps, unknown, string]>([
  ['name', 'Postgres', '"Postgres"'],
  ['name', 'a'.repeat(43), `"${'a'.repeat(43)}"`],
  ['image', 'postgres', '"postgres"'],
  ['storageSize', 10, '10'],
])('%s cannot be %j', (prop, value, got) => {
  const chart = Testing.chart();
  new Postgres(chart, 'Postgres', { [prop]: value });
  expect(faults(chart)).toContainEqual(expect.stringMatching(`^\\[test/Postgres\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`));
});

test('superuser credentials of another namespace are a fault', () => {
  const chart = Testing.chart();
  new Postgres(chart, 'Postgres', { superuserCredentials: new Credentials(chart, 'Superuser', { secretName: 'super', namespace: 'other' }) });
  expect(faults(chart)).toEqual([
    '[test/Postgres] superuserCredentials: got "Secret \\"super\\" in namespace \\"other\\"". Rule: a pod reads Secrets of its own namespace only, ' +
      'here "mlflow" (https://kubernetes.io/docs/concepts/configuration/secret/). Fix: pass credentials with namespace "mlflow".',
  ]);
});
