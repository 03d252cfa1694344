import { Construct } from 'constructs';
import { IRouteTarget } from './route-target';
import { TlsOptions } from './tls';
import { putBehind } from '../kube/chart-order';
import { Connections } from '../kube/connections';
import { ICredentials } from '../secrets/credentials';
import { PropChecks } from '../validation/prop-checks';

/** Options that routes of all kinds have. */
export interface RouteOptions {
  /** Host names, such as `mlflow.example.com`. */
  readonly hosts: string[];

  /**
   * TLS of the hosts.
   *
   * @default - none: plain HTTP
   */
  readonly tls?: TlsOptions;
}

/** The prop `target` of a route, which comes behind it. A program without types may have given it as anything. */
export function routeTarget(route: Construct, checks: PropChecks, target: IRouteTarget | undefined): IRouteTarget {
  const none: IRouteTarget = { routeBackend: { name: 'mlflow', namespace: 'mlflow', labels: {}, serviceName: 'none', port: 80, path: '/' }, addRoute: () => undefined };
  if (typeof target?.addRoute === 'function' && typeof target.routeBackend === 'object') {
    if (Construct.isConstruct(target)) putBehind(route, target);
    return target;
  }
  checks.fault({ prop: 'target', value: target, hidden: true, rule: 'a route leads to a tracking server, or to the login before it', fix: 'pass a TrackingServer or an Oauth2Proxy' });
  return none;
}

/** What of a route goes to another Service than the rest, as known at synth. */
export function artifactPaths<Rule>({ routeBackend: { artifactRoutes } }: IRouteTarget, rule: (service: string, path: string) => Rule): Rule[] {
  return artifactRoutes === undefined ? [] : artifactRoutes.paths.map((path) => rule(artifactRoutes.serviceName, path));
}

/** Faults where a route leads to a server past the login before it, which may have been made later. */
export function checkWay(checks: PropChecks, target: IRouteTarget): void {
  const [login] = (target as { readonly connections?: Connections }).connections?.isolatedBy ?? [];
  if (login === undefined) return;
  checks.fault({
    prop: 'target',
    value: `a server whose login is [${login}]`,
    rule: 'a route to the server leads past the login before it: nobody would be asked who they are, or NetworkPolicies would let nobody through',
    fix: `pass [${login}] as target`,
  });
}

/** Warns where users of a login of the server itself send their password without TLS. The login may have been made later. */
export function warnOfPlainPasswords(route: Construct, target: IRouteTarget, tls: boolean): void {
  const { clientCredentials } = target as { readonly clientCredentials?: ICredentials };
  if (tls || clientCredentials === undefined || target.routeBackend.externalUrl?.startsWith('https:')) return;
  console.warn(
    `WARNING: [${route.node.path}] there is no tls, and the server has a login: users send their password with each request, and it can be read on the way. ` +
      'Pass tls, unless TLS ends at a balancer before the route.',
  );
}

/** The hosts of a route, checked. */
export function routeHosts(checks: PropChecks, given: string[] | undefined): string[] {
  const prop = 'hosts';
  const hosts = checks.members(prop, checks.required(prop, given, [], 'one host or more', '["mlflow.example.com"]'), 'string', 'host names', '"mlflow.example.com"');
  if (given?.length === 0) checks.fault({ prop, value: given, rule: 'a route has one host or more', fix: 'pass a list such as ["mlflow.example.com"]' });
  hosts.forEach((host, index) => {
    if (!isHost(host)) {
      checks.fault({
        prop: `${prop}[${index}]`,
        value: host,
        rule: 'a host is a DNS name in lower-case letters, without scheme, port and path (https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-rules)',
        fix: 'pass a name such as "mlflow.example.com"',
      });
    }
  });
  return hosts;
}

/** Whether a host is a DNS name, which may have a wildcard in front. */
export function isHost(host: string): boolean {
  return typeof host === 'string' && host.length <= 253 && /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(host);
}

/** URI for clients outside of the cluster, where the route has a host that is one. */
export function routeUri(hosts: string[], tls: boolean, path: string): string | undefined {
  const host = hosts.find((name) => !name.startsWith('*'));
  return host === undefined ? undefined : `${tls ? 'https' : 'http'}://${host}${path === '/' ? '' : path}`;
}
