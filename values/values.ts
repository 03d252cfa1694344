import Ajv, { ErrorObject } from 'ajv';
import { Size } from 'cdk8s';
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { described, shaped } from '../lib/validation/prop-shape';

/** Values of one environment, as `schema.json` describes them. */
export interface Values {
  readonly namespace?: string;
  readonly image?: string;
  readonly imageRegistry?: string;
  readonly replicas?: number;
  readonly workers?: number;
  readonly resources?: 'SMALL' | 'MEDIUM' | 'LARGE';
  readonly databaseStorage?: string;
  readonly artifactStorage?: string;
  readonly storageClass?: string;
  readonly host?: string;
  readonly ingressClass?: string;
  readonly issuer?: string;
}

interface Schema {
  readonly properties: { readonly [key: string]: { readonly description: string; readonly type?: string; readonly examples: unknown[] } };
}

/** The name of the package, since names such as STACK_ROOT and MLFLOW_HOST belong to other programs. */
const PREFIX = 'CDK8S_MLFLOW_';
const SCHEMA = 'values/schema.json';

/**
 * The values of the environments: those in `values/<environment>.yaml`, and over them those in environment variables, of
 * which `CDK8S_MLFLOW_PROD_IMAGE` is the value `image` of `prod`.
 *
 * @throws one error with all that is wrong in files and variables
 */
export function readValues<Environment extends string>(environments: Environment[]): { [name in Environment]: Values } {
  const schema = JSON.parse(readFileSync(SCHEMA, 'utf8')) as Schema;
  const validate = new Ajv({ allErrors: true }).compile<Values>(schema);
  const keys = Object.keys(schema.properties);
  const variables = new Map(environments.flatMap((environment) => keys.map((key) => [variable(environment, key), { environment, key }])));
  const given = Object.keys(process.env).filter((name) => name.startsWith(PREFIX)).sort();
  const faults = given.filter((name) => !variables.has(name)).map((name) => unknownVariable(name, [...variables.keys()]));

  const values = environments.map((environment) => {
    const file = `values/${environment}.yaml`;
    const sources = new Map(given.flatMap((name) => (variables.get(name)?.environment === environment ? [[variables.get(name)!.key, name]] : [])));
    const overrides = [...sources].map(([key, name]) => [key, typed(process.env[name]!, schema.properties[key].type)]);
    try {
      const merged: unknown = { ...mapping(file), ...Object.fromEntries(overrides) };
      if (validate(merged)) return [environment, merged];
      faults.push(...validate.errors!.map((error) => explained(error, schema, merged as { [key: string]: unknown }, (key) => sources.get(key) ?? file)));
    } catch (error) {
      faults.push((error as Error).message);
    }
    return [environment, {}];
  });
  if (faults.length > 0) throw new Error(['Wrong values:', ...faults].join('\n  '));
  return Object.fromEntries(values) as { [name in Environment]: Values };
}

/** A size in Gi as cdk8s has it. */
export function size(text: string | undefined): Size | undefined {
  return text === undefined ? undefined : Size.gibibytes(parseInt(text, 10));
}

/** What is in the file; nothing where there are only comments. */
function mapping(file: string): object {
  const document = parseDocument(textOf(file));
  const [error] = document.errors;
  // the lines below the first one are those of the file
  if (error !== undefined) throw new Error(fault(file, undefined, 'no valid YAML', error.message.split('\n')[0].replace(/:$/, ''), 'mend this line'));
  const content: unknown = document.toJS() ?? {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new Error(fault(file, undefined, described(content), 'a file has keys with their values', 'write lines such as "replicas: 2"'));
  }
  return content as object;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(fault(file, undefined, code!, 'each environment in main.ts has a file with its values', 'write the file; it may be empty'));
  }
}

/** The text of a variable as the type that the schema wants, where it is one. */
function typed(text: string, type: string | undefined): unknown {
  return type === 'integer' && /^[0-9]+$/.test(text) ? Number(text) : text;
}

function explained(error: ErrorObject, { properties }: Schema, values: { [key: string]: unknown }, sourceOf: (key: string) => string): string {
  if (error.keyword === 'additionalProperties') {
    const { additionalProperty: key } = error.params as { additionalProperty: string };
    return fault(sourceOf(key), key, described(values[key]), `there is no value of this name (${SCHEMA})`, suggestion(key, Object.keys(properties)));
  }
  if (error.keyword === 'dependencies') {
    const { property: key, missingProperty: other } = error.params as { property: string; missingProperty: string };
    return fault(sourceOf(key), key, JSON.stringify(values[key]), `${key} does nothing without ${other}`, `add ${other}, or leave ${key} out`);
  }
  const key = error.instancePath.slice(1);
  const source = sourceOf(key);
  const { description, examples } = properties[key];
  const example = source.startsWith(PREFIX) ? `set ${source}=${String(examples[0])}` : `write ${key}: ${String(examples[0])}`;
  return fault(source, key, JSON.stringify(values[key]), `it is ${description}`, example);
}

function unknownVariable(name: string, names: string[]): string {
  const rest = name.slice(PREFIX.length);
  const anyEnvironment = names.filter((known) => known.endsWith(`_${rest}`));
  const meant = suggestion(rest, names.map((known) => known.slice(PREFIX.length))).match(/^did you mean (.*)/)?.[1];
  let fix = `unset it, or take a name such as ${names[0]}: ${SCHEMA} has the values`;
  if (anyEnvironment.length > 0) fix = `did you mean ${anyEnvironment.join(' or ')}?`;
  else if (meant !== undefined) fix = `did you mean ${PREFIX}${meant}`;
  return fault(name, undefined, described(process.env[name]), 'there is no value for a variable of this name', fix);
}

/** What was meant by a name that is none of these, in the words of the library. */
function suggestion(wrong: string, names: string[]): string {
  const fixes: string[] = [];
  shaped({ [wrong]: '' }, Object.fromEntries(names.map((name) => [name, 'value' as const])), (found) => fixes.push(found.fix));
  return fixes[0];
}

/** As the library says it; a variable has the name of its value in it. */
function fault(source: string, key: string | undefined, value: string, rule: string, fix: string): string {
  return `[${source}]${key === undefined || source.startsWith(PREFIX) ? '' : ` ${key}:`} got ${value}. Rule: ${rule}. Fix: ${fix}.`;
}

function variable(environment: string, key: string): string {
  const name = `${environment}_${key.replace(/[A-Z]/g, '_$&')}`;
  return PREFIX + name.replaceAll('-', '_').toUpperCase();
}
