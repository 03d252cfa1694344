import { Chart, Duration, Testing } from 'cdk8s';
import { Credentials, GarbageCollection, ICredentials, Minio, Postgres, Preflight, StartupScript, TrackingServer } from '../../lib';
import { PREFLIGHT } from '../../lib/assets.generated';
import { Manifests, containers, get, ofKind } from '../helpers';
import { AddOns, artifactStore, backendStore, mlflow, namesOf, server, synth, told, valueOf, wrong } from '../tracking-server/server';

const collection: AddOns = (target, scope) => new GarbageCollection(scope, 'GarbageCollection', { server: target });
const startProbe = ({ startupProbe }: Manifests[number]): number => startupProbe.periodSeconds * startupProbe.failureThreshold;

/** The value of a variable of server and of monitor, undefined where it is not set. */
function startup(objects: Manifests, name: string): unknown[] {
  return ['mlflow', 'mlflow-monitor'].map((deployment) => {
    const found = containers(get(objects, 'Deployment', deployment))[0].env.filter((variable: { name: string }) => variable.name === name);
    expect(found.length).toBeLessThan(2);
    return found[0]?.value;
  });
}

function onMinio(credentials?: (scope: Chart) => ICredentials): Manifests {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', {
    backendStore: new Postgres(chart, 'Postgres'),
    artifactStore: new Minio(chart, 'Minio', { credentials: credentials?.(chart) }),
  });
  return Testing.synth(chart);
}

/** Where the secrets of each server are from. */
const OWN = { MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: 'key webhook-key of Secret mlflow-server-secrets', MLFLOW_CRYPTO_KEK_PASSPHRASE: 'key kek-passphrase-1 of Secret mlflow-server-secrets' };

describe('the package', () => {
  const objects = synth({}, collection);
  const { metadata, data } = get(objects, 'ConfigMap', 'mlflow-preflight');

  test('is two ConfigMaps with all modules, once for server, monitor and clean-up, which kubectl can note in an annotation', () => {
    const { data: rare } = get(objects, 'ConfigMap', 'mlflow-preflight-relocate');
    expect({ ...rare, ...data }).toEqual(PREFLIGHT);
    expect(Object.keys(rare).filter((name) => name in data)).toEqual([]);
    for (const part of [data, rare]) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(220 * 1024);
    expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/instance': 'mlflow' });
    const pods = [get(objects, 'Deployment', 'mlflow'), get(objects, 'Deployment', 'mlflow-monitor'), get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate];
    for (const { spec } of pods) {
      const { volumes, containers: [first] } = spec.template.spec;
      expect(volumes).toContainEqual(spec === pods[0].spec ? { name: 'preflight', projected: { sources: ['mlflow-preflight', 'mlflow-preflight-relocate'].map((name) => ({ configMap: { name } })) } } : { name: 'preflight', configMap: { name: 'mlflow-preflight' } });
      expect(first.volumeMounts).toContainEqual({ name: 'preflight', mountPath: '/app/preflight' });
    }
  });

  test('replaces no pod when it changes: it is a folder, and no annotation tells of it', () => {
    for (const name of ['mlflow', 'mlflow-monitor']) {
      const { metadata: { annotations = {} } } = get(objects, 'Deployment', name).spec.template;
      expect(Object.keys(annotations).filter((key) => !['checksum/startup-script', 'checksum/plugins'].includes(key))).toEqual([]);
    }
    expect(containers(get(objects, 'Deployment', 'mlflow'))[0].volumeMounts.find(({ name }: { name: string }) => name === 'preflight')).not.toHaveProperty('subPath');
  });

  test('has the program for notebooks, which is also a constant', () => {
    expect(Preflight.CLIENT_DOCTOR).toBe(data['mlflow_doctor.py']);
    expect(Preflight.CLIENT_DOCTOR).toMatch(/^#!.*python3\n/);
  });
});

describe('a script of the user\'s own', () => {
  const withScript = (content: string) => {
    const chart = Testing.chart();
    server({ startupScript: new StartupScript(chart, 'Script', { name: 'my-script', content }) }, chart, collection);
    return Testing.synth(chart);
  };

  test('brings no second copy of ours', () => {
    const objects = withScript('pass\n');
    expect(ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['my-script', 'mlflow-transfer', 'mlflow-transfer-info', 'mlflow-layers', 'mlflow-guard', 'mlflow-preflight', 'mlflow-preflight-relocate', 'mlflow-fill-secrets']);
    for (const script of ofKind(objects, 'ConfigMap').flatMap(({ data }) => Object.keys(data))) if (script === 'start-mlflow.py') expect(get(objects, 'ConfigMap', 'my-script').data[script]).toBe('pass\n');
    expect(JSON.stringify(ofKind(objects, 'ConfigMap').map(({ data }) => Object.keys(data))).match(/start-mlflow\.py/g)).toHaveLength(1);
  });

  test('starts the server only: neither monitor nor clean-up know it', () => {
    const [mine, ours] = [withScript('pass\n'), synth({}, collection)];
    expect(get(mine, 'Deployment', 'mlflow-monitor')).toEqual(get(ours, 'Deployment', 'mlflow-monitor'));
    expect(get(mine, 'CronJob', 'mlflow-gc')).toEqual(get(ours, 'CronJob', 'mlflow-gc'));
    expect(JSON.stringify([get(mine, 'Deployment', 'mlflow-monitor'), get(mine, 'CronJob', 'mlflow-gc')])).not.toMatch(/startup-script|start-mlflow|my-script/);
    expect(get(mine, 'Deployment', 'mlflow').spec.template.spec.volumes[0]).toEqual({ name: 'startup-script', configMap: { name: 'my-script', defaultMode: 0o755 } });
  });
});

describe('switched off', () => {
  const of = (preflight: object, addOns?: AddOns) => synth({ preflight }, addOns);
  const names = (objects: Manifests) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const MONITOR = ['Deployment mlflow-monitor', 'Service mlflow-monitor', 'NetworkPolicy mlflow-monitor'];
  const PACKAGE = ['ConfigMap mlflow-preflight', 'ConfigMap mlflow-preflight-relocate'];

  test('the preflight: the server starts at once, and the monitor stays as it is', () => {
    const objects = of({ enabled: false });
    expect(names(objects).sort()).toEqual(names(synth()).sort());
    const [container] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(namesOf(container.env).filter((name) => name.startsWith('STARTUP_'))).toEqual([]);
    expect(namesOf(container.volumeMounts)).toEqual(['startup-script', 'transfer', 'transfer-info', 'layers', 'guard', 'tmp']);
    expect(startProbe(container)).toBe(120);
    const [[monitor], [before]] = [objects, synth()].map((all) => containers(get(all, 'Deployment', 'mlflow-monitor')));
    const DEADLINE = 'STARTUP_DEADLINE_SECONDS';
    expect(new Set(monitor.env)).toEqual(new Set(before.env.filter(({ name }: { name: string }) => name !== DEADLINE)));
    expect({ ...monitor, env: [] }).toEqual({ ...before, env: [] });
    expect(server({ preflight: { enabled: false } }).preflight).toBeUndefined();
  });

  test('the monitor: the server stays as it is', () => {
    const objects = of({ monitor: false });
    expect(names(synth()).filter((name) => !names(objects).includes(name))).toEqual(MONITOR);
    expect(objects).toEqual(synth().filter(({ kind, metadata }) => !MONITOR.includes(`${kind} ${metadata.name}`)));
    expect(server({ preflight: { monitor: false } }).monitor).toBeUndefined();
  });

  test('both: nothing of it is left', () => {
    const objects = of({ enabled: false, monitor: false });
    expect(names(synth()).filter((name) => !names(objects).includes(name))).toEqual([...PACKAGE, ...MONITOR]);
    expect(JSON.stringify(objects.filter(({ kind }) => kind !== 'ConfigMap'))).not.toMatch(/preflight|STARTUP_/);
  });

  test('both: the clean-up has what it reads of the server all the same', () => {
    const objects = of({ enabled: false, monitor: false }, collection);
    expect(names(objects)).toEqual(expect.arrayContaining(PACKAGE));
    const [gc] = containers({ spec: get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec });
    expect(valueOf(gc, 'STARTUP_DEPLOYMENT')).toBe('mlflow');
    expect(valueOf(gc, 'STARTUP_SOURCES')).toBe(JSON.stringify({ AWS_ACCESS_KEY_ID: 'key id of Secret aws', PGPASSWORD: 'key password of Secret db', ...OWN }));
  });

  test('it has no settings', () => {
    expect(wrong({ preflight: { enabled: false, upgradeSchema: true, startupDeadline: Duration.minutes(1) } })).toEqual([
      told('preflight.upgradeSchema', 'a boolean', 'with preflight.enabled = false nothing is tried', 'leave preflight.upgradeSchema out, or preflight.enabled'),
      told('preflight.startupDeadline', 'an object with amount, unit', 'with preflight.enabled = false nothing is tried', 'leave preflight.startupDeadline out, or preflight.enabled'),
    ]);
    expect(wrong({ preflight: { enabled: false, upgradeSchema: undefined } })).toEqual([]);
  });

  test.each(['enabled', 'monitor'])('preflight.%s is true or false', (prop) => {
    for (const [value, got] of [['false', '"false"'], [0, '0'], [{}, '{}']]) {
      expect(wrong({ preflight: { [String(prop)]: value } })).toEqual([told(`preflight.${prop}`, String(got), 'the value is true or false', 'pass true or false')]);
    }
  });
});

describe('startupDeadline', () => {
  test('is what the script waits, and the probe waits longer', () => {
    const container = mlflow({ preflight: { startupDeadline: Duration.minutes(10) } });
    expect(valueOf(container, 'STARTUP_DEADLINE_SECONDS')).toBe('600');
    expect(startProbe(container)).toBe(720);
    expect([valueOf(mlflow(), 'STARTUP_DEADLINE_SECONDS'), startProbe(mlflow())]).toEqual(['300', 420]);
  });

  test.each<[unknown, string]>([[300, '300'], [Duration.seconds(0), '"0 s"'], [Duration.millis(1500), '"1.5 s"']])('cannot be %j', (startupDeadline, got) => {
    expect(wrong({ preflight: { startupDeadline } })).toEqual([told('startupDeadline', got, 'a time span is a cdk8s Duration of whole seconds', 'Duration.minutes(5)', 'TrackingServer/Preflight')]);
  });

  test('another name is none', () => {
    expect(wrong({ preflight: { startupDedline: Duration.minutes(1) } })).toEqual([told('startupDedline', 'an object with amount, unit', 'there is no prop of this name', 'did you mean startupDeadline?', 'TrackingServer/Preflight')]);
  });
});

describe('upgradeSchema', () => {
  const VARIABLE = 'STARTUP_UPGRADE_SCHEMA';
  const grace = (preflight: object, pod?: object): number => get(synth({ preflight, pod }), 'Deployment', 'mlflow').spec.template.spec.terminationGracePeriodSeconds;

  test.each([undefined, false])('%s leaves the schema alone', (upgradeSchema) => {
    const objects = synth({ preflight: { upgradeSchema } });
    expect(startup(objects, VARIABLE)).toEqual([undefined, undefined]);
    expect(objects).toEqual(synth());
  });

  test('is one variable more, and time to start and to stop: an upgrade that is cut off leaves half a schema', () => {
    const [before, after] = [mlflow(), mlflow({ preflight: { upgradeSchema: true } })];
    const others = ({ env }: typeof before) => env.filter(({ name }: { name: string }) => ![VARIABLE, 'UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN'].includes(name));
    expect(others(after)).toEqual(others(before));
    expect(valueOf(after, VARIABLE)).toBe('true');
    expect([startProbe(before), startProbe(after)]).toEqual([420, 420 + 3600]);
    expect([grace({}), grace({ upgradeSchema: true })]).toEqual([240, 3600]);
    expect({ ...after, env: [], startupProbe: {} }).toEqual({ ...before, env: [], startupProbe: {} });
    const rest = (objects: Manifests) => objects.filter(({ kind }) => kind !== 'Deployment');
    expect(rest(synth({ preflight: { upgradeSchema: true } }))).toEqual(rest(synth()));
  });

  test('takes upgradeDeadline at the most', () => {
    const preflight = { upgradeSchema: true, upgradeDeadline: Duration.hours(3) };
    expect([startProbe(mlflow({ preflight })), grace(preflight)]).toEqual([420 + 10800, 10800]);
  });

  test('shortens no terminationGracePeriod of the user', () => {
    const pod = { terminationGracePeriod: Duration.hours(2) };
    expect([grace({}, pod), grace({ upgradeSchema: true }, pod), grace({ upgradeSchema: true }, { terminationGracePeriod: Duration.seconds(30) })]).toEqual([7200, 7200, 3600]);
  });

  test.each<[unknown, string]>([['false', '"false"'], ['true', '"true"'], ['', '""'], [0, '0'], [1, '1'], [{}, '{}']])('is true or false, and cannot be %j', (upgradeSchema, got) => {
    expect(wrong({ preflight: { upgradeSchema } })).toEqual([
      `[test/TrackingServer/Preflight] upgradeSchema: got ${got}. Rule: the value is true or false, and no text or number. Fix: pass true or false.`,
    ]);
  });

  test('upgradeDeadline needs it', () => {
    expect(wrong({ preflight: { upgradeDeadline: Duration.hours(1) } })).toEqual([
      told('upgradeDeadline', 'an object with amount, unit', 'it is for upgradeSchema, without which nothing is upgraded', 'leave it out, or pass upgradeSchema: true', 'TrackingServer/Preflight'),
    ]);
    expect(wrong({ preflight: { upgradeSchema: true, upgradeDeadline: 5 } })).toEqual([told('upgradeDeadline', '5', 'a time span is a cdk8s Duration', '', 'TrackingServer/Preflight')]);
  });
});

describe('what the script is told', () => {
  test.each(['mlflow', 'team-a'])('the Deployment of the server, in the monitor too: %s', (name) => {
    const objects = synth({ name });
    for (const deployment of [name, `${name}-monitor`]) expect(valueOf(containers(get(objects, 'Deployment', deployment))[0], 'STARTUP_DEPLOYMENT')).toBe(name);
  });

  test.each<[boolean | undefined, string | undefined]>([
    [undefined, undefined],
    [false, undefined],
    [true, 'true'],
  ])('userMayComeLate of a store: %s', (userMayComeLate, value) => {
    const objects = synth({ artifactStore: { ...artifactStore, userMayComeLate } });
    expect(startup(objects, 'STARTUP_USER_MAY_COME_LATE')).toEqual([value, value]);
  });

  test('an unknown key of MinIO is final where the cluster made it up, and waited for where it did not', () => {
    const variable = 'STARTUP_USER_MAY_COME_LATE';
    expect(startup(onMinio(), variable)).toEqual([undefined, undefined]);
    expect(startup(onMinio((scope) => new Credentials(scope, 'Keys', { secretName: 'keys' })), variable)).toEqual([undefined, undefined]);
    expect(startup(onMinio((scope) => Credentials.fromSecretName(scope, 'Keys', 'keys')), variable)).toEqual(['true', 'true']);
  });

  test('key and Secret of each variable from a Secret, and of no other', () => {
    const sources = JSON.stringify({ AWS_ACCESS_KEY_ID: 'key id of Secret aws', PGPASSWORD: 'key password of Secret db', ...OWN });
    expect(startup(synth(), 'STARTUP_SOURCES')).toEqual([sources, sources]);
    const mine = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'mine', key: 'token' } } };
    expect(startup(synth({ extraEnv: [mine] }), 'STARTUP_SOURCES')[0]).toBe(JSON.stringify({ ...JSON.parse(sources), TOKEN: 'key token of Secret mine' }));
    const without = JSON.stringify({ AWS_ACCESS_KEY_ID: 'key id of Secret aws', ...OWN });
    const configMap = { name: 'PGUSER', valueFrom: { configMapKeyRef: { name: 'settings', key: 'user' } } };
    expect(startup(synth({ backendStore: { ...backendStore, environment: [configMap] } }), 'STARTUP_SOURCES')).toEqual([without, without]);
  });

  test('no source where there is no Secret, but those of the secrets of the server', () => {
    const plain = { ...artifactStore, environment: [{ name: 'AWS_ACCESS_KEY_ID', value: 'plain-id' }] };
    expect(startup(synth({ artifactStore: plain, backendStore: { ...backendStore, environment: [] }, secrets: { secretName: 'own' } }), 'STARTUP_SOURCES').map((text) => Object.values(JSON.parse(String(text))))).toEqual(
      Array(2).fill(['key webhook-key of Secret own', 'key kek-passphrase-1 of Secret own']),
    );
  });

  test('names of Secrets and keys of the user, and no value of them', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const literals = { secretName: 'my-keys', username: 'literal-user', password: 'literal-pass:word', usernameKey: 'id', passwordKey: 'pass' };
    const objects = onMinio((scope) => Credentials.fromLiterals(scope, 'Keys', literals));
    warn.mockRestore();
    const [server, monitor] = startup(objects, 'STARTUP_SOURCES');
    expect(JSON.parse(String(server))).toEqual({
      AWS_ACCESS_KEY_ID: 'key id of Secret my-keys',
      AWS_SECRET_ACCESS_KEY: 'key pass of Secret my-keys',
      PGUSER: 'key username of Secret postgres-user',
      PGPASSWORD: 'key password of Secret postgres-user',
      MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: 'key webhook-key of Secret mlflow-server-secrets',
      MLFLOW_CRYPTO_KEK_PASSPHRASE: 'key kek-passphrase-1 of Secret mlflow-server-secrets',
    });
    expect(monitor).toBe(server);
    for (const deployment of ofKind(objects, 'Deployment')) {
      for (const value of [literals.username, literals.password]) {
        expect(JSON.stringify(deployment)).not.toContain(value);
        expect(JSON.stringify(deployment)).not.toContain(Buffer.from(value).toString('base64'));
      }
    }
  });
});
