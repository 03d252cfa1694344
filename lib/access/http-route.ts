import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { RouteTarget, routeHosts, routeUri } from './route';
import { TlsOptions, routeTls } from './tls';
import { HttpRoute } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { HttpRouteSpecRulesMatchesPathType } from '../../imports/gateway.networking.k8s.io';

/**
 * HTTPRoute of the Gateway API with the web UI and the API.
 *
 * @see https://gateway-api.sigs.k8s.io/api-types/httproute/
 */
export interface HttpRouteOptions {
  /** Host names, such as `mlflow.example.com`. */
  readonly hosts: string[];

  /** Name of the Gateway. */
  readonly gatewayName: string;

  /**
   * Namespace of the Gateway, whose listener has to allow routes of the namespace of the tracking server.
   *
   * @default - the namespace of the tracking server
   * @see https://gateway-api.sigs.k8s.io/guides/multiple-ns/
   */
  readonly gatewayNamespace?: string;

  /**
   * Listener of the Gateway.
   *
   * @default - all that fit
   */
  readonly sectionName?: string;

  /**
   * TLS of the hosts. It ends at the listener of the Gateway, which names the Secret: here it says that clients use https, and
   * has cert-manager make the Secret.
   *
   * @default - none: plain HTTP
   * @see https://gateway-api.sigs.k8s.io/guides/tls/
   */
  readonly tls?: TlsOptions;

  /**
   * Annotations of the HTTPRoute.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };
}

const SHAPE: Shape<HttpRouteOptions> = { hosts: 'list', gatewayName: 'value', gatewayNamespace: 'value', sectionName: 'value', tls: {}, annotations: {} };

/** The HTTPRoute of a tracking server. */
export class ServerHttpRoute extends Construct {
  public readonly httpRoute: ApiObject;
  public readonly certificate?: ApiObject;
  public readonly uri?: string;

  public constructor(scope: Construct, id: string, checks: PropChecks, given: HttpRouteOptions, target: RouteTarget) {
    super(scope, id);
    const options = checks.props(given, SHAPE, 'httpRoute.');
    const hosts = routeHosts(checks, 'httpRoute.hosts', options.hosts);
    const tls = options.tls && routeTls(this, checks, 'httpRoute.tls', options.tls, { ...target, name: `${target.name}-route`, hosts });
    const gateway = checks.required('httpRoute.gatewayName', options.gatewayName, 'gateway', 'the name of the Gateway', '"public"');
    checks.objectName('httpRoute.gatewayName', gateway);
    if (options.gatewayNamespace !== undefined) checks.objectName('httpRoute.gatewayNamespace', options.gatewayNamespace);
    if (options.sectionName !== undefined) checks.objectName('httpRoute.sectionName', options.sectionName);
    this.httpRoute = new HttpRoute(this, 'HttpRoute', {
      metadata: { ...target.metadata, name: target.name, annotations: checks.annotations('httpRoute.annotations', options.annotations) },
      spec: {
        parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: gateway, namespace: options.gatewayNamespace, sectionName: options.sectionName }],
        hostnames: hosts,
        rules: [
          {
            matches: [{ path: { type: HttpRouteSpecRulesMatchesPathType.PATH_PREFIX, value: target.path } }],
            // with the defaults of the API server: in lists they look like a change to each apply
            backendRefs: [{ group: '', kind: 'Service', name: target.service.name, port: target.port, weight: 1 }],
          },
        ],
      },
    });
    this.certificate = tls?.certificate;
    this.uri = routeUri(hosts, tls !== undefined, target.path);
    this.node.defaultChild = this.httpRoute;
  }
}
