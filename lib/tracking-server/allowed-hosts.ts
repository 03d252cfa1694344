import { PropChecks } from '../validation/prop-checks';

const SOURCE = '(https://mlflow.org/docs/latest/self-hosting/security/network/)';

export interface HostSources {
  readonly given?: string[];
  readonly derive?: boolean;
  readonly services: string[];
  readonly namespace: string;
  readonly port: number;
  /** Hosts of Ingress and HTTPRoute, by the prop that gives them. */
  readonly routes: { [prop: string]: string[] };
  /** Whether Prometheus asks the pods by their addresses. */
  readonly scraped: boolean;
  /** Whether the garbage collection asks the server by the name of its Service. */
  readonly collected: boolean;
}

/** The value of `--allowed-hosts`, of which MLflow compares each with the whole header, port included. */
export function allowedHosts(checks: PropChecks, sources: HostSources): string[] {
  const given = checkedHosts(checks, sources.given);
  if (checks.flag('deriveAllowedHosts', sources.derive ?? false)) {
    if (given?.includes('*')) {
      checks.fault({ prop: 'deriveAllowedHosts', value: true, rule: 'allowedHosts = ["*"] allows all hosts, so that nothing is derived', fix: 'leave "*" out of allowedHosts, or leave deriveAllowedHosts out' });
    }
    return [...new Set([...derived(sources), ...(given ?? []), ...ownClients(sources)])];
  }
  if (given === undefined) return ['*'];
  for (const [prop, hosts] of Object.entries(sources.routes)) {
    for (const host of hosts.filter((name) => !given.some((pattern) => matches(pattern, name)))) {
      checks.fault({
        prop,
        value: host,
        rule: `allowedHosts has the hosts of all routes, and not only ${JSON.stringify(given)}: the server answers 403 to others ${SOURCE}`,
        fix: `add ${JSON.stringify(host)} to allowedHosts, or pass deriveAllowedHosts: true, which does`,
      });
    }
  }
  return given.includes('*') ? given : [...new Set([...given, ...ownClients(sources)])];
}

/** How Prometheus asks for metrics, by the address of the pod, which the kubelet puts in, and the garbage collection for what is left of runs. */
function ownClients({ scraped, collected, services: [service], namespace, port }: HostSources): string[] {
  return [...(scraped ? [`$(POD_IP):${port}`] : []), ...(collected ? [`${service}.${namespace}.svc.cluster.local:${port}`] : [])];
}

/**
 * Origins of the server's own pages. A browser sends its origin with each POST, and MLflow does not compare it with the
 * host: what is not on its list it takes for the page of another site, so that the web UI would show no runs.
 */
export function ownOrigins(given: string[], routes: string[]): string[] {
  const hosts = [...routes.flatMap((host) => [host, `${host}:*`]), ...given.filter((host) => host !== '*')];
  return [...new Set(hosts)].flatMap((host) => [`http://${host}`, `https://${host}`]);
}

function derived({ services, namespace, port, routes }: HostSources): string[] {
  const names = services.flatMap((service) => ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map((domain) => `${service}${domain}:${port}`));
  // the doctor in the pod, and kubectl port-forward
  const local = ['localhost:*', '127.0.0.1:*'];
  return [...names, ...Object.values(routes).flat().flatMap((host) => [host, `${host}:*`]), ...local];
}

function checkedHosts(checks: PropChecks, hosts: string[] | undefined): string[] | undefined {
  const fix = 'leave the prop out to allow all hosts, or pass a list such as ["mlflow.example.com", "mlflow-service:*"]';
  if (hosts === undefined) return undefined;
  if (!Array.isArray(hosts) || hosts.length === 0) {
    checks.fault({ prop: 'allowedHosts', value: hosts, rule: `the list names one host or more: a server that allows none refuses every client ${SOURCE}`, fix });
    return [];
  }
  hosts.forEach((host, index) => {
    if (typeof host !== 'string' || !/^[^\s,/]+$/.test(host)) {
      checks.fault({
        prop: `allowedHosts[${index}]`,
        value: host,
        rule: `a host is a name, with a port or a pattern if need be, without scheme, path, comma or white space ${SOURCE}`,
        fix,
      });
    }
  });
  return hosts.filter((host) => typeof host === 'string');
}

/** As MLflow compares: a pattern where there is a "*" in it. */
function matches(pattern: string, host: string): boolean {
  const expression = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*');
  return new RegExp(`^${expression}$`).test(host);
}
