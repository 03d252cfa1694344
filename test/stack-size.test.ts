import { Size, Testing } from 'cdk8s';
import { Images, MlflowStack, MlflowStackProps, Postgres, StackSize } from '../lib';
import { containers, faults, get, ofKind } from './helpers';

const synth = (props: MlflowStackProps) => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', props);
  return Testing.synth(chart);
};
const resources = (props: MlflowStackProps, kind: string, name: string) => containers(get(synth(props), kind, name))[0].resources as { [of: string]: { [resource: string]: string } };
const tiny = { size: StackSize.TINY };

test('the default is the one without a size', () => {
  expect(synth({ size: StackSize.DEFAULT })).toEqual(synth({}));
});

test.each([
  ['Deployment', 'mlflow', '100m', '416Mi'],
  ['Deployment', 'mlflow-monitor', '10m', '96Mi'],
  ['StatefulSet', 'postgres', '50m', '64Mi'],
  ['StatefulSet', 'minio', '50m', '256Mi'],
])('%s %s of a tiny stack asks for less, and may take what it could', (kind, name, cpu, memory) => {
  const { requests, limits } = resources(tiny, kind, name);
  expect(requests).toMatchObject({ cpu, memory });
  const { limits: before } = resources({}, kind, name);
  expect(limits).toEqual(before);
});

test('its volumes and its Jobs are small', () => {
  const objects = synth(tiny);
  for (const { spec } of ofKind(objects, 'StatefulSet')) expect(spec.volumeClaimTemplates.map((claim: { spec: { resources: object } }) => claim.spec.resources)).toEqual([{ requests: { storage: '1Gi' } }]);
  const jobs = ofKind(objects, 'Job');
  expect(jobs.length).toBeGreaterThan(2);
  for (const job of jobs) for (const container of containers(job)) expect([job.metadata.name, container.resources.requests]).toEqual([job.metadata.name, expect.objectContaining({ cpu: '10m', memory: '32Mi' })]);
});

test('it is the same stack otherwise', () => {
  const without = (text: string) => text.replace(/"resources":\{("(limits|requests)":\{[^}]*\},?)+\}|"[^"]*(hash|checksum|uid)[^"]*":"[^"]*"/g, '');
  const kinds = (props: MlflowStackProps) => synth(props).map(({ kind, metadata }) => `${kind} ${String(metadata.name).replace(/-[0-9a-f]{10}$/, '')}`).sort();
  expect(kinds(tiny)).toEqual(kinds({}));
  const env = (props: MlflowStackProps) => without(JSON.stringify(containers(get(synth(props), 'Deployment', 'mlflow'))[0].args));
  expect(env(tiny)).toBe(env({}));
});

test('what a part is given goes over it, field by field', () => {
  const own = { trackingServer: { resources: { memoryRequest: Size.mebibytes(500) } }, pod: { bootstrapResources: { cpuRequest: '20m' } } };
  expect(resources({ ...tiny, ...own }, 'Deployment', 'mlflow')).toMatchObject({ requests: { cpu: '100m', memory: '500Mi' } });
  const [job] = ofKind(synth({ ...tiny, ...own }), 'Job');
  expect(containers(job)[0].resources.requests).toMatchObject({ cpu: '20m', memory: '32Mi' });
});

test('a store that is passed keeps what it has', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { ...tiny, backendStore: new Postgres(chart, 'Database', { instance: 'mlflow' }) });
  expect(containers(get(Testing.synth(chart), 'StatefulSet', 'postgres'))[0].resources.requests).toMatchObject({ cpu: '100m', memory: '256Mi' });
});

test.each([['huge', '"huge"'], [1, '1'], [{}, '{}']])('a size cannot be %j', (size, got) => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { size: size as StackSize, trackingServer: { image: Images.MLFLOW } });
  expect(faults(chart)).toEqual([`[test/Stack] size: got ${got}. Rule: the size of a stack is one of tiny, default. Fix: pass one of them.`]);
});
