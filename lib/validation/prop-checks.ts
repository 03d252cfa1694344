import { Chart, Duration, Size } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { Fault } from './fault';
import { brokenData } from './plain-data';
import { Notes } from '../kube/notes';
import { canonicalBytes, canonicalCpu, quantity } from './quantity';
import { Kind, Shape, constructPath, described, fits, shaped } from './prop-shape';
import { spelled } from './spelling';

/** The namespace when neither the prop nor the chart names one. */
const DEFAULT_NAMESPACE = 'mlflow';

const LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const IMAGE = new RegExp(
  '^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?' + // registry, with its port
    '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*' + // repository
    '(?::[\\w][\\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$',
);

/**
 * Collects the wrong props of one construct and gives them to cdk8s as validation errors, so that one synth
 * reports the faults of all constructs, each behind the path of its construct.
 */
export class PropChecks {
  /** Checks whose faults nobody hears, of what tells its own elsewhere. */
  public static unheard(): PropChecks {
    return new PropChecks(new Construct(undefined as never, ''));
  }

  private readonly faults: Fault[] = [];

  /**
   * @param scope the construct whose props these are
   * @param sources constructs whose props it takes over, and which tell what is wrong in them
   */
  public constructor(
    public readonly scope: Construct,
    private readonly sources: IConstruct[] = [],
  ) {
    const siblings = CHECKS.get(scope) ?? [];
    CHECKS.set(scope, [...siblings, this]);
    scope.node.addValidation({ validate: () => [...new Set(this.faults.filter((fault) => !this.isInherited(fault)).map((fault) => message(spelled(fault))))] });
  }

  /** Some props go down from construct to construct: a wrong one is reported where the user gave it. */
  private isInherited(fault: Fault): boolean {
    const ancestors = [...this.scope.node.scopes.slice(0, -1), ...this.sources.flatMap((source) => source.node.scopes)].flatMap((ancestor) => CHECKS.get(ancestor) ?? []);
    const told = (above: Fault): boolean => {
      if (passedDown(fault) === 'names') return passedDown(above) === 'names';
      return passedDown(fault) === 'as it is' && message(above) === message(fault);
    };
    return ancestors.some((checks) => checks.faults.some(told));
  }

  public fault(fault: Fault): void {
    this.faults.push(fault);
  }

  /** Whether these checks find nothing. */
  public passes(checks: () => void): boolean {
    const before = this.faults.length;
    checks();
    return this.faults.length === before;
  }

  /** The props that have the right shape. `prefix` is the prop in which these props stand, with a dot. */
  public props<Props extends object>(props: Props, shape: Shape<Props>, prefix?: string): Props {
    return shaped(props, shape, (fault) => this.faults.push(fault), prefix);
  }

  /** A prop that cannot be left out; where it is not there, the placeholder lets the other props be checked. */
  public required<T>(prop: string, value: T | undefined, placeholder: T, what: string, example: string): T {
    if (value !== undefined) return value;
    if (!this.faults.some((fault) => fault.prop === prop)) {
      this.fault({ prop, value: undefined, rule: `${what} has to be given`, fix: `pass ${example}` });
    }
    return placeholder;
  }

  /** The members of a list that fit. */
  public members<T>(prop: string, list: T[], kind: Kind, what: string, example: string): T[] {
    return list.filter((member, index) => {
      const good = fits(member, kind);
      const place = `${prop}[${index}]`;
      const fault = good ? brokenData(place, Object(member) as object) : { prop: place, value: member, hidden: true, rule: `it is a list of ${what}`, fix: `pass members such as ${example}` };
      if (fault !== undefined && !this.faults.some((one) => one.prop === fault.prop)) this.fault(fault);
      return fault === undefined;
    });
  }

  /** An RFC 1035 label, which is what the name of a Service must be. */
  public name(prop: string, value: string, maxLength: number): string {
    if (typeof value !== 'string' || !LABEL.test(value) || value.length > maxLength) {
      this.fault({
        prop,
        value,
        rule:
          'a name is an RFC 1123 label that begins with a letter: lower-case letters, digits and hyphens, no hyphen at the end, ' +
          `at most ${maxLength} characters so that the names derived from it stay within 63 ` +
          '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)',
        fix: suggestName('name', value, maxLength),
      });
    }
    return value;
  }

  /** A name that is made of the name of another construct, which is why that one has to be short enough. */
  public derivedName(prop: string, name: string, suffix: string): void {
    const maxLength = 63 - suffix.length;
    if (typeof name === 'string' && name.length <= maxLength) return;
    this.fault({
      prop,
      value: name,
      rule: `its name has at most ${maxLength} characters, so that the names derived from it stay within 63 (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)`,
      fix: `give it a name such as ${JSON.stringify(suggestLabel(name, maxLength))}`,
    });
  }

  /** The namespace of a construct's objects: the prop, else the chart's, else `mlflow`. */
  public namespace(scope: Construct, value: string | undefined): string {
    const fromChart = Chart.of(scope).namespace;
    const namespace = value ?? fromChart ?? DEFAULT_NAMESPACE;
    if (typeof namespace !== 'string' || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace) || namespace.length > 63) {
      this.fault({
        prop: value === undefined && fromChart !== undefined ? 'namespace (of the chart)' : 'namespace',
        value: namespace,
        rule:
          'a namespace is an RFC 1123 label: lower-case letters, digits and hyphens, a letter or digit at both ends, at most 63 characters ' +
          '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names)',
        fix: suggestName('namespace', namespace, 63),
      });
    }
    return namespace;
  }

  public secretKey(prop: string, value: string): string {
    if (typeof value !== 'string' || !/^(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}$/.test(value)) {
      this.fault({
        prop,
        value,
        rule: 'a key of a Secret has letters, digits, ".", "_" and "-" only, and does not begin with ".." (https://kubernetes.io/docs/concepts/configuration/secret/)',
        fix: 'pass the key under which the Secret keeps the value, such as "password"',
      });
    }
    return value;
  }

  public objectName(prop: string, value: string): string {
    if (typeof value !== 'string' || value.length > 253 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(value)) {
      this.fault({
        prop,
        value,
        rule:
          'the name of an object is an RFC 1123 subdomain: lower-case letters, digits, "-" and ".", a letter or digit at both ends, at most 253 characters ' +
          '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names)',
        fix: suggestName('name', value, 63),
      });
    }
    return value;
  }

  /** The name of a storage class; an empty one asks for a volume without class. */
  public storageClassName(value: string | undefined, prop = 'storageClassName'): string | undefined {
    return value === undefined || value === '' ? value : this.objectName(prop, value);
  }

  public labelValue(prop: string, value: string): string {
    if (typeof value !== 'string' || !/^[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(value)) {
      this.fault({
        prop,
        value,
        rule:
          'the value of a label has letters, digits, "-", "_" and ".", a letter or digit at both ends, at most 63 characters ' +
          '(https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set)',
        fix: `pass a value such as ${JSON.stringify(suggestLabel(value, 63))}`,
      });
    }
    return value;
  }

  public annotations(
    prop: string,
    value: { [key: string]: string } | undefined,
    example = '{ "example.com/team": "vision" }, numbers and truth values in quotes',
  ): { [key: string]: string } | undefined {
    for (const [key, text] of Object.entries(value ?? {})) {
      if (typeof text !== 'string' || !fits({ [key]: '' }, 'labels')) {
        this.fault({
          prop: `${prop}[${JSON.stringify(key)}]`,
          value: text,
          rule:
            'an annotation has a key as labels have, and a text as value ' +
            '(https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set)',
          fix: `pass annotations such as ${example}`,
        });
      }
    }
    return value;
  }

  /** A bucket name by Amazon's rules, which every S3 server accepts. */
  public bucket(prop: string, value: string): string {
    const rule = brokenBucketRule(value);
    if (rule !== undefined) {
      this.fault({
        prop,
        value,
        rule: `${rule} (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)`,
        fix: `pass a bucket name such as ${JSON.stringify(suggestBucket(value))}`,
      });
    }
    return value;
  }

  public region(prop: string, value: string): string {
    if (typeof value !== 'string' || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value)) {
      this.fault({
        prop,
        value,
        rule: 'a region has lower-case letters, digits and hyphens (https://docs.aws.amazon.com/general/latest/gr/rande.html)',
        fix: 'pass a region such as "us-east-1"',
      });
    }
    return value;
  }

  public image(prop: string, value: string): string {
    const wellFormed = typeof value === 'string' && IMAGE.test(value);
    if (!wellFormed || !/(:[^/]+|@sha256:[a-f0-9]{64})$/.test(value)) {
      this.fault({
        prop,
        value,
        rule: wellFormed
          ? 'an image names a tag or a digest: without one it is `latest`, which changes under a running stack'
          : 'an image is [registry[:port]/]repository:tag, or @sha256: and 64 hexadecimal digits in place of the tag or behind it ' +
            '(https://kubernetes.io/docs/concepts/containers/images/#image-names)',
        fix: 'pass an image such as "registry.example.com/mlflow:v1.2.3"',
      });
    }
    return value;
  }

  public port(prop: string, value: number): number {
    if (!Number.isInteger(value) || value < 1024 || value > 65535) {
      this.fault({
        prop,
        value,
        rule: 'a port is a whole number from 1024 to 65535: the containers run without root and cannot listen below 1024',
        fix: 'pass a port such as 5000',
      });
    }
    return value;
  }

  /** A whole number of at least one: replicas, workers. */
  public count(prop: string, value: number, what: string): number {
    if (!Number.isInteger(value) || value < 1) {
      this.fault({ prop, value, rule: `${what} is a whole number of 1 or more`, fix: `pass a number such as 1` });
    }
    return value;
  }

  /** True or false: from JSON or an environment variable, the text "false" would be true. */
  public flag(prop: string, value: boolean): boolean {
    if (typeof value !== 'boolean') {
      this.fault({ prop, value, rule: 'the value is true or false, and no text or number', fix: 'pass true or false' });
    }
    return value;
  }

  /** A size greater than zero, as a Kubernetes quantity. */
  public size(prop: string, value: Size): string {
    const bytes = isSize(value) ? sizeInBytes(value) : 0;
    if (!(bytes > 0) || !Number.isInteger(bytes)) {
      this.fault({
        prop,
        value: isSize(value) ? value.asString() : value,
        rule: 'a size is a cdk8s Size of more than zero and of whole bytes (https://cdk8s.io/docs/latest/reference/cdk8s/typescript/#size)',
        fix: 'pass a size such as Size.gibibytes(10)',
      });
      return '0';
    }
    return canonicalBytes(bytes);
  }

  /** A time span of whole seconds, in seconds: of one, or of as many as there have to be at least. */
  public seconds(prop: string, value: Duration, least = 1): number {
    const seconds =
      typeof (value as unknown as { toSeconds?: unknown } | undefined)?.toSeconds === 'function' ? value.toSeconds({ integral: false }) : NaN;
    if (!Number.isInteger(seconds) || seconds < least) {
      this.fault({
        prop,
        value: Number.isNaN(seconds) ? value : `${seconds} s`,
        rule: `a time span is a cdk8s Duration of whole seconds, ${least} or more (https://cdk8s.io/docs/latest/reference/cdk8s/typescript/#duration)`,
        fix: 'pass a time span such as Duration.minutes(5)',
      });
    }
    return seconds;
  }

  /** CPU as a Kubernetes quantity: `250m`, `1`, `0.5`. */
  public cpu(prop: string, value: string): string {
    if (typeof value !== 'string' || !/^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$/.test(value) || quantity(value) <= 0) {
      this.fault({
        prop,
        value,
        rule:
          'CPU is a Kubernetes quantity of more than zero, in cores or thousandths of a core ' +
          '(https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-cpu)',
        fix: 'pass a string such as "250m" or "1"',
      });
      return value;
    }
    return canonicalCpu(value);
  }

  public oneOf(prop: string, value: string, allowed: string[], what: string): string {
    if (!allowed.includes(value)) {
      this.fault({ prop, value, rule: `${what} is one of ${allowed.join(', ')}`, fix: `pass one of them` });
    }
    return value;
  }
}

const CHECKS = new Notes<PropChecks[]>();

/** What a construct hands down to those in it: names, of which it makes others, and options as they are. */
function passedDown(fault: Fault): 'names' | 'as it is' | undefined {
  if (/^(name|namespace|secretName|instance|labels|externalUrl)\b/.test(fault.prop)) return 'names';
  return /^(image|images|pod|networkPolicy|cluster)\b/.test(fault.prop) ? 'as it is' : undefined;
}

export function isSize(value: unknown): value is Size {
  return typeof (value as { toKibibytes?: unknown } | undefined)?.toKibibytes === 'function';
}

function sizeInBytes(value: Size): number {
  return quantity(value.asString());
}

function message(fault: Fault): string {
  const value = fault.hidden ? described(fault.value) : shown(fault.value);
  return `${fault.prop}: got ${value}. Rule: ${fault.rule}. Fix: ${fault.fix}.`;
}

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (constructPath(value) !== undefined) return described(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** A construct has been passed in place of its name, as those of cdk8s-plus take each other. */
function suggestName(what: string, value: unknown, maxLength: number): string {
  return constructPath(value) === undefined ? `pass a ${what} such as ${JSON.stringify(suggestLabel(value, maxLength))}` : 'pass the name of this construct';
}

function suggestLabel(value: unknown, maxLength: number): string {
  if (typeof value !== 'string') return DEFAULT_NAMESPACE;
  const label = value
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, maxLength)
    .replace(/-+$/, '');
  return label === '' ? DEFAULT_NAMESPACE : label;
}

function suggestBucket(value: unknown): string {
  const label = suggestLabel(value, 63);
  return brokenBucketRule(label) === undefined ? label : 'mlflow-bucket';
}

function brokenBucketRule(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length < 3 || value.length > 63) return 'a bucket name has 3 to 63 characters';
  if (!/^[a-z0-9.-]+$/.test(value)) return 'a bucket name has lower-case letters, digits, "." and "-" only';
  if (!/^[a-z0-9].*[a-z0-9]$/.test(value)) return 'a bucket name begins and ends with a letter or digit';
  if (/\.\.|\.-|-\./.test(value)) return 'a bucket name has no two dots, and no dot and hyphen, side by side';
  if (/^\d+\.\d+\.\d+\.\d+$/.test(value)) return 'a bucket name does not look like an IP address';
  if (/^(xn--|sthree-|amzn-s3-demo-)/.test(value)) return 'a bucket name does not begin with xn--, sthree- or amzn-s3-demo-';
  if (/(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(value)) {
    return 'a bucket name does not end with -s3alias, --ol-s3, .mrap, --x-s3 or --table-s3';
  }
  return undefined;
}
