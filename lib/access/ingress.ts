import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { RouteOptions, artifactPaths, checkWay, routeHosts, routeTarget, routeUri, warnOfPlainPasswords } from './route';
import { IRouteTarget } from './route-target';
import { routeTls } from './tls';
import { Ingress } from '../kube/objects';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/**
 * Ingress with the web UI and the API.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/
 */
export interface IngressOptions extends RouteOptions {
  /**
   * Class of the Ingress.
   *
   * @default - the default class of the cluster
   * @see https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class
   */
  readonly className?: string;

  /**
   * Annotations of the Ingress. They win over those for artifacts of any size and slow transfers that the construct gives to
   * ingress-nginx, which would otherwise refuse uploads above 1 MiB.
   *
   * @default - none
   * @see https://github.com/kubernetes/ingress-nginx/blob/main/docs/user-guide/nginx-configuration/annotations.md
   */
  readonly annotations?: { [key: string]: string };
}

/** Props of `ServerIngress`. */
export interface ServerIngressProps extends IngressOptions {
  /** Where the requests go: a tracking server, or the login before it. */
  readonly target: IRouteTarget;
}

const SHAPE: Shape<IngressOptions> = { hosts: 'list', className: 'value', annotations: {}, tls: {} };

/** For ingress-nginx, which other controllers do not look at: no limit of size, no copy on its disk, and an hour for a transfer. */
const NGINX = {
  'nginx.ingress.kubernetes.io/proxy-body-size': '0',
  'nginx.ingress.kubernetes.io/proxy-request-buffering': 'off',
  'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
  'nginx.ingress.kubernetes.io/proxy-send-timeout': '3600',
};

/** As much as a browser may send back in cookies, 8 KiB, and what else is in the headers. */
const NGINX_LARGE_HEADERS = { 'nginx.ingress.kubernetes.io/proxy-buffer-size': '16k' };

/**
 * Ingress with the web UI and the API of a tracking server.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/
 */
export class ServerIngress extends Construct {
  /** The Ingress, which has the name of the tracking server. */
  public readonly ingress: k8s.KubeIngress;

  /** The Certificate, where cert-manager makes it. */
  public readonly certificate?: ApiObject;

  /** URI for clients outside of the cluster, where one of the hosts has no wildcard. */
  public readonly uri?: string;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props where requests come from and go
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ServerIngressProps) {
    super(place(scope, id), id);
    const { target: given, ...rest } = { ...props };
    this.node.addValidation({ validate: () => (checkWay(checks, target), warnOfPlainPasswords(this, target, tls !== undefined), []) });
    const checks = new PropChecks(this);
    const target = routeTarget(this, checks, given);
    const options = checks.props(rest, SHAPE);
    const { name, namespace, labels, serviceName, path, externalUrl, largeHeaders } = target.routeBackend;
    const metadata = { name, namespace, labels };
    const hosts = routeHosts(checks, options.hosts);
    const tls = options.tls && routeTls(this, checks, options.tls, { metadata, hosts });
    if (options.className !== undefined) checks.objectName('className', options.className);
    const rule = (toService: string, toPath: string): k8s.HttpIngressPath => ({ path: toPath, pathType: 'Prefix', backend: { service: { name: toService, port: { name: 'http' } } } });
    // controllers take the longest path that fits
    const paths = () => [rule(serviceName, path), ...artifactPaths(target, rule)];
    this.ingress = new Ingress(this, 'Ingress', {
      metadata: { ...metadata, annotations: { ...NGINX, ...(largeHeaders && NGINX_LARGE_HEADERS), ...checks.annotations('annotations', options.annotations) } },
      spec: {
        ingressClassName: options.className,
        ...(tls && { tls: [{ hosts, secretName: tls.secretName }] }),
        rules: hosts.map((host) => ({ host, http: { paths: Lazy.any({ produce: paths }) as unknown as k8s.HttpIngressPath[] } })),
      },
    });
    this.certificate = tls?.certificate;
    this.uri = externalUrl ?? routeUri(hosts, tls !== undefined, path);
    target.addRoute(this, hosts);
    rejectTakenNames(this, 'target', 'make one Ingress for each tracking server, with all hosts, or another certificate Secret with tls.secretName');
    this.node.defaultChild = this.ingress;
  }
}
