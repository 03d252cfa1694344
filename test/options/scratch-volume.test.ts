import { Size } from 'cdk8s';
import { ScratchVolume } from '../../lib';
import { get } from '../helpers';
import { synth, told, wrong } from '../tracking-server/server';

const pod = (props: object) => get(synth(props), 'Deployment', 'mlflow').spec.template.spec;
const tmp = (props: object) => pod(props).volumes.find(({ name }: { name: string }) => name === 'tmp');

test('a folder of the node, so that a cluster needs no storage class', () => {
  for (const scratchVolume of [undefined, ScratchVolume.emptyDir()]) {
    expect(tmp({ scratchVolume })).toEqual({ name: 'tmp', emptyDir: { sizeLimit: '10Gi' } });
    expect(pod({ scratchVolume }).containers[0].resources.limits['ephemeral-storage']).toBe('10496Mi');
  }
});

test('a volume that comes and goes with the pod, whose size is none of the disk of the node', () => {
  const scratchVolume = ScratchVolume.ephemeral({ storageClassName: 'fast' });
  const { ephemeral } = tmp({ scratchVolume, scratchSize: Size.gibibytes(50) });
  expect(ephemeral.volumeClaimTemplate.spec).toEqual({ accessModes: ['ReadWriteOnce'], storageClassName: 'fast', volumeMode: 'Filesystem', resources: { requests: { storage: '50Gi' } } });
  expect(pod({ scratchVolume, scratchSize: Size.gibibytes(50) }).containers[0].resources.limits['ephemeral-storage']).toBe('256Mi');
});

test('of the default class', () => expect(tmp({ scratchVolume: ScratchVolume.ephemeral() }).ephemeral.volumeClaimTemplate.spec).not.toHaveProperty('storageClassName'));

test.each<[object | string, string, string, string]>([
  ['ephemeral', 'scratchVolume', 'a string', 'it is an object'],
  [{}, 'scratchVolume', 'an object with nothing in it', 'it is a ScratchVolume'],
  [ScratchVolume.ephemeral({ storageClassName: 'Fast Disk' }), 'scratchVolume.storageClassName', '"Fast Disk"', 'RFC 1123 subdomain'],
  [ScratchVolume.ephemeral({ className: 'fast' } as never), 'scratchVolume.className', 'a string', 'no prop of this name'],
])('%j is refused', (scratchVolume, prop, got, rule) => expect(wrong({ scratchVolume })).toEqual([told(prop, got, rule, '')]));
