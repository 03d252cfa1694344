import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { RouteTarget, routeHosts, routeUri } from './route';
import { TlsOptions, routeTls } from './tls';
import { Ingress } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/**
 * Ingress with the web UI and the API.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/
 */
export interface IngressOptions {
  /** Host names, such as `mlflow.example.com`. */
  readonly hosts: string[];

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

  /**
   * TLS of the hosts.
   *
   * @default - none: plain HTTP
   */
  readonly tls?: TlsOptions;
}

const SHAPE: Shape<IngressOptions> = { hosts: 'list', className: 'value', annotations: {}, tls: {} };

/** For ingress-nginx, which other controllers do not look at: no limit of size, no copy on its disk, and an hour for a transfer. */
const NGINX = {
  'nginx.ingress.kubernetes.io/proxy-body-size': '0',
  'nginx.ingress.kubernetes.io/proxy-request-buffering': 'off',
  'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
  'nginx.ingress.kubernetes.io/proxy-send-timeout': '3600',
};

/** The Ingress of a tracking server. */
export class ServerIngress extends Construct {
  public readonly ingress: k8s.KubeIngress;
  public readonly certificate?: ApiObject;
  public readonly uri?: string;

  public constructor(scope: Construct, id: string, checks: PropChecks, given: IngressOptions, target: RouteTarget) {
    super(scope, id);
    const options = checks.props(given, SHAPE, 'ingress.');
    const hosts = routeHosts(checks, 'ingress.hosts', options.hosts);
    const tls = options.tls && routeTls(this, checks, 'ingress.tls', options.tls, { ...target, hosts });
    if (options.className !== undefined) checks.objectName('ingress.className', options.className);
    const backend = { service: { name: target.service.name, port: { name: 'http' } } };
    this.ingress = new Ingress(this, 'Ingress', {
      metadata: { ...target.metadata, name: target.name, annotations: { ...NGINX, ...checks.annotations('ingress.annotations', options.annotations) } },
      spec: {
        ingressClassName: options.className,
        ...(tls && { tls: [{ hosts, secretName: tls.secretName }] }),
        rules: hosts.map((host) => ({ host, http: { paths: [{ path: target.path, pathType: 'Prefix', backend }] } })),
      },
    });
    this.certificate = tls?.certificate;
    this.uri = routeUri(hosts, tls !== undefined, target.path);
    this.node.defaultChild = this.ingress;
  }
}
