import { Chart, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Minio, Postgres, TrackingServer } from '../../lib';
import {
  BOOTSTRAP_RESOURCES,
  CONTAINER_SECURITY,
  POD_SECURITY,
  containerResources,
  emptyDir,
  envFromSecret,
} from '../../lib/kube/pod';
import { PropChecks } from '../../lib/validation/prop-checks';
import { ContainerResources } from '../../lib/options/resources';
import { k8s } from '../../imports/k8s';
import { faults } from '../helpers';

const DEFAULTS: Required<ContainerResources> = {
  cpuRequest: '100m',
  cpuLimit: '1',
  memoryRequest: Size.mebibytes(256),
  memoryLimit: Size.gibibytes(1),
};

function resources(given?: ContainerResources) {
  const chart = Testing.chart();
  const merged = containerResources(new PropChecks(new Construct(chart, 'Part')), given, DEFAULTS, '1Gi');
  return { merged, faults: faults(chart) };
}

function plain({ requests = {}, limits = {} }: k8s.ResourceRequirements) {
  const amounts = (quantities: { [key: string]: k8s.Quantity }) =>
    Object.fromEntries(Object.entries(quantities).map(([resource, quantity]) => [resource, quantity.value]));
  return { requests: amounts(requests), limits: amounts(limits) };
}

test('pods pass the Pod Security Standard "restricted"', () => {
  expect(POD_SECURITY).toEqual({
    runAsNonRoot: true,
    runAsUser: 10001,
    runAsGroup: 10001,
    fsGroup: 10001,
    seccompProfile: { type: 'RuntimeDefault' },
  });
  expect(CONTAINER_SECURITY).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
});

describe('containerResources', () => {
  test('are the defaults where nothing is given', () => {
    expect(plain(resources().merged)).toEqual({
      requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' },
    });
  });

  test('a field that is given replaces that field only', () => {
    const { merged, faults } = resources({ cpuLimit: '2', memoryRequest: Size.mebibytes(512) });
    expect(faults).toEqual([]);
    expect(plain(merged)).toEqual({
      requests: { cpu: '100m', memory: '512Mi', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '1Gi' },
    });
  });

  test('a field that is undefined keeps its default', () => {
    const { merged, faults } = resources({ cpuRequest: undefined, cpuLimit: '3', memoryRequest: undefined, memoryLimit: undefined });
    expect(faults).toEqual([]);
    expect(plain(merged)).toEqual({
      requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '3', memory: '1Gi', 'ephemeral-storage': '1Gi' },
    });
  });

  test('a request may be as high as its limit, in another unit too', () => {
    expect(resources({ cpuRequest: '1000m', memoryRequest: Size.mebibytes(1024) }).faults).toEqual([]);
  });

  test('a request of CPU above the limit is a fault', () => {
    expect(resources({ cpuRequest: '1500m' }).faults).toEqual([
      '[test/Part] resources.cpuRequest: got "1500m". Rule: a request is not above its limit, here resources.cpuLimit = 1. ' +
        'Fix: lower resources.cpuRequest or raise resources.cpuLimit.',
    ]);
  });

  test('a request of memory above the limit is a fault', () => {
    expect(resources({ memoryLimit: Size.mebibytes(128) }).faults).toEqual([
      '[test/Part] resources.memoryRequest: got "256Mi". Rule: a request is not above its limit, here resources.memoryLimit = 128Mi. ' +
        'Fix: lower resources.memoryRequest or raise resources.memoryLimit.',
    ]);
  });

  test.each<[keyof ContainerResources, unknown]>([
    ['cpuRequest', 1],
    ['cpuRequest', 'half'],
    ['cpuLimit', 'all'],
    ['memoryRequest', '256Mi'],
    ['memoryRequest', Size.gibibytes(0)],
    ['memoryLimit', 1024],
  ])('%s cannot be %j', (field, value) => {
    const prefix = `[test/Part] resources.${field}: got `;
    expect(resources({ [field]: value }).faults.filter((fault) => fault.startsWith(prefix))).toHaveLength(1);
  });

  test.each<[string, (chart: Chart, given: ContainerResources) => unknown]>([
    ['Minio', (chart, given) => new Minio(chart, 'X', { resources: given })],
    ['Postgres', (chart, given) => new Postgres(chart, 'X', { resources: given })],
    [
      'TrackingServer',
      (chart, given) =>
        new TrackingServer(chart, 'X', {
          backendStore: { uri: 'sqlite:////tmp/mlflow.db', environment: [] },
          artifactStore: { artifactsDestination: 's3://bucket', environment: [] },
          resources: given,
        }),
    ],
  ])('%s reports what is wrong in its resources', (_, construct) => {
    const chart = Testing.chart();
    construct(chart, { cpuRequest: '4', cpuLimit: '3' });
    expect(faults(chart)).toEqual([
      '[test/X] resources.cpuRequest: got "4". Rule: a request is not above its limit, here resources.cpuLimit = 3. ' +
        'Fix: lower resources.cpuRequest or raise resources.cpuLimit.',
    ]);
  });
});

test('the resources of a bootstrap container', () => {
  expect(plain(containerResources(new PropChecks(new Construct(Testing.chart(), 'Part')), undefined, BOOTSTRAP_RESOURCES, '256Mi'))).toEqual({
    requests: { cpu: '50m', memory: '64Mi', 'ephemeral-storage': '64Mi' },
    limits: { cpu: '500m', memory: '256Mi', 'ephemeral-storage': '256Mi' },
  });
});

test('emptyDir is on disk, or in memory', () => {
  expect(emptyDir('tmp', '64Mi')).toEqual({ name: 'tmp', emptyDir: { sizeLimit: k8s.Quantity.fromString('64Mi') } });
  expect(emptyDir('tmp', '1Mi', true)).toEqual({ name: 'tmp', emptyDir: { sizeLimit: k8s.Quantity.fromString('1Mi'), medium: 'Memory' } });
});

test('envFromSecret refers to a key of a Secret', () => {
  expect(envFromSecret('PGUSER', 'postgres-user', 'username')).toEqual({
    name: 'PGUSER',
    valueFrom: { secretKeyRef: { name: 'postgres-user', key: 'username' } },
  });
});
