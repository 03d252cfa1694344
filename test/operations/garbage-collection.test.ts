import { Duration, Size } from 'cdk8s';
import { Images } from '../../lib';
import { START_MLFLOW_PY } from '../../lib/assets.generated';
import { fingerprint } from '../../lib/kube/hash';
import { backendStore, server, synth, told, wrong } from '../tracking-server/server';
import { Manifests, containers, get, ofKind } from '../helpers';

function cron(garbageCollection: object = {}, props: object = {}) {
  const objects = synth({ garbageCollection, ...props });
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
  expect([server().garbageCollection, server().garbageCollectionNetworkPolicy]).toEqual([undefined, undefined]);
});

describe('with nothing said', () => {
  const { cronJob, pod, gc, objects } = cron();

  test('it runs every night, one at a time', () => {
    const { schedule, suspend, concurrencyPolicy, startingDeadlineSeconds } = cronJob.spec;
    expect({ schedule, suspend, concurrencyPolicy, startingDeadlineSeconds }).toEqual({ schedule: '0 3 * * *', suspend: false, concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 3600 });
    expect(cronJob.spec).not.toHaveProperty('timeZone');
  });

  test('it takes what was deleted 30 days ago', () => {
    expect(gc.command).toEqual(['python3', '/app/start-mlflow.py']);
    expect(gc.args).toEqual(['gc', '--backend-store-uri=postgresql://db.example.com/runs', '--older-than=2592000s']);
    expect(gc.image).toBe(Images.MLFLOW);
  });

  test('it knows the database and the server, and no key of the artifact store', () => {
    expect(gc.env).toEqual(expect.arrayContaining([...backendStore.environment, { name: 'MLFLOW_TRACKING_URI', value: 'http://mlflow-service.mlflow.svc.cluster.local:5000' }]));
    expect(gc.env.map(({ name }: { name: string }) => name)).not.toContain('AWS_ACCESS_KEY_ID');
  });

  test('its pod is restricted, has no token, and is replaced with the script', () => {
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, restartPolicy: 'Never', securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } });
    expect(gc.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
    expect(pod.metadata.annotations['checksum/startup-script']).toBe(fingerprint(START_MLFLOW_PY));
    expect(pod.spec.volumes.map(({ name }: { name: string }) => name)).toEqual(gc.volumeMounts.map(({ name }: { name: string }) => name));
  });

  test('its policy lets it to the server and nowhere else, and that of the server lets it in', () => {
    expect(policy(objects, 'mlflow-gc')).toMatchObject({ podSelector: GC, policyTypes: ['Ingress', 'Egress'] });
    expect(policy(objects, 'mlflow-gc')).not.toHaveProperty('ingress');
    const [, ...egress] = policy(objects, 'mlflow-gc').egress;
    expect(egress).toEqual([{ to: [{ podSelector: policy(objects, 'mlflow').podSelector }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
  });
});

test('its options', () => {
  const { cronJob, gc } = cron({ schedule: '30 */6 1-15 JAN,JUL MON-FRI', timeZone: 'Europe/Berlin', olderThan: Duration.days(7), jobs: true, suspend: true, resources: { memoryLimit: Size.gibibytes(3) } });
  expect(cronJob.spec).toMatchObject({ schedule: '30 */6 1-15 JAN,JUL MON-FRI', timeZone: 'Europe/Berlin', suspend: true });
  expect(gc.args.slice(2)).toEqual(['--older-than=604800s', '--jobs']);
  expect(gc.resources.limits.memory).toBe('3Gi');
});

test('it follows static prefix, port and name', () => {
  const objects = synth({ name: 'ml', staticPrefix: '/ml', port: 8080, garbageCollection: {} });
  const [gc] = containers({ spec: get(objects, 'CronJob', 'ml-gc').spec.jobTemplate.spec });
  expect(gc.env).toContainEqual({ name: 'MLFLOW_TRACKING_URI', value: 'http://ml-service.mlflow.svc.cluster.local:8080/ml' });
});

test('a server that lets in nobody else lets it in', () => {
  const objects = synth({ networkPolicy: { clients: [] }, garbageCollection: {} });
  expect(policy(objects, 'mlflow').ingress).toEqual([{ from: [{ podSelector: GC }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
});

test('volumes and variables of the database come along, and the place of the pods', () => {
  const volumes = [{ name: 'ca', configMap: { name: 'ca' } }];
  const volumeMounts = [{ name: 'ca', mountPath: '/etc/ca', readOnly: true }];
  const { pod, gc } = cron({}, { backendStore: { ...backendStore, volumes, volumeMounts }, pod: { nodeSelector: { disk: 'ssd' } }, envFrom: [{ secretRef: { name: 'more' } }] });
  expect(pod.spec.volumes).toContainEqual(volumes[0]);
  expect(gc.volumeMounts).toContainEqual(volumeMounts[0]);
  expect(gc.envFrom).toEqual([{ secretRef: { name: 'more' } }]);
  expect(pod.spec.nodeSelector).toEqual({ disk: 'ssd' });
});

test.each(['@daily', '*/15 * * * *', '0 0,12 1 */2 *', '59 23 31 12 6', '0 3 * * SUN', '5  4 * * *'])('the schedule %s is one', (schedule) => {
  expect(wrong({ garbageCollection: { schedule } })).toEqual([]);
});

test.each(['', '0 3 * *', '0 3 * * * *', 'nightly', '@often', '60 3 * * *', '0 24 * * *', '0 3 0 * *', '0 3 32 * *', '0 3 * 13 *', '0 3 * * 8', '10-60 3 * * *', '0 3 * * * ', 'TZ=UTC 0 3 * * *', '0,a,99 3 * * *'])(
  'the schedule "%s" is none',
  (schedule) => {
    expect(wrong({ garbageCollection: { schedule } })).toEqual([told('garbageCollection.schedule', JSON.stringify(schedule), 'a schedule has five fields', 'pass a schedule such as "0 3 * * *"')]);
  },
);

test.each<[object, string, string, string, string]>([
  [{ schedule: 5 }, 'schedule', '5', 'a schedule has five fields', '0 3 * * *'],
  [{ timeZone: 'Berlin' }, 'timeZone', '"Berlin"', 'IANA', 'Europe/Berlin'],
  [{ timeZone: '+01:00' }, 'timeZone', '"+01:00"', 'IANA', 'Europe/Berlin'],
  [{ timeZone: 5 }, 'timeZone', '5', 'IANA', 'Europe/Berlin'],
  [{ olderThan: 30 }, 'olderThan', '30', 'a time span is a cdk8s Duration', 'Duration'],
  [{ olderThan: Duration.seconds(0) }, 'olderThan', '"0 s"', 'a time span is a cdk8s Duration', 'Duration'],
  [{ jobs: 'yes' }, 'jobs', '"yes"', 'true or false', ''],
  [{ suspend: 0 }, 'suspend', '0', 'true or false', ''],
  [{ resources: { cpuLimit: 'much' } }, 'resources.cpuLimit', '"much"', 'CPU is a Kubernetes quantity', ''],
  [{ resources: { cpu: '1' } }, 'resources.cpu', 'a string', 'there is no prop of this name', ''],
  [{ schedul: 'x' }, 'schedul', 'a string', 'there is no prop of this name', 'did you mean garbageCollection.schedule?'],
])('%j is refused', (garbageCollection, prop, got, rule, fix) => {
  expect(wrong({ garbageCollection })).toContainEqual(told(`garbageCollection.${prop}`, got, rule, fix));
});

test('without NetworkPolicies there is none for it', () => {
  expect(ofKind(synth({ garbageCollection: {}, networkPolicy: { enabled: false } }), 'NetworkPolicy')).toEqual([]);
});

test('the longest name makes a CronJob whose Jobs have names, too', () => {
  expect(Math.max(...ofKind(synth({ name: 'a'.repeat(48), garbageCollection: {} }), 'CronJob').map(({ metadata }) => metadata.name.length))).toBeLessThanOrEqual(52);
});
