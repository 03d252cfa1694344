import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

interface Crd {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

interface Schema {
  [keyword: string]: unknown;
}

const TEXTS = { type: 'object', additionalProperties: { type: 'string' } };
/** What a manifest says of an object; a CRD leaves it out. */
const METADATA = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: { name: { type: 'string' }, namespace: { type: 'string' }, labels: TEXTS, annotations: TEXTS },
};

/** Where kubeconform finds the schemas that `writeCrdSchemas` wrote. */
export function crdSchemaLocation(folder: string): string {
  return join(folder, '{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json');
}

/** The schemas of CustomResourceDefinitions as JSON schemas, in which a field that the API server would drop is an error. */
export function writeCrdSchemas(folder: string, files: string[]): void {
  for (const file of files) {
    const { spec } = parse(readFileSync(file, 'utf8')) as Crd;
    for (const { name, schema } of spec.versions) {
      const path = join(folder, spec.group, `${spec.names.kind.toLowerCase()}_${name}.json`);
      mkdirSync(dirname(path), { recursive: true });
      const { properties, ...rest } = schema.openAPIV3Schema;
      writeFileSync(path, JSON.stringify(strict({ ...rest, properties: { ...(properties as Schema), metadata: METADATA } })));
    }
  }
}

/** anyOf, oneOf, allOf and not stay as they are: each has a part of the fields only, and has to allow the others. */
function strict(schema: Schema): Schema {
  if (schema['x-kubernetes-int-or-string'] === true) return { type: ['integer', 'string'], ...(schema.pattern !== undefined && { pattern: schema.pattern }) };
  const { properties, items, additionalProperties, ...rest } = schema as { properties?: { [name: string]: Schema }; items?: Schema; additionalProperties?: Schema | boolean } & Schema;
  return {
    ...rest,
    ...(schema.nullable === true && { type: [schema.type, 'null'] }),
    ...(items && { items: strict(items) }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, strict(inner)])),
      additionalProperties: schema['x-kubernetes-preserve-unknown-fields'] === true,
    }),
    ...(additionalProperties !== undefined && { additionalProperties: typeof additionalProperties === 'object' ? strict(additionalProperties) : additionalProperties }),
  };
}
