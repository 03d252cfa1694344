import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { RouteOptions, artifactPaths, checkWay, routeHosts, routeTarget, routeUri, warnOfPlainPasswords } from './route';
import { IRouteTarget } from './route-target';
import { routeTls } from './tls';
import { HttpRoute } from '../kube/objects';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { HttpRouteSpecRules, HttpRouteSpecRulesMatchesPathType } from '../../imports/gateway.networking.k8s.io';

/**
 * HTTPRoute of the Gateway API with the web UI and the API.
 *
 * @see https://gateway-api.sigs.k8s.io/api-types/httproute/
 */
export interface HttpRouteOptions extends RouteOptions {
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
   * Annotations of the HTTPRoute.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };
}

/** Props of `ServerHttpRoute`. */
export interface ServerHttpRouteProps extends HttpRouteOptions {
  /** Where the requests go: a tracking server, or the login before it. */
  readonly target: IRouteTarget;
}

const SHAPE: Shape<HttpRouteOptions> = { hosts: 'list', gatewayName: 'value', gatewayNamespace: 'value', sectionName: 'value', tls: {}, annotations: {} };

/**
 * HTTPRoute of the Gateway API with the web UI and the API of a tracking server. TLS ends at the listener of the Gateway, which
 * names the Secret: `tls` says here that clients use https, and has cert-manager make the Secret.
 *
 * @see https://gateway-api.sigs.k8s.io/guides/tls/
 */
export class ServerHttpRoute extends Construct {
  /** The HTTPRoute, which has the name of the tracking server. */
  public readonly httpRoute: ApiObject;

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
  public constructor(scope: Construct, id: string, props: ServerHttpRouteProps) {
    super(place(scope, id), id);
    const { target: given, ...rest } = { ...props };
    this.node.addValidation({ validate: () => (checkWay(checks, target), warnOfPlainPasswords(this, target, tls !== undefined), []) });
    const checks = new PropChecks(this);
    const target = routeTarget(this, checks, given);
    const options = checks.props(rest, SHAPE);
    const { name, namespace, labels, serviceName, port, path, externalUrl } = target.routeBackend;
    const metadata = { name, namespace, labels };
    const hosts = routeHosts(checks, options.hosts);
    const tls = options.tls && routeTls(this, checks, options.tls, { metadata: { ...metadata, name: `${name}-route` }, hosts });
    const gateway = checks.required('gatewayName', options.gatewayName, 'gateway', 'the name of the Gateway', '"public"');
    checks.objectName('gatewayName', gateway);
    if (options.gatewayNamespace !== undefined) checks.objectName('gatewayNamespace', options.gatewayNamespace);
    if (options.sectionName !== undefined) checks.objectName('sectionName', options.sectionName);
    const rule = (toService: string, toPath: string): HttpRouteSpecRules => ({
      matches: [{ path: { type: HttpRouteSpecRulesMatchesPathType.PATH_PREFIX, value: toPath } }],
      // with the defaults of the API server: in lists they look like a change to each apply
      backendRefs: [{ group: '', kind: 'Service', name: toService, port, weight: 1 }],
    });
    this.httpRoute = new HttpRoute(this, 'HttpRoute', {
      metadata: { ...metadata, annotations: checks.annotations('annotations', options.annotations) },
      spec: {
        parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: gateway, namespace: options.gatewayNamespace, sectionName: options.sectionName }],
        hostnames: hosts,
        rules: Lazy.any({ produce: () => [rule(serviceName, path), ...artifactPaths(target, rule)] }) as HttpRouteSpecRules[],
      },
    });
    this.certificate = tls?.certificate;
    this.uri = externalUrl ?? routeUri(hosts, tls !== undefined, path);
    target.addRoute(this, hosts);
    rejectTakenNames(this, 'target', 'make one HTTPRoute for each tracking server, with all hosts, or another certificate Secret with tls.secretName');
    this.node.defaultChild = this.httpRoute;
  }
}
