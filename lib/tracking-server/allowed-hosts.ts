import { Construct } from 'constructs';
import { ServerSettings } from './settings';
import { PropChecks } from '../validation/prop-checks';

const SOURCE = '(https://mlflow.org/docs/latest/self-hosting/security/network/)';

/** The Services of the server, whose names it answers for. */
export interface ServedNames {
  readonly services: string[];
  readonly namespace: string;
  readonly domain: string;
  readonly port: number;
}

/** The hosts for which the server answers, and the origins of its own pages: complete when all routes have been added. */
export class AllowedHosts {
  /** Whether the server answers for every host. */
  public readonly all: boolean;

  private readonly given?: string[];
  private readonly derive: boolean;
  private readonly origins: string[];
  private readonly routes: string[] = [];
  private readonly clients: string[] = [];

  public constructor(
    checks: PropChecks,
    settings: ServerSettings,
    private readonly names: ServedNames,
  ) {
    this.given = checkedHosts(checks, settings.allowedHosts);
    this.derive = checks.flag('settings.deriveAllowedHosts', settings.deriveAllowedHosts ?? false);
    this.all = !this.derive && (this.given === undefined || this.given.includes('*'));
    this.origins = checkedOrigins(checks, settings.corsAllowedOrigins);
    if (this.derive && this.given?.includes('*')) {
      checks.fault({
        prop: 'settings.deriveAllowedHosts',
        value: true,
        rule: 'settings.allowedHosts = ["*"] allows all hosts, so that nothing is derived',
        fix: 'leave "*" out of settings.allowedHosts, or leave settings.deriveAllowedHosts out',
      });
    }
  }

  /** Adds the hosts of a route, at which browsers have the web UI. */
  public addRoute(route: Construct, hosts: string[]): void {
    this.routes.push(...hosts);
    if (this.derive || this.all) return;
    for (const host of hosts.filter((name) => !this.given!.some((pattern) => matches(pattern, name)))) {
      new PropChecks(route).fault({
        prop: 'hosts',
        value: host,
        rule: `settings.allowedHosts of the tracking server has the hosts of all routes, and not only ${JSON.stringify(this.given)}: the server answers 403 to others ${SOURCE}`,
        fix: `add ${JSON.stringify(host)} to settings.allowedHosts, or pass settings.deriveAllowedHosts: true, which does`,
      });
    }
  }

  /** Adds hosts that programs ask for. */
  public addClient(...hosts: string[]): void {
    this.clients.push(...hosts);
  }

  /** The value of `--allowed-hosts`, of which MLflow compares each with the whole header, port included. */
  public get hosts(): string[] {
    if (this.derive) return [...new Set([...this.derived(), ...(this.given ?? []), ...this.clients])];
    return this.all ? (this.given ?? ['*']) : [...new Set([...this.given!, ...this.clients])];
  }

  /**
   * Origins whose pages may call the API, the server's own first. A browser sends its origin with each POST, and MLflow does
   * not compare it with the host: what is not on its list it takes for the page of another site, so that the web UI would
   * show no runs.
   */
  public get corsOrigins(): string[] {
    const own = [...this.routes.flatMap((host) => [host, `${host}:*`]), ...(this.given ?? []).filter((host) => host !== '*')];
    return [...[...new Set(own)].flatMap((host) => [`http://${host}`, `https://${host}`]), ...this.origins];
  }

  private derived(): string[] {
    const { services, namespace, domain, port } = this.names;
    const names = services.flatMap((service) => ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.${domain}`].map((end) => `${service}${end}:${port}`));
    // the doctor in the pod, and kubectl port-forward
    const local = ['localhost:*', '127.0.0.1:*'];
    return [...names, ...this.routes.flatMap((host) => [host, `${host}:*`]), ...local];
  }
}

function checkedHosts(checks: PropChecks, hosts: string[] | undefined): string[] | undefined {
  const prop = 'settings.allowedHosts';
  const fix = 'leave the prop out to allow all hosts, or pass a list such as ["mlflow.example.com", "mlflow-service:*"]';
  if (hosts === undefined) return undefined;
  if (!Array.isArray(hosts) || hosts.length === 0) {
    checks.fault({ prop, value: hosts, rule: `the list names one host or more: a server that allows none refuses every client ${SOURCE}`, fix });
    return [];
  }
  hosts.forEach((host, index) => {
    if (typeof host !== 'string' || !/^[^\s,/]+$/.test(host)) {
      checks.fault({
        prop: `${prop}[${index}]`,
        value: host,
        rule: `a host is a name, with a port or a pattern if need be, without scheme, path, comma or white space ${SOURCE}`,
        fix,
      });
    }
  });
  return hosts.filter((host) => typeof host === 'string');
}

function checkedOrigins(checks: PropChecks, given: string[] | undefined): string[] {
  const origins = checks.members('settings.corsAllowedOrigins', given ?? [], 'string', 'origins', '"https://notebooks.example.com"');
  origins.forEach((origin, index) => {
    if (!/^(\*|https?:\/\/[^\s,/]+)$/.test(origin)) {
      checks.fault({
        prop: `settings.corsAllowedOrigins[${index}]`,
        value: origin,
        rule: `an origin is scheme, host and port, without path ${SOURCE}`,
        fix: 'pass an origin such as "https://notebooks.example.com"',
      });
    }
  });
  return origins;
}

/** As MLflow compares: a pattern where there is a "*" in it. */
function matches(pattern: string, host: string): boolean {
  const expression = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*');
  return new RegExp(`^${expression}$`).test(host);
}
