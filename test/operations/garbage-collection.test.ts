import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Size, Testing } from 'cdk8s';
import { GarbageCollection, Images, MlflowStack } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, containers, faults, get, ofKind } from '../helpers';
import { backendStore, synth, told, valueOf } from '../tracking-server/server';

const addOn = new AddOn(GarbageCollection, 'Gc');

function cron(options: object = {}, props: object = {}) {
  const objects = addOn.synth(options, props);
  const cronJob = get(objects, 'CronJob', 'mlflow-gc');
  const pod = cronJob.spec.jobTemplate.spec.template;
  const [gc, ...others] = containers({ spec: cronJob.spec.jobTemplate.spec });
  expect(others).toEqual([]);
  return { objects, cronJob, pod, gc };
}
const policy = (objects: Manifests, name: string) => get(objects, 'NetworkPolicy', name).spec;
const GC = { matchLabels: { 'app.kubernetes.io/name': 'mlflow', 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': 'garbage-collection' } };

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'CronJob')).toEqual([]);
  expect(new MlflowStack(Testing.chart(), 'Stack').garbageCollection).toBeUndefined();
});

describe('with nothing said', () => {
  const { cronJob, pod, gc, objects } = cron();

  test('it runs every night, one at a time', () => {
    const { schedule, suspend, concurrencyPolicy, startingDeadlineSeconds } = cronJob.spec;
    expect({ schedule, suspend, concurrencyPolicy, startingDeadlineSeconds }).toEqual({ schedule: '0 3 * * *', suspend: false, concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 3600 });
    expect(cronJob.spec).not.toHaveProperty('timeZone');
  });

  test('it takes what was deleted 30 days ago', () => {
    expect(gc.command).toEqual(['python3', '/app/preflight']);
    expect(gc.args).toEqual(['gc', '--backend-store-uri=postgresql://db.example.com/runs', '--older-than=2592000s']);
    expect(gc.image).toBe(Images.MLFLOW);
  });

  test('it knows the database and the server, and no key of the artifact store', () => {
    expect(gc.env).toEqual(expect.arrayContaining([...backendStore.environment, { name: 'MLFLOW_TRACKING_URI', value: 'http://mlflow-service.mlflow.svc.cluster.local:5000' }]));
    expect(gc.env.map(({ name }: { name: string }) => name)).not.toContain('AWS_ACCESS_KEY_ID');
  });

  test('it has of the settings of the preflight what its program reads', () => {
    expect(gc.env).toEqual(expect.arrayContaining([{ name: 'STARTUP_DEPLOYMENT', value: 'mlflow' }, { name: 'STARTUP_DEADLINE_SECONDS', value: '300' }]));
    expect(JSON.parse(valueOf(gc, 'STARTUP_SOURCES')!)).toMatchObject({ PGPASSWORD: 'key password of Secret db' });
  });

  test('its pod is restricted, has no token, and runs the package of the server', () => {
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, restartPolicy: 'Never', securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } });
    expect(gc.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
    expect(pod.spec.volumes[0]).toMatchObject({ name: 'preflight', configMap: { name: 'mlflow-preflight' } });
    expect(gc.volumeMounts[0]).toEqual({ name: 'preflight', mountPath: '/app/preflight' });
    expect(ofKind(objects, 'ConfigMap').filter(({ metadata }) => metadata.name === 'mlflow-preflight')).toHaveLength(1);
    expect(pod.spec.volumes.map(({ name }: { name: string }) => name)).toEqual(gc.volumeMounts.map(({ name }: { name: string }) => name));
  });

  test('its policy lets it to the server and nowhere else, and that of the server lets it in', () => {
    expect(policy(objects, 'mlflow-gc')).toMatchObject({ podSelector: GC, policyTypes: ['Ingress', 'Egress'] });
    expect(policy(objects, 'mlflow-gc')).not.toHaveProperty('ingress');
    const [, ...egress] = policy(objects, 'mlflow-gc').egress;
    expect(egress).toEqual([{ to: [{ podSelector: policy(objects, 'mlflow').podSelector }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
  });
});

test('a Job that could not remove everything fails at once, with the exit code of the program', () => {
  const exits = readFileSync(join(__dirname, '../../lib/preflight/preflight/exits.py'), 'utf8');
  const values = [Number(/^EXIT_KEPT = (\d+)$/m.exec(exits)![1])];
  const { cronJob, gc } = cron();
  expect(cronJob.spec.jobTemplate.spec.podFailurePolicy).toEqual({ rules: [{ action: 'FailJob', onExitCodes: { containerName: gc.name, operator: 'In', values } }] });
});

test('its options', () => {
  const { cronJob, gc } = cron({ schedule: '30 */6 1-15 JAN,JUL MON-FRI', timeZone: 'Europe/Berlin', olderThan: Duration.days(7), jobs: true, suspend: true, resources: { memoryLimit: Size.gibibytes(3) } });
  expect(cronJob.spec).toMatchObject({ schedule: '30 */6 1-15 JAN,JUL MON-FRI', timeZone: 'Europe/Berlin', suspend: true });
  expect(gc.args.slice(2)).toEqual(['--older-than=604800s', '--jobs']);
  expect(gc.resources.limits.memory).toBe('3Gi');
});

test('it follows static prefix, port and name', () => {
  const objects = addOn.synth({}, { name: 'ml', settings: { staticPrefix: '/ml' }, port: 8080 });
  const [gc] = containers({ spec: get(objects, 'CronJob', 'ml-gc').spec.jobTemplate.spec });
  expect(gc.env).toContainEqual({ name: 'MLFLOW_TRACKING_URI', value: 'http://ml-service.mlflow.svc.cluster.local:8080/ml' });
});

test('a server that lets in nobody else lets it in', () => {
  const objects = addOn.synth({}, { networkPolicy: { clients: [] } });
  expect(policy(objects, 'mlflow').ingress).toEqual([{ from: [{ podSelector: GC }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
});

test('volumes and variables of the database come along, and the place of the pods', () => {
  const volumes = [{ name: 'ca', configMap: { name: 'ca' } }];
  const volumeMounts = [{ name: 'ca', mountPath: '/etc/ca' }];
  const { pod, gc } = cron({}, { backendStore: { ...backendStore, volumes, volumeMounts }, pod: { nodeSelector: { disk: 'ssd' } }, envFrom: [{ secretRef: { name: 'more' } }] });
  expect(pod.spec.volumes).toContainEqual(volumes[0]);
  expect(gc.volumeMounts).toContainEqual(volumeMounts[0]);
  expect(gc.envFrom).toEqual([{ secretRef: { name: 'more' } }]);
  expect(pod.spec.nodeSelector).toEqual({ disk: 'ssd' });
});

test('extraEnv of the server comes along, since MLflow and its drivers read it, and repeats nothing', () => {
  const proxy = { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' };
  const secret = { name: 'MLFLOW_TRACKING_SERVER_CERT_PATH', valueFrom: { secretKeyRef: { name: 'ca', key: 'path' } } };
  const { gc } = cron({}, { extraEnv: [proxy, secret, { name: 'MLFLOW_TRACKING_URI', value: 'http://elsewhere' }] });
  expect(gc.env).toEqual(expect.arrayContaining([proxy, secret]));
  expect(gc.env.filter(({ name }: { name: string }) => name === 'MLFLOW_TRACKING_URI')).toEqual([{ name: 'MLFLOW_TRACKING_URI', value: 'http://mlflow-service.mlflow.svc.cluster.local:5000' }]);
});

test('a server that answers for its own hosts only answers it', () => {
  const [server] = containers(get(addOn.synth({}, { settings: { allowedHosts: ['mlflow.example.com'] } }), 'Deployment', 'mlflow'));
  expect(server.args).toContain('--allowed-hosts=mlflow.example.com,mlflow-service.mlflow.svc.cluster.local:5000');
});

test('without preflight its program is there all the same', () => {
  const { objects, gc } = cron({}, { preflight: { enabled: false, monitor: false } });
  expect(Object.keys(get(objects, 'ConfigMap', 'mlflow-preflight').data)).toEqual(expect.arrayContaining(['__main__.py', 'gc.py']));
  expect(gc.command).toEqual(['python3', '/app/preflight']);
});

test('two for one server', () => {
  const { chart, server } = addOn.add();
  addOn.to(chart, server, {}, 'Second');
  expect(faults(chart)).toEqual([told('server', 'CronJob "mlflow-gc" in namespace "mlflow", NetworkPolicy "mlflow-gc" in namespace "mlflow", which [test/Gc/CronJob] makes already', 'each kind has a name once', 'make one GarbageCollection for each tracking server', 'Second')]);
});

test.each(['@daily', '*/15 * * * *', '0 0,12 1 */2 *', '59 23 31 12 6', '0 3 * * SUN', '5  4 * * *', '0 3 ? * MON'])('the schedule %s is one', (schedule) => {
  expect(addOn.wrong({ schedule })).toEqual([]);
  expect(cron({ schedule }).cronJob.spec.schedule).toBe(schedule);
});

// which is which is told by the tests of the schedules themselves
test.each(['', '0 3 * *', 'nightly', '60 3 * * *', '0 24 * * *', '*/0 3 * * FOO', 'TZ=UTC 0 3 * * *'])('the schedule "%s" is none', (schedule) => {
  expect(addOn.wrong({ schedule })).toEqual([told('schedule', JSON.stringify(schedule), 'schedule', '', 'Gc')]);
});

test.each<[object, string, string, string, string]>([
  [{ schedule: 5 }, 'schedule', '5', 'a schedule is a text of five fields', '0 3 * * *'],
  [{ timeZone: 'Berlin' }, 'timeZone', '"Berlin"', 'IANA', 'Europe/Berlin'],
  [{ timeZone: '+01:00' }, 'timeZone', '"+01:00"', 'IANA', 'Europe/Berlin'],
  [{ timeZone: 5 }, 'timeZone', '5', 'IANA', 'Europe/Berlin'],
  [{ olderThan: 30 }, 'olderThan', '30', 'a time span is a cdk8s Duration', 'Duration'],
  [{ olderThan: Duration.seconds(0) }, 'olderThan', '"0 s"', 'a time span is a cdk8s Duration', 'Duration'],
  [{ jobs: 'yes' }, 'jobs', '"yes"', 'true or false', ''],
  [{ suspend: 0 }, 'suspend', '0', 'true or false', ''],
  [{ resources: { cpuLimit: 'much' } }, 'resources.cpuLimit', '"much"', 'CPU is a Kubernetes quantity', ''],
  [{ resources: { cpu: '1' } }, 'resources.cpu', 'a string', 'there is no prop of this name', ''],
  [{ schedul: 'x' }, 'schedul', 'a string', 'there is no prop of this name', 'did you mean schedule?'],
])('%j is refused', (garbageCollection, prop, got, rule, fix) => {
  expect(addOn.wrong(garbageCollection)).toContainEqual(told(prop, got, rule, fix, 'Gc'));
});

test('without NetworkPolicies there is none for it', () => {
  expect(ofKind(addOn.synth({}, { networkPolicy: { enabled: false } }), 'NetworkPolicy')).toEqual([]);
});

test('the longest name makes a CronJob whose Jobs have names, too', () => {
  expect(Math.max(...ofKind(addOn.synth({}, { name: 'a'.repeat(44) }), 'CronJob').map(({ metadata }) => metadata.name.length))).toBeLessThanOrEqual(52);
});
