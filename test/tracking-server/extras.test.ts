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
    expect(wrong({ extraArgs: ['--dev', arg] })).toEqual([
      told('extraArgs[1]', JSON.stringify(arg), UVICORN_ONLY, 'leave it out; --uvicorn-opts takes options of the server'),
    ]);
  });

  test('the variable of the same meaning is refused, too', () => {
    expect(wrong({ extraEnv: [{ name: 'MLFLOW_GUNICORN_OPTS', value: '--timeout 60' }] })).toEqual([
      told('extraEnv[0]', '"MLFLOW_GUNICORN_OPTS"', UVICORN_ONLY, 'leave it out; MLFLOW_UVICORN_OPTS takes options of the server'),
    ]);
  });

  test('a flag of the user may stand there several times', () => {
    const extraArgs = ['--uvicorn-opts=--a', '--dev', '--uvicorn-opts=--b'];
    expect(mlflow({ extraArgs }).args.slice(-3)).toEqual(extraArgs);
  });

  test('the value of a flag is not looked at, each flag is', () => {
    expect(wrong({ extraArgs: ['--dev', '--port', '5001', '--workers', '2'] })).toEqual([
      byProp(1, '--port', '--port', 'port'),
      byProp(3, '--workers', '--workers', 'workers'),
    ]);
  });

  test.each(['--dev', '--expose-prometheus=/tmp/metrics', '--hostname=x', '--port-range=1', '--workers-per-core=1', 'mlflow', '/tmp/-p', '--app-name=basic-auth'])(
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
  const PLUGIN = '[test/TrackingServer/ProxiedArtifacts]';
  const OWNERS: { [name: string]: string } = {
    AWS_ACCESS_KEY_ID: byProp('AWS_ACCESS_KEY_ID', 'artifactStore'),
    MLFLOW_S3_ENDPOINT_URL: byProp('MLFLOW_S3_ENDPOINT_URL', 'artifactStore'),
    PGUSER: byProp('PGUSER', 'backendStore'),
    PGPASSWORD: byProp('PGPASSWORD', 'backendStore'),
    MLFLOW_WORKERS: byProp('MLFLOW_WORKERS', 'workers'),
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: byProp('MLFLOW_SERVER_ENABLE_JOB_EXECUTION', 'settings.jobExecution'),
    PYTHONPATH: repeats(0, 'PYTHONPATH', PLUGIN, `leave it out, or leave ${PLUGIN} out`),
    HOME: byItself(0, 'HOME'),
    MALLOC_ARENA_MAX: byItself(0, 'MALLOC_ARENA_MAX'),
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
    expect(wrong({ extraEnv, artifactTransfer: ArtifactTransfer.DIRECT })).toEqual([]);
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
