import { Fault } from './fault';

/**
 * What a prop is. A `value` is checked where it is used; the rest is what would otherwise break the program of somebody
 * who has no compiler, with a stack trace from inside this library.
 */
export type Kind = 'value' | 'string' | 'boolean' | 'list' | 'labels' | { readonly [member: string]: Kind };

/** All props of a construct: the compiler wants each of them named. */
export type Shape<Props> = { readonly [Prop in keyof Required<Props>]: Kind };

const LABEL_KEY = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$/;
const LABELS_RULE = 'labels are an object of valid keys with texts as values (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set)';

/** The props that have the right shape, and a fault for each that has not. `prefix` stands before their names. */
export function shaped<Props extends object>(props: Props, shape: Shape<Props>, report: (fault: Fault) => void, prefix = ''): Props {
  const names = Object.keys(shape);
  if (!isObject(props)) {
    const prop = prefix === '' ? 'props' : prefix.slice(0, -1);
    report({ prop, value: props, rule: 'props are one object, whose members are named', fix: `pass an object with any of ${names.join(', ')}` });
    return {} as Props;
  }
  if (constructPath(props) !== undefined) {
    const prop = prefix === '' ? 'props' : prefix.slice(0, -1);
    const example = names.includes('name') ? `, such as { ${names.includes('create') ? 'create: false, ' : ''}name: … } with the name of this construct` : '';
    report({ prop, value: props, hidden: true, rule: 'it is a plain object, and no construct', fix: `pass an object with any of ${names.join(', ')}${example}` });
    return {} as Props;
  }
  const good: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(props)) {
    const kind = (shape as { [name: string]: Kind })[name] as Kind | undefined;
    if (value === undefined || value === null) continue;
    if (kind === undefined) {
      const near = nearest(name, names);
      const fix = near === undefined ? `leave it out, or pass one of ${names.join(', ')}` : `did you mean ${prefix}${near}?`;
      report({ prop: `${prefix}${name}`, value, hidden: true, rule: 'there is no prop of this name', fix });
    } else if (fits(value, kind)) {
      good[name] = value;
    } else {
      report({ prop: `${prefix}${name}`, value, hidden: typeof kind === 'object' || kind === 'value' || (kind === 'list' && isObject(value)), ...wanted(kind) });
    }
  }
  return good as Props;
}

function wanted(kind: Kind): { rule: string; fix: string } {
  if (kind === 'labels') return { rule: LABELS_RULE, fix: 'pass labels such as { team: "vision" }' };
  if (kind === 'value') return { rule: 'it is a text, a number or an object of cdk8s', fix: 'pass a value of the type in the documentation' };
  if (typeof kind !== 'object') return { rule: `it is a ${kind}`, fix: `pass a ${kind}` };
  const members = Object.keys(kind).join(', ');
  if ('usernameKey' in kind) return { rule: `it is an object that has ${members}`, fix: 'pass Credentials.fromSecretName(this, "User", "my-secret") with the name of the Secret' };
  return { rule: `it is an object${members === '' ? '' : ` that has ${members}`}`, fix: 'pass such an object, or leave the prop out' };
}

/** Whether the value can be used as one of this kind. */
export function fits(value: unknown, kind: Kind): boolean {
  if (kind === 'value') return isPrintable(value);
  if (kind === 'list') return Array.isArray(value);
  if (!isObject(value)) return typeof value === kind;
  if (kind === 'labels') return Object.entries(value).every(([key, text]) => LABEL_KEY.test(key) && typeof text === 'string' && LABEL_VALUE.test(text));
  return typeof kind === 'object' && Object.entries(kind).every(([member, inner]) => fits((value as { [member: string]: unknown })[member], inner));
}

/** The path of a construct, such as an object of any version of cdk8s-plus, or of what has been spread from one. */
export function constructPath(value: unknown): string | undefined {
  const node = (value as { node?: { path?: unknown; addValidation?: unknown } } | null | undefined)?.node;
  return typeof node?.addValidation === 'function' ? String(node.path) : undefined;
}

/** What a value is, without what is in it, which may be a secret. */
export function described(value: unknown): string {
  const path = constructPath(value);
  if (path !== undefined) return `the ${path === '' ? 'root of the app' : `construct "${path}"`}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return `an object with ${Object.keys(value).slice(0, 10).join(', ') || 'nothing in it'}`;
  return value === null || value === undefined ? String(value) : `a ${typeof value}`;
}

/** Whether a template string can take the value, as it does here and there before all checks are through. */
function isPrintable(value: unknown): boolean {
  try {
    return `${value as string}`.length >= 0;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The name that differs least, if it is near enough to be what was meant. */
function nearest(wrong: string, names: string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, distance: distance(wrong.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return best.distance <= Math.max(2, wrong.length / 3) ? best.name : names.find((name) => beginsWith(wrong, name) || beginsWith(name, wrong));
}

function beginsWith(text: string, beginning: string): boolean {
  return text.toLowerCase().startsWith(beginning.toLowerCase());
}

/** Levenshtein distance: how many letters to add, remove or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) row.push(Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
  }
  return row[b.length];
}
