import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Testing } from 'cdk8s';
import { Autoscaling, Metrics, MlflowStack } from '../../lib';
import { AddOn } from '../add-on';
import { faults, get, ofKind } from '../helpers';
import { ROOT } from '../run-script';
import { synth, told } from '../tracking-server/server';

const addOn = new AddOn(Autoscaling, 'Autoscaling');
const scaler = (options: object) => get(addOn.synth(options), 'HorizontalPodAutoscaler', 'mlflow').spec;
const cpu = (averageUtilization: number) => ({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } });
const memory = (averageUtilization: number) => ({ type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization } } });

test('there is none unless it is asked for', () => {
  expect(new MlflowStack(Testing.chart(), 'Stack').autoscaling).toBeUndefined();
  expect(ofKind(synth(), 'HorizontalPodAutoscaler')).toEqual([]);
});

test('it scales the Deployment, from 2 pods at 80 % of CPU', () => {
  expect(scaler({ maxReplicas: 6 })).toEqual({ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'mlflow' }, minReplicas: 2, maxReplicas: 6, metrics: [cpu(80)] });
});

test('its options', () => {
  expect(scaler({ minReplicas: 1, maxReplicas: 3, targetCpuPercent: 150, targetMemoryPercent: 90 })).toMatchObject({ minReplicas: 1, maxReplicas: 3, metrics: [cpu(150), memory(90)] });
});

describe('transfers under way', () => {
  const scaled = (options: object, props: object = {}) => {
    const { chart, server } = addOn.add({ maxReplicas: 6, ...options }, props);
    new Metrics(chart, 'Metrics', { server });
    return chart;
  };

  test('count besides CPU, and metrics may be made later', () => {
    const { metrics } = get(Testing.synth(scaled({ targetTransfers: 4 })), 'HorizontalPodAutoscaler', 'mlflow').spec;
    expect(metrics).toEqual([cpu(80), { type: 'Pods', pods: { metric: { name: 'mlflow_artifact_transfers_in_progress' }, target: { type: 'AverageValue', averageValue: '4' } } }]);
  });

  test('are counted by the name that the program has', () => {
    const { metrics } = get(Testing.synth(scaled({ targetTransfers: 4 })), 'HorizontalPodAutoscaler', 'mlflow').spec;
    expect(readFileSync(join(ROOT, 'lib/proxied-artifacts/proxied_artifacts/in_flight.py'), 'utf8')).toContain(`NAME = "${metrics[1].pods.metric.name}"`);
  });

  test('cannot be counted without a page for them, or where they go past the server', () => {
    expect(addOn.wrong({ maxReplicas: 6, targetTransfers: 4 })).toEqual([told('targetTransfers', '4', 'on the page /metrics of the server', 'pass metrics of the stack, or leave targetTransfers out', 'Autoscaling')]);
    expect(faults(scaled({ targetTransfers: 4 }, { artifactTransfer: 'direct' }))).toEqual([told('targetTransfers', '4', 'the large transfers go past the server', 'or artifactTransfer', 'Autoscaling')]);
    expect(faults(scaled({ targetTransfers: 0.5 }))).toEqual([told('targetTransfers', '0.5', 'the number of transfers is a whole number of 1 or more', '', 'Autoscaling')]);
  });
});

test('the Deployment has no number of pods, which each apply would set back, and the pods keep apart', () => {
  const { spec } = get(addOn.synth({ maxReplicas: 6 }), 'Deployment', 'mlflow');
  expect(spec).not.toHaveProperty('replicas');
  const [{ podAffinityTerm }] = spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
  expect(podAffinityTerm.labelSelector).toEqual(spec.selector);
});

test('its name and namespace are those of the server', () => {
  const { metadata, spec } = get(addOn.synth({ maxReplicas: 6 }, { name: 'ml', namespace: 'team-a' }), 'HorizontalPodAutoscaler', 'ml');
  expect(metadata.namespace).toBe('team-a');
  expect(spec.scaleTargetRef.name).toBe('ml');
});

test('is handed out, to be patched', () => {
  const { made } = addOn.add({ maxReplicas: 6 });
  expect([made.autoscaler.kind, made.node.defaultChild]).toEqual(['HorizontalPodAutoscaler', made.autoscaler]);
});

test('a fixed number of pods contradicts it', () => {
  expect(addOn.wrong({ maxReplicas: 6 }, { replicas: 1 })).toEqual([
    told('server', '"[test/TrackingServer] with replicas = 1"', 'with autoscaling the number of pods is not fixed', 'leave replicas of the tracking server out and pass minReplicas', 'Autoscaling'),
  ]);
});

test('two for one server, which would pull at the same pods', () => {
  const { chart, server } = addOn.add({ maxReplicas: 6 });
  addOn.to(chart, server, { maxReplicas: 9 }, 'Second');
  expect(faults(chart)).toEqual([
    told('scaleBy', '"number of pods"', 'and [test/Autoscaling] has this one', 'leave it to [test/Autoscaling]', 'Second'),
    told('server', 'HorizontalPodAutoscaler "mlflow" in namespace "mlflow", which [test/Autoscaling/Autoscaler] makes already', 'each kind has a name once', 'make one Autoscaling for each tracking server', 'Second'),
  ]);
});

test.each<[object, string, string, string]>([
  [{}, 'maxReplicas', 'undefined', 'the number of pods has to be given'],
  [{ minReplicas: 0 }, 'minReplicas', '0', 'a whole number of 1 or more'],
  [{ minReplicas: '2', maxReplicas: 3 }, 'minReplicas', '"2"', 'a whole number of 1 or more'],
  [{ maxReplicas: 2.5 }, 'maxReplicas', '2.5', 'a whole number of 1 or more'],
  [{ maxReplicas: 1 }, 'maxReplicas', '1', 'it is not below minReplicas = 2'],
  [{ minReplicas: 5, maxReplicas: 4 }, 'maxReplicas', '4', 'it is not below minReplicas = 5'],
  [{ maxReplicas: 4, targetCpuPercent: 0 }, 'targetCpuPercent', '0', 'the share, in percent, is a whole number of 1 or more'],
  [{ maxReplicas: 4, targetCpuPercent: '80%' }, 'targetCpuPercent', '"80%"', 'the share, in percent,'],
  [{ maxReplicas: 4, targetMemoryPercent: -1 }, 'targetMemoryPercent', '-1', 'the share, in percent,'],
])('%j is refused', (autoscaling, prop, got, rule) => {
  const found = addOn.wrong(autoscaling);
  expect(found).toContainEqual(told(prop, got, rule, '', 'Autoscaling'));
  expect(found).toHaveLength('minReplicas' in autoscaling && !('maxReplicas' in autoscaling) ? 2 : 1);
});

test('a prop that there is not, and no object', () => {
  expect(addOn.wrong({ maxReplica: 4 })).toContainEqual(told('maxReplica', 'a number', 'there is no prop of this name', 'did you mean maxReplicas?', 'Autoscaling'));
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { autoscaling: 5 as never });
  expect(faults(chart)).toEqual([told('autoscaling', 'a number', 'it is an object', '', 'Stack')]);
});

describe('a container that requests nothing, by which no load can be told', () => {
  const sidecar = (resources?: object) => ({ name: 'log', image: 'log:1', resources });
  const fault = (missing: string) =>
    told('server', `"container \\"log\\" without requests of ${missing}"`, 'autoscaling goes by percent', `resources.requests of ${missing} (pod.sidecars of the tracking server), or leave autoscaling out`, 'Autoscaling');

  test.each<[object, object | undefined, string]>([
    [{}, undefined, 'cpu'],
    [{ targetMemoryPercent: 80 }, undefined, 'cpu and memory'],
    [{ targetMemoryPercent: 80 }, { requests: { cpu: '10m' } }, 'memory'],
  ])('is a fault with %j and %j', (targets, resources, missing) => {
    expect(addOn.wrong({ maxReplicas: 4, ...targets }, { pod: { sidecars: [sidecar(resources)] } })).toEqual([fault(missing)]);
  });

  test('is one of an add-on, too, that was made later', () => {
    const { chart, server } = addOn.add({ maxReplicas: 4 });
    server.addSidecar(chart, sidecar() as never);
    expect(faults(chart)).toEqual([fault('cpu')]);
  });

  test('is none where it requests something, or has a limit, which is its request then', () => {
    for (const resources of [{ requests: { cpu: '10m' } }, { limits: { cpu: '10m' } }]) expect(addOn.wrong({ maxReplicas: 4 }, { pod: { sidecars: [sidecar(resources)] } })).toEqual([]);
    expect(() => synth({ pod: { sidecars: [sidecar()] } })).not.toThrow();
  });
});
