import { Chart, Duration, Testing } from 'cdk8s';
import { BasicAuth, Credentials, DefaultPermission, ExternalDatabase, GarbageCollection, Images, Login, Metrics, MlflowStack, Oauth2Proxy, ServerHttpRoute, ServerIngress, TrackingServer } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, containers, faults, get, ofKind } from '../helpers';
import { server, synth, told, valueOf, wrong } from '../tracking-server/server';

const addOn = new AddOn(BasicAuth, 'Login');
const ini = (options: object, props: object = {}): string => get(addOn.synth(options, props), 'ConfigMap', 'mlflow-login').data['basic_auth.ini'];
const secrets = (objects: Manifests) => JSON.parse(valueOf(containers(get(objects, 'Job', 'mlflow-secrets'))[0], 'SECRETS')!) as { secretName: string; values: { [key: string]: object } }[];
/** What is made up for the login. */
const filled = (options: object) => secrets(addOn.synth(options)).filter(({ secretName }) => secretName === 'mlflow-login');
const fromSecret = (name: string, key: string, secret = 'mlflow-login') => ({ name, valueFrom: { secretKeyRef: { name: secret, key } } });

test('there is none unless it is asked for', () => {
  const objects = synth();
  expect(JSON.stringify(ofKind(objects, 'Deployment'))).not.toMatch(/basic-auth|MLFLOW_AUTH|login/);
  expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).toEqual(['mlflow-server-secrets']);
  expect(new MlflowStack(Testing.chart(), 'Stack').login).toBeUndefined();
});

describe('with nothing said', () => {
  const objects = addOn.synth();
  const { spec } = get(objects, 'Deployment', 'mlflow');
  const [container] = containers(get(objects, 'Deployment', 'mlflow'));

  test('the server runs MLflow\'s app with login, with its configuration mounted', () => {
    expect(container.args).toContain('--app-name=basic-auth');
    expect(valueOf(container, 'MLFLOW_AUTH_CONFIG_PATH')).toBe('/etc/mlflow/login/basic_auth.ini');
    expect(container.volumeMounts).toContainEqual({ name: 'login', mountPath: '/etc/mlflow/login' });
    expect(spec.template.spec.volumes).toContainEqual({ name: 'login', configMap: { name: 'mlflow-login' } });
  });

  test('its users are in the database of the runs, without credentials in the file', () => {
    expect(ini({})).toBe('[mlflow]\ndefault_permission = READ\ndatabase_uri = postgresql://db.example.com/runs\nauth_cache_ttl_seconds = 60\n');
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
    expect(filled({})).toEqual([{ secretName: 'mlflow-login', values: { username: { text: 'admin' }, password: { length: 32 }, 'secret-key': { length: 64 } } }]);
    expect(get(objects, 'Role', 'mlflow-secrets').rules).toEqual([{ apiGroups: [''], resources: ['secrets'], resourceNames: ['mlflow-server-secrets', 'mlflow-login'], verbs: ['get', 'patch'] }]);
    expect(containers(get(objects, 'Job', 'mlflow-secrets'))[0].image).toBe(Images.MLFLOW);
    // one Job is enough for all Secrets of the server
    expect(ofKind(objects, 'Job')).toHaveLength(1);
  });

  test('the Job is no part of the server that Services or policies of it select', () => {
    const { labels } = get(objects, 'Job', 'mlflow-secrets').spec.template.metadata;
    expect(labels['app.kubernetes.io/component']).toBe('secrets-bootstrap');
  });

  test('the monitor of the stores has nothing of it', () => {
    expect(JSON.stringify(containers(get(objects, 'Deployment', 'mlflow-monitor'))[0].env.filter(({ name }: { name: string }) => name !== 'STARTUP_SOURCES'))).not.toMatch(/AUTH|FLASK|login/);
  });

  test('all of it is handed out', () => {
    const { made } = addOn.add();
    expect([made.configMap, made.secret].map((object) => object?.kind)).toEqual(['ConfigMap', 'Secret']);
    expect(made.node.defaultChild).toBe(made.configMap);
    expect(made.credentials).toEqual({ secretName: 'mlflow-login', namespace: 'mlflow', usernameKey: 'username', passwordKey: 'password', generated: true });
  });
});

test('Login.basicAuth makes it for a stack, whose routes lead to the server', () => {
  const chart = Testing.chart();
  const stack = new MlflowStack(chart, 'Stack', { login: Login.basicAuth({ adminUsername: 'root' }), ingress: { hosts: ['mlflow.example.com'] } });
  expect(stack.login).toBeInstanceOf(BasicAuth);
  const objects = Testing.synth(chart);
  expect(containers(get(objects, 'Deployment', 'mlflow'))[0].args).toContain('--app-name=basic-auth');
  expect(secrets(objects)[1].values.username).toEqual({ text: 'root' });
  expect(get(objects, 'Ingress', 'mlflow').spec.rules[0].http.paths[0].backend.service.name).toBe('mlflow-service');
});

test.each(Object.values(DefaultPermission))('defaultPermission %s is in the configuration, whose change replaces the pods', (defaultPermission) => {
  expect(ini({ defaultPermission })).toContain(`default_permission = ${defaultPermission}\n`);
  const checksum = (basicAuth: object) => get(addOn.synth(basicAuth), 'Deployment', 'mlflow').spec.template.metadata.annotations['checksum/login'];
  expect(checksum({ defaultPermission })).toMatch(/^[0-9a-f]{10}$/);
  expect(checksum({ defaultPermission }) === checksum({})).toBe(defaultPermission === DefaultPermission.READ);
});

test('a percent sign in the URI is one in the file, in which it has a meaning', () => {
  expect(ini({}, { backendStore: { uri: 'postgresql://db/runs?options=-c%20a', environment: [] } })).toContain('database_uri = postgresql://db/runs?options=-c%%20a\n');
});

test('adminUsername', () => {
  expect(filled({ adminUsername: 'root@example.com' })[0].values).toMatchObject({ username: { text: 'root@example.com' } });
});

describe('a Secret of somebody else', () => {
  const options = { secretName: 'people' };
  const objects = addOn.synth(options);

  test('is used, and nothing is made for it', () => {
    expect(containers(get(objects, 'Deployment', 'mlflow'))[0].env).toContainEqual(fromSecret('MLFLOW_AUTH_ADMIN_PASSWORD', 'password', 'people'));
    expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).toEqual(['mlflow-server-secrets']);
    expect(secrets(objects).map(({ secretName }) => secretName)).toEqual(['mlflow-server-secrets']);
    expect(addOn.add(options).made.secret).toBeUndefined();
  });

  test('has the name of the administrator already', () => {
    expect(addOn.wrong({ secretName: 'people', adminUsername: 'root' })).toEqual([
      told('adminUsername', '"root"', 'the Secret of secretName = "people" has the name already', 'leave adminUsername out, or secretName', 'Login'),
    ]);
  });
});

describe('what goes on working with login, whichever was made first', () => {
  type Make = (chart: Chart, server: TrackingServer) => unknown;
  const login: Make = (chart, tracking) => new BasicAuth(chart, 'Login', { server: tracking, secretName: 'people' });
  const beside = (other: Make): [string, Manifests][] =>
    [
      [login, other],
      [other, login],
    ].map((makers, index) => {
      const chart = Testing.chart();
      const tracking = server({}, chart);
      for (const make of makers) make(chart, tracking);
      return [index === 0 ? 'before' : 'behind', Testing.synth(chart)];
    });

  test.each(beside((chart, tracking) => new GarbageCollection(chart, 'GarbageCollection', { server: tracking })))('the garbage collection logs in, with the login %s it', (_, objects) => {
    const job = { spec: get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec };
    expect(containers(job)[0].env).toEqual(
      expect.arrayContaining([fromSecret('MLFLOW_TRACKING_USERNAME', 'username', 'people'), fromSecret('MLFLOW_TRACKING_PASSWORD', 'password', 'people')]),
    );
    expect(containers(job)[0].env.map(({ name }: { name: string }) => name)).not.toContain('MLFLOW_FLASK_SERVER_SECRET_KEY');
    // so that it can say which key of which Secret is wrong
    expect(JSON.parse(valueOf(containers(job)[0], 'STARTUP_SOURCES')!)).toMatchObject({ MLFLOW_AUTH_ADMIN_PASSWORD: 'key password of Secret people' });
  });

  test.each(beside((chart, tracking) => new Metrics(chart, 'Metrics', { server: tracking })))('Prometheus has a token, with the login %s it', (_, objects) => {
    const monitor = get(ofKind(objects, 'ServiceMonitor'), 'ServiceMonitor', 'mlflow');
    expect(monitor.spec.endpoints[0].authorization).toEqual({ type: 'Bearer', credentials: { name: 'mlflow-metrics', key: 'token' } });
  });
});

describe('contradictions', () => {
  const proxy = (chart: Chart, tracking: TrackingServer) =>
    new Oauth2Proxy(chart, 'Proxy', {
      server: tracking,
      issuerUrl: 'https://login.example.com',
      externalUrl: 'https://mlflow.example.com',
      clientCredentials: Credentials.fromSecretName(chart, 'Client', 'client'),
    });
  const second = (other: string, path: string) =>
    told('addLogin', '"login"', `a server has one login: clients would have to pass both of them, and send one header for it, and [test/${other}] has this one`, `leave it to [test/${other}]`, path);

  test('two kinds of login for one server: the second is at fault, which names both', () => {
    const { chart, server: tracking } = addOn.add();
    proxy(chart, tracking);
    expect(faults(chart)).toEqual([second('Login', 'Proxy')]);

    const other = Testing.chart();
    const behind = server({}, other);
    proxy(other, behind);
    addOn.to(other, behind);
    expect(faults(other)).toEqual([second('Proxy', 'Login')]);
  });

  test('the same login twice', () => {
    const { chart, server: tracking } = addOn.add({ secretName: 'people' });
    addOn.to(chart, tracking, { secretName: 'others' }, 'Second');
    expect(faults(chart)).toEqual([
      told('server', 'ConfigMap "mlflow-login" in namespace "mlflow", which [test/Login/ConfigMap] makes already', 'each kind has a name once', 'make one login for each tracking server', 'Second'),
      second('Login', 'Second'),
    ]);
  });

  test('a database whose URI stands in a Secret', () => {
    const chart = Testing.chart();
    addOn.to(chart, server({ backendStore: new ExternalDatabase(chart, 'Database', { secretName: 'db', port: 3306 }) }, chart));
    expect(faults(chart)).toEqual([told('server', '"a server whose backendStore has its URI in a Secret"', 'MLflow reads the database of its users from a file', 'or use Oauth2Proxy', 'Login')]);
  });

  test('a managed flag, and a managed variable', () => {
    expect(addOn.wrong({}, { extraArgs: ['--app-name=mine'], extraEnv: [{ name: 'MLFLOW_AUTH_CONFIG_PATH', value: '/a' }] })).toEqual([
      told('addFlag', '"--app-name"', 'the prop extraArgs sets this one', 'leave it to the prop extraArgs, or leave that one out', 'Login'),
      told('addVariable', '"MLFLOW_AUTH_CONFIG_PATH"', 'the prop extraEnv sets this one', 'leave it to the prop extraEnv, or leave that one out', 'Login'),
    ]);
  });
});

describe('a prefix at whose paths MLflow asks for no login', () => {
  test.each(['/static', '/statics', '/health', '/healthcare', '/health/ml', '/favicon.ico', '/favicon.ico2/ml'])('%s is refused', (staticPrefix) => {
    expect(addOn.wrong({}, { settings: { staticPrefix } })).toEqual([told('server', `"a server with settings.staticPrefix = \\"${staticPrefix}\\""`, 'anybody could make themselves administrator', 'such as "/mlflow"', 'Login')]);
    expect(wrong({ settings: { staticPrefix } })).toEqual([]);
  });

  test.each(['/mlflow', '/ml/static', '/ml/health', '/heal', '/version', '/api', '/metrics'])('%s is none', (staticPrefix) => {
    expect(addOn.wrong({}, { settings: { staticPrefix } })).toEqual([]);
  });
});

describe('passwords without TLS are warned of', () => {
  const warnings = (make: (chart: Chart, tracking: TrackingServer) => unknown, props: object = {}) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const chart = Testing.chart();
    make(chart, server(props, chart));
    Testing.synth(chart);
    const said = warn.mock.calls.map(([line]) => String(line));
    warn.mockRestore();
    return said;
  };
  const login = (chart: Chart, tracking: TrackingServer) => new BasicAuth(chart, 'Login', { server: tracking });
  const tls = { secretName: 'tls' };

  test.each<[string, (chart: Chart, target: TrackingServer, given?: object) => unknown]>([
    ['Ingress', (chart, target, given) => new ServerIngress(chart, 'Route', { target, hosts: ['mlflow.example.com'], ...given })],
    ['HTTPRoute', (chart, target, given) => new ServerHttpRoute(chart, 'Route', { target, hosts: ['mlflow.example.com'], gatewayName: 'public', ...given })],
  ])('at an %s, whichever was made first', (_, route) => {
    const warned = [expect.stringMatching(/^WARNING: \[test\/Route\] there is no tls, and the server has a login: .* Pass tls/)];
    expect(warnings((chart, it) => (login(chart, it), route(chart, it)))).toEqual(warned);
    expect(warnings((chart, it) => (route(chart, it), login(chart, it)))).toEqual(warned);
    expect(warnings((chart, it) => (login(chart, it), route(chart, it, { tls })))).toEqual([]);
    expect(warnings((chart, it) => route(chart, it))).toEqual([]);
  });

  test('at a Service that leads in from outside', () => {
    expect(warnings(login, { service: { type: 'LoadBalancer' } })).toEqual([expect.stringMatching(/^WARNING: \[test\/Login\] the Service of \[test\/TrackingServer\] has service\.type = "LoadBalancer" and no TLS/)]);
    expect(warnings(login, { service: { type: 'ClusterIP' } })).toEqual([]);
    expect(warnings(() => undefined, { service: { type: 'LoadBalancer' } })).toEqual([]);
  });
});

test('without the guard, which takes off what MLflow cannot look for in its memory, there is none', () => {
  const passwordsOnly = (props: object) => valueOf(containers(get(addOn.synth({}, props), 'Deployment', 'mlflow'))[0], 'GUARD_PASSWORDS_ONLY');
  expect([passwordsOnly({}), passwordsOnly({ guard: { enabled: false } })]).toEqual(['true', undefined]);
  expect(ini({}, { guard: { enabled: false } })).toContain('auth_cache_ttl_seconds = 0\n');
  expect(ini({ authCacheTtl: Duration.seconds(30) }, { guard: { enabled: false } })).toContain('auth_cache_ttl_seconds = 30\n');
});

test.each<[Duration, number]>([
  [Duration.minutes(5), 300],
  [Duration.seconds(0), 0],
])('the server remembers a password for %j', (authCacheTtl, seconds) => {
  expect(ini({ authCacheTtl })).toContain(`auth_cache_ttl_seconds = ${seconds}\n`);
});

test.each<[object, string, string, string, string]>([
  [{ defaultPermission: 'ADMIN' }, 'defaultPermission', '"ADMIN"', 'the permission is one of READ, USE, EDIT, MANAGE, NO_PERMISSIONS', ''],
  [{ adminUsername: 'a b' }, 'adminUsername', '"a b"', 'no white space and no colon', 'admin'],
  [{ adminUsername: 'a:b' }, 'adminUsername', '"a:b"', 'no white space and no colon', 'admin'],
  [{ adminUsername: '' }, 'adminUsername', '""', 'no white space and no colon', 'admin'],
  [{ adminUsername: 5 }, 'adminUsername', '5', 'no white space and no colon', 'admin'],
  [{ secretName: 'My Secret' }, 'secretName', '"My Secret"', 'RFC 1123 subdomain', 'my-secret'],
  [{ authCacheTtl: Duration.millis(500) }, 'authCacheTtl', '"0.5 s"', 'a time span is a cdk8s Duration of whole seconds, 0 or more', 'Duration.minutes(5)'],
  [{ authCacheTtl: 60 }, 'authCacheTtl', '60', 'a time span is a cdk8s Duration', 'Duration.minutes(5)'],
  [{ password: 's3cr3t' }, 'password', 'a string', 'there is no prop of this name', 'leave it out'],
])('%j is refused', (basicAuth, prop, got, rule, fix) => {
  expect(addOn.wrong(basicAuth)).toEqual([told(prop, got, rule, fix, 'Login')]);
});

test('the longest name makes names within 63 characters, and one more is refused', () => {
  const longest = (props: object, options: object = {}) => Math.max(...addOn.synth(options, props).map(({ metadata }) => metadata.name.length));
  expect(longest({ name: 'a'.repeat(44) })).toBe(63);
  expect(addOn.wrong({}, { name: 'a'.repeat(45) })).toEqual([told('name', `"${'a'.repeat(45)}"`, 'at most 44 characters', '')]);
});

test.each([undefined, {}, { server: 'mlflow' }])('%j has no server, without which nothing can be made', (props) => {
  expect(() => new BasicAuth(Testing.chart(), 'Login', props as never)).toThrow(/^\[test\/Login\] server: got (undefined|a string)\. Rule: an add-on is for one tracking server\. Fix: pass a TrackingServer/);
});
