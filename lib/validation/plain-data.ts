import { Fault } from './fault';
import { constructPath } from './prop-shape';

/** What the manifest of an object may have in it. */
const API = 'https://kubernetes.io/docs/concepts/overview/working-with-objects/#required-fields';

/** A fault where something in an object of the API of Kubernetes could not be written, or would be left out without a word. What the object is has been checked. */
export function brokenData(prop: string, object: object): Fault | undefined {
  if (object.constructor?.name !== 'Object') return undefined;
  // the value of a variable is checked where its name is known
  const fields = Object.entries(object).filter(([name]) => name !== 'value');
  const [field, inner] = fields.find(([name, value]) => /Ref$/.test(name) && value !== undefined && value !== null && typeof value !== 'object') ?? [];
  if (field === undefined) return first(fields.map(([name, value]) => [`${prop}.${name}`, value]));
  const example = /KeyRef$/.test(field) ? '{ name: "my-secret", key: "value" }' : field === 'fieldRef' ? '{ fieldPath: "metadata.name" }' : '{ name: "my-secret" }';
  return { prop: `${prop}.${field}`, value: inner, hidden: true, rule: `a reference is an object (${API})`, fix: `pass ${example}` };
}

function brokenValue(prop: string, value: unknown): Fault | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (constructPath(value) !== undefined) {
    return { prop, value, hidden: true, rule: `it is data of the API of Kubernetes, and no construct (${API})`, fix: 'pass the name of this construct, where a name is wanted' };
  }
  if (Array.isArray(value)) return first(value.map((item, index) => [`${prop}[${index}]`, item]));
  if (isWritten(value)) return undefined;
  if (value.constructor?.name !== 'Object') {
    const spread = 'valueFrom' in value ? 'spread an EnvValue of cdk8s-plus into the variable: { name: …, ...value }' : 'pass a plain object with the fields of the API';
    return { prop, value, hidden: true, rule: `it is data of the API of Kubernetes, and no object of a class (${API})`, fix: spread };
  }
  return brokenData(prop, value);
}

function first(inner: [string, unknown][]): Fault | undefined {
  for (const [prop, value] of inner) {
    const found = brokenValue(prop, value);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether cdk8s knows how to write it: a value that is known at synth, or one of the API's classes for "text or number", whose names a bundler may change. */
function isWritten(value: object): boolean {
  const [[field, inner] = [], ...more] = Object.entries(value);
  return typeof (value as { produce?: unknown }).produce === 'function' || (more.length === 0 && field === 'value' && ['string', 'number'].includes(typeof inner));
}
