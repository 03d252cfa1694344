import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Yaml } from 'cdk8s';

const folder = mkdtempSync(join(tmpdir(), 'mlflow-'));
execFileSync(process.execPath, ['--import', 'tsx', 'main.ts'], { env: { ...process.env, CDK8S_OUTDIR: folder }, stdio: 'inherit' });
const objects = readdirSync(folder).flatMap((file) => Yaml.load(join(folder, file)));
const [values] = Yaml.load('values.yaml');
const one = (kind: string, name: string) => objects.find((object) => object.kind === kind && object.metadata.name === name);

test('everything is in the namespace of values.yaml', () => {
  assert.deepEqual([...new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []))], [values.namespace]);
  assert.ok(one('Namespace', values.namespace));
});

test('there is as much as values.yaml says', () => {
  const size = (store: string) => one('StatefulSet', store).spec.volumeClaimTemplates[0].spec.resources.requests.storage;
  assert.equal(one('Deployment', 'mlflow').spec.replicas, values.replicas);
  assert.deepEqual([size('postgres'), size('minio')], [`${values.databaseGiB}Gi`, `${values.artifactsGiB}Gi`]);
});

test('no value of a Secret stands in the manifests', () => {
  const secrets = objects.filter(({ kind }) => kind === 'Secret');
  assert.ok(secrets.length > 0);
  for (const { metadata, data, stringData } of secrets) assert.deepEqual([metadata.name, data, stringData], [metadata.name, undefined, undefined]);
});

test('every image has a version', () => {
  const images = JSON.stringify(objects).match(/"image":"[^"]+"/g) ?? [];
  assert.ok(images.length > 0);
  for (const image of images) assert.match(image, /:(?!latest")[\w.-]+(@sha256:[0-9a-f]{64})?"$/);
});
