import { server, synth, told, wrong } from '../tracking-server/server';
import { get, ofKind } from '../helpers';

const scaler = (autoscaling: object) => get(synth({ autoscaling }), 'HorizontalPodAutoscaler', 'mlflow').spec;
const cpu = (averageUtilization: number) => ({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } });
const memory = (averageUtilization: number) => ({ type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization } } });

test('there is none unless it is asked for', () => {
  expect(server().autoscaler).toBeUndefined();
  expect(ofKind(synth(), 'HorizontalPodAutoscaler')).toEqual([]);
});

test('it scales the Deployment, from 2 pods at 80 % of CPU', () => {
  expect(scaler({ maxReplicas: 6 })).toEqual({ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'mlflow' }, minReplicas: 2, maxReplicas: 6, metrics: [cpu(80)] });
});

test('its options', () => {
  expect(scaler({ minReplicas: 1, maxReplicas: 3, targetCpuPercent: 150, targetMemoryPercent: 90 })).toMatchObject({ minReplicas: 1, maxReplicas: 3, metrics: [cpu(150), memory(90)] });
});

test('the Deployment has no number of pods, which each apply would set back, and the pods keep apart', () => {
  const { spec } = get(synth({ autoscaling: { maxReplicas: 6 } }), 'Deployment', 'mlflow');
  expect(spec).not.toHaveProperty('replicas');
  const [{ podAffinityTerm }] = spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
  expect(podAffinityTerm.labelSelector).toEqual(spec.selector);
});

test('its name and namespace are those of the server', () => {
  const { metadata, spec } = get(synth({ autoscaling: { maxReplicas: 6 }, name: 'ml', namespace: 'team-a' }), 'HorizontalPodAutoscaler', 'ml');
  expect(metadata.namespace).toBe('team-a');
  expect(spec.scaleTargetRef.name).toBe('ml');
});

test('a fixed number of pods contradicts it', () => {
  expect(wrong({ autoscaling: { maxReplicas: 6 }, replicas: 1 })).toEqual([
    told('replicas', '1', 'with autoscaling the number of pods is not fixed', 'leave replicas out and pass autoscaling.minReplicas'),
  ]);
});

test.each<[object, string, string, string]>([
  [{}, 'maxReplicas', 'undefined', 'the number of pods has to be given'],
  [{ minReplicas: 0 }, 'minReplicas', '0', 'a whole number of 1 or more'],
  [{ minReplicas: '2', maxReplicas: 3 }, 'minReplicas', '"2"', 'a whole number of 1 or more'],
  [{ maxReplicas: 2.5 }, 'maxReplicas', '2.5', 'a whole number of 1 or more'],
  [{ maxReplicas: 1 }, 'maxReplicas', '1', 'it is not below autoscaling.minReplicas = 2'],
  [{ minReplicas: 5, maxReplicas: 4 }, 'maxReplicas', '4', 'it is not below autoscaling.minReplicas = 5'],
  [{ maxReplicas: 4, targetCpuPercent: 0 }, 'targetCpuPercent', '0', 'the share, in percent, is a whole number of 1 or more'],
  [{ maxReplicas: 4, targetCpuPercent: '80%' }, 'targetCpuPercent', '"80%"', 'the share, in percent,'],
  [{ maxReplicas: 4, targetMemoryPercent: -1 }, 'targetMemoryPercent', '-1', 'the share, in percent,'],
])('%j is refused', (autoscaling, prop, got, rule) => {
  const found = wrong({ autoscaling });
  expect(found).toContainEqual(told(`autoscaling.${prop}`, got, rule, ''));
  expect(found).toHaveLength('minReplicas' in autoscaling && !('maxReplicas' in autoscaling) ? 2 : 1);
});

test('a prop that there is not, and no object', () => {
  expect(wrong({ autoscaling: { maxReplica: 4 } })).toContainEqual(told('autoscaling.maxReplica', 'a number', 'there is no prop of this name', 'did you mean autoscaling.maxReplicas?'));
  expect(wrong({ autoscaling: 5 })).toEqual([told('autoscaling', 'a number', 'it is an object', '')]);
});

describe('a sidecar that requests nothing, by which no load can be told', () => {
  const sidecar = (resources?: object) => ({ pod: { sidecars: [{ name: 'log', image: 'log:1', resources }] } });

  test.each<[object, object | undefined, string]>([
    [{}, undefined, 'no cpu'],
    [{ targetMemoryPercent: 80 }, undefined, 'no cpu, memory'],
    [{ targetMemoryPercent: 80 }, { requests: { cpu: '10m' } }, 'no memory'],
  ])('is a fault with %j and %j', (targets, resources, got) => {
    expect(wrong({ autoscaling: { maxReplicas: 4, ...targets }, ...sidecar(resources) })).toEqual([
      told('pod.sidecars[0].resources.requests', `"${got}"`, 'autoscaling goes by percent', 'or leave autoscaling out'),
    ]);
  });

  test('is none where it requests something, or has a limit, which is its request then', () => {
    expect(wrong({ autoscaling: { maxReplicas: 4 }, ...sidecar({ requests: { cpu: '10m' } }) })).toEqual([]);
    expect(wrong({ autoscaling: { maxReplicas: 4 }, ...sidecar({ limits: { cpu: '10m' } }) })).toEqual([]);
    expect(wrong(sidecar())).toEqual([]);
  });
});
