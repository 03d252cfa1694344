import { ArtifactTransfer, BasicAuth, GarbageCollection, Metrics } from '../../lib';
import { AddOns, mlflow, namesOf, synth, told, wrong } from './server';
import { containers, get } from '../helpers';

const UVICORN_ONLY = 'with --allowed-hosts MLflow runs on uvicorn only, and stops at options of another server';
const at = (message: string) => `[test/TrackingServer] ${message}`;

describe('extraArgs', () => {
  const managed = (index: number, arg: string, flag: string, owner: string, fix: string) =>
    at(`extraArgs[${index}]: got "${arg}". Rule: ${flag} is a managed flag, set by ${owner}. Fix: ${fix}.`);
  const byProp = (index: number, arg: string, flag: string, prop: string) => managed(index, arg, flag, `the prop ${prop}`, `leave it out and use the prop ${prop}`);
  const LISTENS = '(the container always listens on all its addresses)';
  const PROXIES = '(it keeps clients off the artifact store)';

  test.each([
    ['--host=127.0.0.1', '--host', LISTENS],
    ['--host', '--host', LISTENS],
    ['-h', '-h', LISTENS],
    ['-h127.0.0.1', '-h', LISTENS],
    ['-h=127.0.0.1', '-h', LISTENS],
    ['--default-artifact-root=s3://mine', '--default-artifact-root', PROXIES],
    ['--default-artifact-root', '--default-artifact-root', PROXIES],
    ['--serve-artifacts', '--serve-artifacts', PROXIES],
    ['--no-serve-artifacts', '--no-serve-artifacts', PROXIES],
  ])('%s is managed by nothing but the construct', (arg, flag, reason) => {
    expect(wrong({ extraArgs: [arg] })).toEqual([managed(0, arg, flag, `the construct itself ${reason}`, 'leave it out')]);
  });

  test.each([
    ['--port=5001', '--port', 'port'],
    ['--port 5001', '--port', 'port'],
    ['-p', '-p', 'port'],
    ['-p5001', '-p', 'port'],
    ['-p 5001', '-p', 'port'],
    ['-p=5001', '-p', 'port'],
    ['--backend-store-uri=sqlite:///mlflow.db', '--backend-store-uri', 'backendStore'],
    ['--artifacts-destination=s3://mine', '--artifacts-destination', 'artifactStore'],
    ['--allowed-hosts=a', '--allowed-hosts', 'settings.allowedHosts'],
    ['--workers=4', '--workers', 'workers'],
    ['-w', '-w', 'workers'],
    ['-w4', '-w', 'workers'],
  ])('%s is managed by a prop', (arg, flag, prop) => {
    expect(wrong({ extraArgs: [arg] })).toEqual([byProp(0, arg, flag, prop)]);
  });

  test('--backend-store-uri is managed where the URI stands in a Secret', () => {
    const variable = { name: 'MLFLOW_BACKEND_STORE_URI', valueFrom: { secretKeyRef: { name: 'db', key: 'uri' } } };
    const extraArgs = ['--backend-store-uri=sqlite:///mlflow.db'];
    expect(wrong({ backendStore: { environment: [variable] }, extraArgs })).toEqual([byProp(0, extraArgs[0], '--backend-store-uri', 'backendStore')]);
  });

  test.each(['--gunicorn-opts=--timeout 60', '--gunicorn-opts', '--waitress-opts=--threads=4'])('%s is refused, as MLflow refuses it beside --allowed-hosts', (arg) => {
    expect(wrong({ extraArgs: ['--secrets-cache-ttl=30', arg] })).toEqual([
      told('extraArgs[1]', JSON.stringify(arg), UVICORN_ONLY, 'leave it out; --uvicorn-opts takes options of the server'),
    ]);
  });

  test.each<[string, string, string]>([
    ['--disable-security-middleware', 'any web page', 'settings.corsAllowedOrigins'],
    ['--artifacts-only', 'no experiments, runs and models', 'leave it out'],
    ['--dev', 'developers of MLflow', 'LogLevel.DEBUG'],
    ['--read-replica-backend-store-uri=postgresql://replica/runs', 'the store knows', 'readReplica'],
    ['--app-name=basic-auth', 'an administrator and tables', 'Login.basicAuth()'],
  ])('%s is refused, with a reason', (arg, rule, fix) => {
    expect(wrong({ extraArgs: ['--enable-workspaces', arg] })).toEqual([told('extraArgs[1]', JSON.stringify(arg), rule, fix)]);
  });

  test('a login by hand is refused, however it is written', () => {
    expect(wrong({ extraArgs: ['--app-name', 'basic-auth'] })).toEqual([told('extraArgs[0]', '"--app-name"', 'an administrator and tables', 'Login.basicAuth()')]);
    expect(wrong({ extraArgs: ['--app-name', 'mine'] })).toEqual([]);
  });

  test.each<[string, string]>([
    ['MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE', 'any web page'],
    ['MLFLOW_ARTIFACTS_ONLY', 'no experiments, runs and models'],
    ['_MLFLOW_SERVER_ARTIFACTS_ONLY', 'MLflow sets it itself'],
    ['_MLFLOW_STATIC_PREFIX', 'MLflow sets it itself'],
    ['MLFLOW_BASIC_AUTH_FAIL_CLOSED', 'past their permissions'],
    ['MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH', 'past their permissions'],
    ['MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_ENV', 'its own variables and files'],
    ['MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_FILE', 'its own variables and files'],
    ['PREVIOUS_KEK_PASSPHRASE', 'the same in all processes'],
  ])('the variable %s is refused, with a reason', (name, rule) => {
    expect(wrong({ extraEnv: [{ name, value: 'true' }] })).toEqual([told('extraEnv[0]', JSON.stringify(name), rule, 'leave it out')]);
  });

  test('the variable of the same meaning is refused, too', () => {
    expect(wrong({ extraEnv: [{ name: 'MLFLOW_GUNICORN_OPTS', value: '--timeout 60' }] })).toEqual([
      told('extraEnv[0]', '"MLFLOW_GUNICORN_OPTS"', UVICORN_ONLY, 'leave it out; MLFLOW_UVICORN_OPTS takes options of the server'),
    ]);
  });

  test('a flag of the user may stand there several times', () => {
    const extraArgs = ['--uvicorn-opts=--a', '--secrets-cache-ttl=30', '--uvicorn-opts=--b'];
    expect(mlflow({ extraArgs }).args.slice(-3)).toEqual(extraArgs);
  });

  test('the value of a flag is not looked at, each flag is', () => {
    expect(wrong({ extraArgs: ['--secrets-cache-ttl=30', '--port', '5001', '--workers', '2'] })).toEqual([
      byProp(1, '--port', '--port', 'port'),
      byProp(3, '--workers', '--workers', 'workers'),
    ]);
  });

  test.each(['--secrets-cache-ttl=30', '--expose-prometheus=/tmp/metrics', '--hostname=x', '--port-range=1', '--workers-per-core=1', 'mlflow', '/tmp/-p', '--app-name=mine', '--enable-workspaces', '--secrets-cache-max-size=10'])(
    '%s is taken',
    (arg) => {
      expect(wrong({ extraArgs: [arg] })).toEqual([]);
    },
  );
});

describe('extraEnv', () => {
  const repeats = (index: number, name: string, owner: string, fix: string) =>
    at(
      `extraEnv[${index}]: got "${name}". Rule: an extra variable does not repeat a managed one, which ${owner} sets and of which Kubernetes would silently take the last. Fix: ${fix}.`,
    );
  const byProp = (name: string, prop: string) => repeats(0, name, `the prop ${prop}`, `leave it out and use the prop ${prop}`);
  const byItself = (index: number, name: string) => repeats(index, name, 'the construct itself', 'leave it out');
  const PLUGIN = '[test/TrackingServer/PluginFolder]';
  const GUARD = '[test/TrackingServer/Guard]';
  const encrypts = (name: string, fix: string) => told('extraEnv[0]', JSON.stringify(name), 'it has to be the same in all processes', fix);
  const OWNERS: { [name: string]: string } = {
    AWS_ACCESS_KEY_ID: byProp('AWS_ACCESS_KEY_ID', 'artifactStore'),
    MLFLOW_S3_ENDPOINT_URL: byProp('MLFLOW_S3_ENDPOINT_URL', 'artifactStore'),
    PGUSER: byProp('PGUSER', 'backendStore'),
    PGPASSWORD: byProp('PGPASSWORD', 'backendStore'),
    MLFLOW_WORKERS: byProp('MLFLOW_WORKERS', 'workers'),
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: byProp('MLFLOW_SERVER_ENABLE_JOB_EXECUTION', 'settings.jobExecution'),
    MLFLOW_DISABLE_TELEMETRY: byProp('MLFLOW_DISABLE_TELEMETRY', 'settings.telemetry'),
    MLFLOW_MODEL_CATALOG_URI: byProp('MLFLOW_MODEL_CATALOG_URI', 'settings.modelCatalogUri'),
    UVICORN_TIMEOUT_KEEP_ALIVE: byProp('UVICORN_TIMEOUT_KEEP_ALIVE', 'settings.keepAlive'),
    MLFLOW_SQLALCHEMYSTORE_POOL_SIZE: byProp('MLFLOW_SQLALCHEMYSTORE_POOL_SIZE', 'settings.connectionPool.size'),
    MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW: byProp('MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW', 'settings.connectionPool.maxOverflow'),
    ...Object.fromEntries(['PYTHONPATH', 'UVICORN_HTTP', 'APP_LAYERS'].map((name) => [name, repeats(0, name, PLUGIN, `leave it out, or leave ${PLUGIN} out`)])),
    UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN: byProp('UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN', 'pod.terminationGracePeriod'),
    HOME: byItself(0, 'HOME'),
    MALLOC_ARENA_MAX: byItself(0, 'MALLOC_ARENA_MAX'),
    PYTHONNOUSERSITE: byItself(0, 'PYTHONNOUSERSITE'),
    ...Object.fromEntries(
      ['GUARD_ASSISTANT', 'GUARD_MAX_BODY_BYTES', 'GUARD_OWN_PLACES', 'MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX'].map((name) => [name, repeats(0, name, GUARD, `leave it out, or leave ${GUARD} out`)]),
    ),
    MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: encrypts('MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'the prop secrets.secretName'),
    MLFLOW_CRYPTO_KEK_PASSPHRASE: encrypts('MLFLOW_CRYPTO_KEK_PASSPHRASE', 'the prop secrets.secretName'),
    MLFLOW_CRYPTO_KEK_VERSION: encrypts('MLFLOW_CRYPTO_KEK_VERSION', 'the prop secrets.kekVersion'),
  };

  test.each<string>(namesOf(mlflow().env))('%s is managed', (name) => {
    expect(wrong({ extraEnv: [{ name, value: 'mine' }] })).toEqual([name.startsWith('STARTUP_') ? byItself(0, name) : OWNERS[name]]);
  });

  test.each(['STARTUP_', 'STARTUP_MONITOR_PORT', 'STARTUP_UPGRADE_SCHEMA', 'STARTUP_USER_MAY_COME_LATE', 'STARTUP_ANYTHING'])(
    '%s is reserved for the script, even where it is not set',
    (name) => {
      expect(namesOf(mlflow().env)).not.toContain(name);
      expect(wrong({ extraEnv: [{ name, value: 'mine' }] })).toEqual([byItself(0, name)]);
    },
  );

  test.each([undefined, false, true])('preflight.upgradeSchema is the way to set its variable: %s', (upgradeSchema) => {
    expect(wrong({ preflight: { upgradeSchema }, extraEnv: [{ name: 'STARTUP_UPGRADE_SCHEMA', value: 'false' }] })).toEqual([byItself(0, 'STARTUP_UPGRADE_SCHEMA')]);
  });

  test.each<[string, string]>([
    ['MLFLOW_PORT', 'port'],
    ['MLFLOW_DEFAULT_ARTIFACT_ROOT', ''],
    ['MLFLOW_SERVER_ALLOWED_HOSTS', 'settings.allowedHosts'],
    ['MLFLOW_BACKEND_STORE_URI', 'backendStore'],
  ])('%s is managed as the flag of the same meaning', (name, prop) => {
    const [fault, ...others] = wrong({ extraEnv: [{ name, value: 'mine' }] });
    expect(others).toEqual([]);
    if (prop === '') expect(fault).toContain('which the construct itself (it keeps clients off the artifact store) sets');
    else expect(fault).toBe(byProp(name, prop));
  });

  test('each reserved variable is named, once for each time that it is there', () => {
    const extraEnv = ['STARTUP_A', 'A', 'STARTUP_A', 'STARTUP_B'].map((name) => ({ name, value: 'mine' }));
    expect(wrong({ extraEnv })).toEqual([byItself(0, 'STARTUP_A'), byItself(2, 'STARTUP_A'), byItself(3, 'STARTUP_B')]);
  });

  test.each(['STARTUP', 'STARTUPS', 'STARTUP-A', 'startup_a', 'MY_STARTUP_A', '_STARTUP_A', 'MONITOR_PORT'])('%s is free', (name) => {
    expect(wrong({ extraEnv: [{ name, value: 'mine' }] })).toEqual([]);
  });

  test('a variable that is named twice', () => {
    const extraEnv = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
      { name: 'A', value: '3' },
    ];
    expect(wrong({ extraEnv })).toEqual([at('extraEnv[2]: got "A". Rule: each variable is named once. Fix: leave one of the two out.')]);
  });

  test('a managed variable that is named twice', () => {
    const extraEnv = [
      { name: 'HOME', value: '/a' },
      { name: 'HOME', value: '/b' },
    ];
    expect(wrong({ extraEnv })).toEqual([byItself(0, 'HOME'), byItself(1, 'HOME')]);
  });

  test('PYTHONPATH is free where there is no plugin', () => {
    const extraEnv = [{ name: 'PYTHONPATH', value: '/mine' }];
    expect(wrong({ extraEnv, artifactTransfer: ArtifactTransfer.DIRECT, guard: { enabled: false } })).toEqual([]);
  });

  test.each<[unknown, string]>([
    ['', '""'],
    ['1A', '"1A"'],
    ['A B', '"A B"'],
    ['A=B', '"A=B"'],
    ['Ä', '"Ä"'],
    [undefined, 'undefined'],
    [7, '7'],
  ])('the name %j is refused', (name, got) => {
    expect(wrong({ extraEnv: [{ name: name as string, value: '1' }] })).toEqual([
      at(
        `extraEnv[0]: got ${got}. Rule: the name of a variable has letters, digits, "-", "_" and ".", no digit first ` +
          '(https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/). ' +
          'Fix: pass a name such as "MLFLOW_LOGGING_LEVEL".',
      ),
    ]);
  });

  test.each<[unknown, string]>([
    [5, 'a number'],
    [true, 'a boolean'],
    [{}, 'an object with nothing in it'],
  ])('the value %j is no text', (value, got) => {
    expect(wrong({ extraEnv: [{ name: 'A', value: value as string }] })).toEqual([told('extraEnv[0].value', got, 'the value of a variable is a text', 'such as "5" or "true"')]);
  });

  test.each(['A', '_', 'a.b-c_D9', 'MLFLOW_LOGGING_LEVEL'])('the name %s is taken', (name) => {
    expect(wrong({ extraEnv: [{ name, value: '1' }] })).toEqual([]);
  });
});

describe('of the user, and an add-on that comes later', () => {
  const metrics: AddOns = (server, scope) => new Metrics(scope, 'Metrics', { server });
  const login: AddOns = (server, scope) => new BasicAuth(scope, 'Login', { server });

  test.each<[string, object, AddOns, string, string, string, string]>([
    ['flag and flag', { extraArgs: ['--app-name=mine'] }, login, 'Login', 'addFlag', '--app-name', 'the prop extraArgs'],
    ['flag and variable', { extraArgs: ['--expose-prometheus=/tmp/a'] }, metrics, 'Metrics', 'addVariable', 'MLFLOW_EXPOSE_PROMETHEUS', 'the prop extraArgs'],
    ['variable and variable', { extraEnv: [{ name: 'MLFLOW_EXPOSE_PROMETHEUS', value: '/tmp/a' }] }, metrics, 'Metrics', 'addVariable', 'MLFLOW_EXPOSE_PROMETHEUS', 'the prop extraEnv'],
    ['variable and flag', { extraEnv: [{ name: 'MLFLOW_APP_NAME', value: 'mine' }] }, login, 'Login', 'addFlag', '--app-name', 'the prop extraEnv'],
  ])('%s: a fault of the add-on, which names both', (_, props, addOn, path, port, got, owner) => {
    expect(wrong(props)).toEqual([]);
    expect(wrong({}, addOn)).toEqual([]);
    expect(wrong(props, addOn)).toEqual([told(port, `"${got}"`, `each flag and each variable of [test/TrackingServer] is set once, and ${owner} sets this one`, `leave it to ${owner}, or leave that one out`, path)]);
  });
});

test('the clean-up has the variables of the user', () => {
  const extraEnv = [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }, { name: 'MLFLOW_LOGGING_LEVEL', value: 'DEBUG' }];
  const objects = synth({ extraEnv }, (server, scope) => new GarbageCollection(scope, 'GarbageCollection', { server }));
  const [gc] = containers({ spec: get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec });
  for (const variable of extraEnv) expect(gc.env).toContainEqual(variable);
});
