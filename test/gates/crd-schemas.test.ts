import Ajv from 'ajv';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, scratch } from '../run-script';
import { crdSchemaLocation, writeCrdSchemas } from './crd-schemas';

/** What a schema finds in the objects of kind Thing that have this spec. */
function findings(schema: object, ...specs: unknown[]): (string | undefined)[] {
  const crd = {
    spec: {
      group: 'example.com',
      names: { kind: 'Thing' },
      versions: [{ name: 'v1', schema: { openAPIV3Schema: { type: 'object', properties: { apiVersion: {}, kind: {}, metadata: { type: 'object' }, spec: schema } } } }],
    },
  };
  const folder = scratch({ 'crd.yaml': JSON.stringify(crd) });
  writeCrdSchemas(folder, [join(folder, 'crd.yaml')]);
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(readFileSync(join(folder, 'example.com/thing_v1.json'), 'utf8')));
  return specs.map((spec) => (validate({ apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'a' }, spec }) ? undefined : validate.errors![0].message));
}

const NO_OTHER = 'must NOT have additional properties';

test('a field that is in no schema is an error, at any depth', () => {
  const inner = { type: 'object', properties: { known: { type: 'string' } } };
  const schema = { type: 'object', properties: { one: inner, list: { type: 'array', items: inner }, map: { type: 'object', additionalProperties: inner } } };
  const good = { known: 'x' };
  const bad = { unknown: 'x' };
  expect(findings(schema, { one: good, list: [good], map: { a: good } }, { other: 1 }, { one: bad }, { list: [bad] }, { map: { a: bad } })).toEqual([
    undefined,
    NO_OTHER,
    NO_OTHER,
    NO_OTHER,
    NO_OTHER,
  ]);
});

test('a field that Kubernetes keeps without a schema is none', () => {
  const free = { type: 'object', properties: { a: {} }, 'x-kubernetes-preserve-unknown-fields': true };
  expect(findings(free, { b: 1 })).toEqual([undefined]);
  expect(findings({ type: 'object' }, { b: 1 })).toEqual([undefined]);
});

test('types that JSON schemas do not have', () => {
  const either = { anyOf: [{ type: 'integer' }, { type: 'string' }], pattern: '^[0-9]+%?$', 'x-kubernetes-int-or-string': true };
  expect(findings(either, 1, '50%', 'half', true)).toEqual([undefined, undefined, 'must match pattern "^[0-9]+%?$"', 'must be integer,string']);
  expect(findings({ type: 'string', nullable: true }, 'x', null, 1)).toEqual([undefined, undefined, 'must be string,null']);
});

test('alternatives leave the fields beside them alone', () => {
  const schema = { type: 'object', properties: { a: {}, b: {} }, anyOf: [{ required: ['a'], properties: { a: { type: 'string' } } }, { required: ['b'] }] };
  expect(findings(schema, { a: 'x', b: 1 }, { a: 1 }, { a: 'x', c: 1 })).toEqual([undefined, 'must be string', NO_OTHER]);
});

test('each version of a CRD has its file, where kubeconform looks for it', () => {
  const folder = scratch();
  const crds = join(ROOT, 'imports/crds');
  writeCrdSchemas(folder, readdirSync(crds).map((file) => join(crds, file)));
  expect(readdirSync(join(folder, 'gateway.networking.k8s.io')).sort()).toEqual(['httproute_v1.json', 'httproute_v1beta1.json']);
  expect(readdirSync(join(folder, 'monitoring.coreos.com')).sort()).toEqual(['podmonitor_v1.json', 'prometheusrule_v1.json', 'servicemonitor_v1.json']);
  expect(crdSchemaLocation('/schemas')).toBe('/schemas/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json');
});
