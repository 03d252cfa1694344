import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** Where requests go, and under which path. */
export interface RouteTarget {
  readonly name: string;
  readonly metadata: { readonly namespace: string; readonly labels: { [key: string]: string } };
  readonly service: k8s.KubeService;
  readonly port: number;
  /** Static prefix of the server, else "/". */
  readonly path: string;
}

/** The hosts of a route, checked. */
export function routeHosts(checks: PropChecks, prop: string, given: string[] | undefined): string[] {
  const hosts = checks.members(prop, checks.required(prop, given, [], 'one host or more', '["mlflow.example.com"]'), 'string', 'host names', '"mlflow.example.com"');
  if (given?.length === 0) checks.fault({ prop, value: given, rule: 'a route has one host or more', fix: 'pass a list such as ["mlflow.example.com"]' });
  hosts.forEach((host, index) => {
    if (host.length > 253 || !/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(host)) {
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

/** URI for clients outside of the cluster. */
export function routeUri(hosts: string[], tls: boolean, path: string): string | undefined {
  const host = hosts.find((name) => !name.startsWith('*'));
  return host === undefined ? undefined : `${tls ? 'https' : 'http'}://${host}${path === '/' ? '' : path}`;
}
