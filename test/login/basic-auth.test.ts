import { Chart, Testing } from 'cdk8s';
import { Credentials, DefaultPermission, ExternalDatabase, Images } from '../../lib';
import { mlflow, server, synth, told, valueOf, wrong } from '../tracking-server/server';
import { containers, get, ofKind } from '../helpers';

const ini = (props: object): string => get(synth(props), 'ConfigMap', 'mlflow-login').data['basic_auth.ini'];
const filled = (props: object) => JSON.parse(valueOf(containers(get(synth(props), 'Job', 'mlflow-login-bootstrap'))[0], 'SECRETS')!) as [{ secretName: string; values: object }];
const fromSecret = (name: string, key: string, secret = 'mlflow-login') => ({ name, valueFrom: { secretKeyRef: { name: secret, key } } });

test('there is none unless it is asked for', () => {
  const objects = synth();
  expect(JSON.stringify(ofKind(objects, 'Deployment'))).not.toMatch(/basic-auth|MLFLOW_AUTH|login/);
  expect(ofKind(objects, 'Secret')).toEqual([]);
  const { loginConfig, loginSecret, loginBootstrapJob } = server();
  expect([loginConfig, loginSecret, loginBootstrapJob]).toEqual([undefined, undefined, undefined]);
});

describe('with nothing said', () => {
  const objects = synth({ basicAuth: {} });
  const { spec } = get(objects, 'Deployment', 'mlflow');
  const [container] = containers(get(objects, 'Deployment', 'mlflow'));

  test('the server runs MLflow\'s app with login, with its configuration mounted', () => {
    expect(container.args).toContain('--app-name=basic-auth');
    expect(valueOf(container, 'MLFLOW_AUTH_CONFIG_PATH')).toBe('/etc/mlflow/login/basic_auth.ini');
    expect(container.volumeMounts).toContainEqual({ name: 'login', mountPath: '/etc/mlflow/login', readOnly: true });
    expect(spec.template.spec.volumes).toContainEqual({ name: 'login', configMap: { name: 'mlflow-login' } });
  });

  test('its users are in the database of the runs, without credentials in the file', () => {
    expect(ini({ basicAuth: {} })).toBe('[mlflow]\ndefault_permission = READ\ndatabase_uri = postgresql://db.example.com/runs\n');
  });

  test('administrator and key come from the Secret', () => {
    expect(container.env).toEqual(
      expect.arrayContaining([
        fromSecret('MLFLOW_AUTH_ADMIN_USERNAME', 'username'),
        fromSecret('MLFLOW_AUTH_ADMIN_PASSWORD', 'password'),
        fromSecret('MLFLOW_FLASK_SERVER_SECRET_KEY', 'secret-key'),
      ]),
    );
    expect(JSON.parse(valueOf(container, 'STARTUP_SOURCES')!)).toMatchObject({ MLFLOW_AUTH_ADMIN_PASSWORD: 'key password of Secret mlflow-login' });
  });

  test('the Secret is declared without a value, and a Job makes them up', () => {
    expect(get(objects, 'Secret', 'mlflow-login')).not.toHaveProperty('data');
    expect(get(objects, 'Secret', 'mlflow-login')).not.toHaveProperty('stringData');
    expect(filled({ basicAuth: {} })).toEqual([{ secretName: 'mlflow-login', values: { username: { text: 'admin' }, password: { length: 32 }, 'secret-key': { length: 64 } } }]);
    expect(get(objects, 'Role', 'mlflow-login-bootstrap').rules).toEqual([{ apiGroups: [''], resources: ['secrets'], resourceNames: ['mlflow-login'], verbs: ['get', 'patch'] }]);
    expect(containers(get(objects, 'Job', 'mlflow-login-bootstrap'))[0].image).toBe(Images.MLFLOW);
  });

  test('the Job is no part of the server that Services or policies of it select', () => {
    const { labels } = get(objects, 'Job', 'mlflow-login-bootstrap').spec.template.metadata;
    expect(labels['app.kubernetes.io/component']).toBe('login-bootstrap');
  });

  test('the monitor of the stores has nothing of it', () => {
    expect(JSON.stringify(containers(get(objects, 'Deployment', 'mlflow-monitor'))[0].env.filter(({ name }: { name: string }) => name !== 'STARTUP_SOURCES'))).not.toMatch(/AUTH|FLASK|login/);
  });

  test('all of it is handed out', () => {
    const found = server({ basicAuth: {} });
    const objectsOf = [found.loginConfig, found.loginSecret, found.loginBootstrapJob, found.loginBootstrapRole, found.loginBootstrapRoleBinding, found.loginBootstrapServiceAccount, found.loginBootstrapScripts, found.loginBootstrapNetworkPolicy];
    expect(objectsOf.map((object) => object?.kind)).toEqual(['ConfigMap', 'Secret', 'Job', 'Role', 'RoleBinding', 'ServiceAccount', 'ConfigMap', 'NetworkPolicy']);
  });
});

test.each(Object.values(DefaultPermission))('defaultPermission %s is in the configuration, whose change replaces the pods', (defaultPermission) => {
  expect(ini({ basicAuth: { defaultPermission } })).toContain(`default_permission = ${defaultPermission}\n`);
  const checksum = (basicAuth: object) => get(synth({ basicAuth }), 'Deployment', 'mlflow').spec.template.metadata.annotations['checksum/login'];
  expect(checksum({ defaultPermission })).toMatch(/^[0-9a-f]{10}$/);
  expect(checksum({ defaultPermission }) === checksum({})).toBe(defaultPermission === DefaultPermission.READ);
});

test('a percent sign in the URI is one in the file, in which it has a meaning', () => {
  expect(ini({ basicAuth: {}, backendStore: { uri: 'postgresql://db/runs?options=-c%20a', environment: [] } })).toContain('database_uri = postgresql://db/runs?options=-c%%20a\n');
});

test('adminUsername', () => {
  expect(filled({ basicAuth: { adminUsername: 'root@example.com' } })[0].values).toMatchObject({ username: { text: 'root@example.com' } });
});

describe('a Secret of somebody else', () => {
  const props = { basicAuth: { secretName: 'people' } };
  const objects = synth(props);

  test('is used, and nothing is made for it', () => {
    expect(mlflow(props).env).toContainEqual(fromSecret('MLFLOW_AUTH_ADMIN_PASSWORD', 'password', 'people'));
    for (const kind of ['Secret', 'Job', 'Role', 'ServiceAccount']) expect(ofKind(objects, kind)).toEqual([]);
    expect(server(props).loginSecret).toBeUndefined();
  });

  test('has the name of the administrator already', () => {
    expect(wrong({ basicAuth: { secretName: 'people', adminUsername: 'root' } })).toEqual([
      told('basicAuth.adminUsername', '"root"', 'the Secret of basicAuth.secretName = "people" has the name already', 'leave basicAuth.adminUsername out, or basicAuth.secretName'),
    ]);
  });
});

describe('what goes on working with login', () => {
  test('the garbage collection logs in', () => {
    const job = { spec: get(synth({ basicAuth: {}, garbageCollection: {} }), 'CronJob', 'mlflow-gc').spec.jobTemplate.spec };
    expect(containers(job)[0].env).toEqual(expect.arrayContaining([fromSecret('MLFLOW_TRACKING_USERNAME', 'username'), fromSecret('MLFLOW_TRACKING_PASSWORD', 'password')]));
    expect(containers(job)[0].env.map(({ name }: { name: string }) => name)).not.toContain('MLFLOW_FLASK_SERVER_SECRET_KEY');
  });

  test('Prometheus logs in', () => {
    const monitor = ofKind(synth({ basicAuth: { secretName: 'people' }, metrics: {} }), 'ServiceMonitor').find(({ metadata }) => metadata.name === 'mlflow');
    expect(monitor?.spec.endpoints[0].basicAuth).toEqual({ username: { name: 'people', key: 'username' }, password: { name: 'people', key: 'password' } });
  });
});

describe('contradictions', () => {
  const oidc = (chart: Chart) => ({ issuerUrl: 'https://login.example.com', clientCredentials: Credentials.fromSecretName(chart, 'Client', 'client') });

  test('oidc as well', () => {
    const chart = Testing.chart();
    server({ basicAuth: {}, oidc: oidc(chart), ingress: { hosts: ['a.example.com'] } }, chart);
    expect(() => Testing.synth(chart)).toThrow(/\[test\/TrackingServer\] basicAuth: got an object with nothing in it\. Rule: oidc is given as well, .+\. Fix: leave basicAuth or oidc out\./);
  });

  test('a database whose URI stands in a Secret', () => {
    const chart = Testing.chart();
    server({ basicAuth: {}, backendStore: new ExternalDatabase(chart, 'Database', { uri: { secretName: 'db', key: 'uri' }, port: 3306 } as never) }, chart);
    expect(() => Testing.synth(chart)).toThrow(/basicAuth: got an object with nothing in it\. Rule: MLflow reads the database of its users from a file/);
  });

  test('a managed flag', () => {
    expect(wrong({ basicAuth: {}, extraArgs: ['--app-name=basic-auth'] })).toEqual([told('extraArgs[0]', '"--app-name=basic-auth"', '--app-name is a managed flag, set by the prop basicAuth', 'use the prop basicAuth')]);
  });
});

test.each<[object, string, string, string, string]>([
  [{ defaultPermission: 'ADMIN' }, 'defaultPermission', '"ADMIN"', 'the permission is one of READ, USE, EDIT, MANAGE, NO_PERMISSIONS', ''],
  [{ adminUsername: 'a b' }, 'adminUsername', '"a b"', 'no white space and no colon', 'admin'],
  [{ adminUsername: 'a:b' }, 'adminUsername', '"a:b"', 'no white space and no colon', 'admin'],
  [{ adminUsername: '' }, 'adminUsername', '""', 'no white space and no colon', 'admin'],
  [{ adminUsername: 5 }, 'adminUsername', '5', 'no white space and no colon', 'admin'],
  [{ secretName: 'My Secret' }, 'secretName', '"My Secret"', 'RFC 1123 subdomain', 'my-secret'],
  [{ password: 's3cr3t' }, 'password', 'a string', 'there is no prop of this name', 'leave it out'],
])('%j is refused', (basicAuth, prop, got, rule, fix) => {
  expect(wrong({ basicAuth })).toEqual([told(`basicAuth.${prop}`, got, rule, fix)]);
});

test('the longest name makes names within 63 characters, and one more is refused', () => {
  const longest = (props: object) => Math.max(...synth(props).map(({ metadata }) => metadata.name.length));
  expect(longest({ name: 'a'.repeat(36), basicAuth: {} })).toBe(63);
  expect(wrong({ name: 'a'.repeat(37), basicAuth: {} })).toEqual([told('name', `"${'a'.repeat(37)}"`, 'at most 36 characters', '')]);
  expect(longest({ name: 'a'.repeat(48), basicAuth: { secretName: 'people' } })).toBe(63);
});
