import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { changesOf } from '../../cli/diff/changes';
import { Json, Manifest, Manifests } from '../../cli/diff/manifests';
import { refused } from '../../cli/diff/refused';
import { Review } from '../../cli/diff/review';

interface Change {
  readonly kind: string;
  readonly with?: { [path: string]: Json };
  readonly set: { [path: string]: Json };
  readonly refused?: string;
}

// test/e2e/test_refused.py asks a real API server what it refuses of these
const { objects, changes } = JSON.parse(readFileSync(join(__dirname, 'refused.json'), 'utf8')) as { objects: { [kind: string]: Json }; changes: Change[] };

function made(kind: string, ...paths: { [path: string]: Json }[]): Json {
  const object = structuredClone({ ...objects[kind], kind, metadata: { name: 'a', namespace: 'mlflow' } }) as Json;
  for (const [path, value] of paths.flatMap(Object.entries)) {
    const parents = path.split('/').slice(1);
    const last = parents.pop()!;
    const place = parents.reduce((inner, key) => inner[key] as Json, object);
    if (value === null) Reflect.deleteProperty(place as object, last);
    else place[last] = value;
  }
  return object;
}

function side(object: Json): Manifests {
  const manifest: Manifest = { file: 'a.yaml', group: '', kind: object.kind, namespace: 'mlflow', name: 'a', object };
  return new Map([['a', manifest]]);
}

test.each(changes.map((change) => [change.kind, JSON.stringify(change.set), change] as const))('%s %s', (kind, _, change) => {
  const [base, head] = [side(made(kind, change.with ?? {})), side(made(kind, change.with ?? {}, change.set))];
  const found = refused(new Review(base, head, changesOf(base, head)));
  const name = kind === 'Deployment' || kind === 'CronJob' ? 'a' : `${kind} a`;
  expect(found.map(({ text }) => text)).toEqual(change.refused === undefined ? [] : [`refused by Kubernetes: ${name}, ${change.refused}`]);
});

test.each([
  ['a larger volume', { '/spec/volumeClaimTemplates/0/spec/resources/requests/storage': '100Gi' }, 'how-to/operate.md#a-larger-volume'],
  ['a smaller one', { '/spec/volumeClaimTemplates/0/spec/resources/requests/storage': '10Gi' }, 'upgrade.md#what-cannot-be-changed'],
  ['another class', { '/spec/volumeClaimTemplates/0/spec/storageClassName': 'b', '/spec/volumeClaimTemplates/0/spec/resources/requests/storage': '100Gi' }, 'upgrade.md#what-cannot-be-changed'],
])('the link of %s is to its page', (_, set, page) => {
  const [base, head] = [side(made('StatefulSet')), side(made('StatefulSet', set))];
  expect(refused(new Review(base, head, changesOf(base, head)))[0].link!.url).toContain(page);
});

test('a claim may grow, and an object of another name is another object', () => {
  const [base, head] = [side(made('PersistentVolumeClaim')), side(made('PersistentVolumeClaim', { '/spec/resources/requests/storage': '100Gi' }))];
  expect(refused(new Review(base, head, changesOf(base, head)))).toEqual([]);
  const job = (name: string, image: string): Manifests => new Map([[name, { file: '', group: 'batch', kind: 'Job', namespace: 'mlflow', name, object: made('Job', { '/spec/template/spec/containers/0/image': image }) }]]);
  const [old, fresh] = [job('fill-25494bb8cb', 'a'), job('fill-3964f8c7bc', 'b')];
  expect(changesOf(old, fresh).map(({ action }) => action)).toEqual(['replaced']);
  expect(refused(new Review(old, fresh, changesOf(old, fresh)))).toEqual([]);
});
