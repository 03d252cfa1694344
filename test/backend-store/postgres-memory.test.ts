import { Chart, Size, Testing } from 'cdk8s';
import { ContainerResources, Postgres, TrackingServer } from '../../lib';
import { artifactStore, told } from '../tracking-server/server';
import { containers, faults, get } from '../helpers';

function stack(props: object = {}, resources?: ContainerResources): Chart {
  const chart = Testing.chart();
  const backendStore = new Postgres(chart, 'Postgres', { instance: 'mlflow', resources });
  new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, ...props });
  return chart;
}

/** Limit of the memory, and how much of it queries may share. */
function memory(chart: Chart): string[] {
  const set = get(Testing.synth(chart), 'StatefulSet', 'postgres');
  const shm = set.spec.template.spec.volumes.find(({ name }: { name: string }) => name === 'shm');
  expect(shm.emptyDir.medium).toBe('Memory');
  expect(containers(set)[0].volumeMounts).toContainEqual({ name: 'shm', mountPath: '/dev/shm' });
  return [containers(set)[0].resources.limits.memory, shm.emptyDir.sizeLimit];
}

test('one server is well served by the default, an eighth of which parallel queries may share', () => {
  expect(memory(stack())).toEqual(['1Gi', '128Mi']);
});

// 90 connections of a process and 4 of its pod, of 4 MiB each, 160 MiB besides, and an eighth more
test('more processes open more connections, whose memory is there', () => {
  expect(memory(stack({ replicas: 2, workers: 2 }))).toEqual(['2Gi', '256Mi']);
  expect(memory(stack({ replicas: 2, workers: 2, settings: { connectionPool: { size: 5, maxOverflow: 36 } } }))).toEqual(['1280Mi', '160Mi']);
});

test('a limit that is given stays', () => {
  expect(memory(stack({}, { memoryLimit: Size.gibibytes(3) }))).toEqual(['3Gi', '384Mi']);
});

test('a request above the default raises the limit with it', () => {
  const request = (mebibytes: number) => memory(stack({}, { memoryRequest: Size.mebibytes(mebibytes) }));
  expect(request(1024)).toEqual(['1Gi', '128Mi']);
  expect(request(2000)).toEqual(['2000Mi', '250Mi']);
});

test('one that does not hold the connections is told', () => {
  const limit = (mebibytes: number) => faults(stack({}, { memoryLimit: Size.mebibytes(mebibytes) }));
  expect(limit(618)).toEqual([]);
  expect(limit(617)).toEqual([
    told('resources.memoryLimit', '"617Mi"', 'the tracking servers open up to 95 connections under load, of 4 MiB each, so that PostgreSQL needs 618Mi', 'raise it or leave it out', 'Postgres'),
  ]);
});

test('without a server there is nothing to hold', () => {
  const chart = Testing.chart();
  new Postgres(chart, 'Postgres', { resources: { memoryLimit: Size.mebibytes(256) } });
  expect(memory(chart)).toEqual(['256Mi', '32Mi']);
});
