import { Construct, IConstruct } from 'constructs';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** In which order flags and variables stand: those of one layer as they were added. */
export enum Layer {
  /** What makes the server what it is: stores, host, port. */
  MISSION,
  /** Settings of MLflow. */
  SETTINGS,
  ADD_ONS,
  /** What the process itself needs, whatever it runs. */
  PROCESS,
  /** The user's own. */
  EXTRAS,
}

/** Who set something: a construct, or a prop of the server. */
export type Owner = IConstruct | string;

interface Entry<T> {
  readonly layer: Layer;
  readonly owner: Owner;
  /** Undefined where it turns out at synth that it is not needed. */
  readonly produce: () => T | undefined;
}

/** Flags that have a short form, or that switch another off. */
const ALIASES: { [flag: string]: string } = { '-p': '--port', '-w': '--workers', '-h': '--host', '--no-serve-artifacts': '--serve-artifacts' };

/**
 * What the process of the server starts with: its arguments and its environment. Each setting has one owner, whichever of
 * the two ways it is set: MLflow takes `--static-prefix` and `MLFLOW_STATIC_PREFIX` for the same.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
 */
export class ServerProcess {
  private readonly owners = new Map<string, Owner>();
  private readonly reserved = new Map<string, Owner>();
  private readonly arguments: Entry<string>[] = [];
  private readonly environment: Entry<k8s.EnvVar>[] = [];

  public constructor(private readonly server: Construct) {}

  /** Keeps a setting for somebody, who does not always set it. */
  public reserve(setting: string, owner: Owner): void {
    this.reserved.set(settingKey(setting), owner);
  }

  /** Adds an argument; false where its flag has another owner, which is a fault of this one. */
  public argument(layer: Layer, owner: Owner, argument: string, produce: () => string | undefined = () => argument): boolean {
    const flag = flagOf(argument);
    if (flag !== undefined && !this.take(flag, owner)) return false;
    this.arguments.push({ layer, owner, produce });
    return true;
  }

  /** Adds one more argument of the user, who may repeat a flag of their own. */
  public append(argument: string): void {
    this.arguments.push({ layer: Layer.EXTRAS, owner: 'the prop extraArgs', produce: () => argument });
  }

  /** Adds a variable; false where it has another owner, which is a fault of this one. */
  public variable(layer: Layer, owner: Owner, name: string, produce: () => k8s.EnvVar | undefined): boolean {
    if (!this.take(name, owner)) return false;
    this.environment.push({ layer, owner, produce });
    return true;
  }

  public get args(): string[] {
    return rendered(this.arguments);
  }

  public get env(): k8s.EnvVar[] {
    return rendered(this.environment);
  }

  /** Who sets a flag or a variable. */
  public ownerOf(setting: string): Owner | undefined {
    return this.owners.get(settingKey(setting)) ?? this.reserved.get(settingKey(setting));
  }

  private take(setting: string, owner: Owner): boolean {
    const other = this.ownerOf(setting);
    if (other !== undefined && (this.owners.has(settingKey(setting)) || other !== owner)) {
      if (typeof owner !== 'string') {
        new PropChecks(owner as Construct).fault({
          prop: setting.startsWith('-') ? 'addFlag' : 'addVariable',
          value: setting,
          rule: `each flag and each variable of [${this.server.node.path}] is set once, and ${named(other)} sets this one`,
          fix: `leave it to ${named(other)}, or leave that one out`,
        });
      }
      return false;
    }
    this.owners.set(settingKey(setting), owner);
    return true;
  }
}

/** How a message speaks of an owner. */
export function named(owner: Owner): string {
  return typeof owner === 'string' ? owner : `[${owner.node.path}]`;
}

/** The flag of an argument that begins with one. */
export function flagOf(argument: string): string | undefined {
  return /^(--[^=\s]+|-[a-z])/.exec(String(argument))?.[1];
}

/** What a flag and the variable of the same meaning have in common. */
export function settingKey(setting: string): string {
  const flag = ALIASES[setting] ?? setting;
  if (!flag.startsWith('--')) return flag.replace(/^MLFLOW_(SERVER_)?/, 'MLFLOW_');
  return `MLFLOW_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
}

function rendered<T>(entries: Entry<T>[]): T[] {
  const layers = [...entries].sort((a, b) => a.layer - b.layer);
  return layers.map(({ produce }) => produce()).filter((member) => member !== undefined);
}
