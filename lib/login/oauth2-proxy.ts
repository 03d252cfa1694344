import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { OidcOptions } from './oidc-options';
import { checkNotOpenToAll } from './open-issuers';
import { IRouteTarget, RouteBackend } from '../access/route-target';
import { Cluster } from '../kube/cluster';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { mergePod, sharedPod } from '../kube/merge';
import { networkPolicyOptions, podPolicy, toAnywhere } from '../kube/network';
import { Deployment, PodDisruptionBudget, Service } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir, envFromSecret } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { budgetSpec } from '../operations/disruption-budget';
import { Images } from '../options/images';
import { ICredentials } from '../secrets/credentials';
import { generationOf, keyOf } from '../secrets/generation';
import { generationVariable } from '../secrets/in-place-credentials';
import { SecretsJob } from '../server-secrets/secrets-job';
import { caFile } from '../store/external-store';
import { CREDENTIALS, checkSecretNamespaces } from '../store/store';
import { ServiceType } from '../tracking-server/service';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { checkNoPasswordInArgument } from '../validation/literal-secrets';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectSharedSelector, rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const PORT = 4180;
const CA_FOLDER = '/etc/oauth2-proxy/issuer-ca';
const COOKIE_KEY = 'cookie-secret';
/** What programs ask for, as a regular expression: the APIs, traces by OpenTelemetry, models of the gateway, and what tells of the server. */
const API_PATHS = '((ajax-)?api/|v1/traces$|gateway/|graphql$|(health|version|metrics)$)';
/** Flags whose values stand in Secrets, and never in arguments. */
const SECRET_FLAGS = ['--client-id', '--client-secret', '--client-secret-file', '--cookie-secret', '--cookie-secret-file'];
const RESOURCES = { cpuRequest: '20m', cpuLimit: '500m', memoryRequest: Size.mebibytes(64), memoryLimit: Size.mebibytes(128) };
const NO_CREDENTIALS: ICredentials = { secretName: 'client', namespace: '', usernameKey: 'username', passwordKey: 'password', generated: false };

/** Props of `Oauth2Proxy`. */
export interface Oauth2ProxyProps extends OidcOptions {
  /** The server behind the proxy. Where there are NetworkPolicies, clients come to it through the proxy only. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<OidcOptions> = {
  issuerUrl: 'value',
  issuerCa: {},
  clientCredentials: CREDENTIALS,
  emailDomains: 'list',
  allowedGroups: 'list',
  bearerTokens: 'value',
  replicas: 'value',
  image: 'value',
  resources: {},
  extraArgs: 'list',
  externalUrl: 'value',
  cookieGeneration: 'value',
  pod: {},
  networkPolicy: {},
};

/**
 * oauth2-proxy before a tracking server: who comes with a browser logs in at an OpenID Connect provider first.
 *
 * @see https://oauth2-proxy.github.io/oauth2-proxy/
 */
export class Oauth2Proxy extends Construct implements IRouteTarget {
  /** Namespace of all objects, that of the server. */
  public readonly namespace: string;

  /** Port of the Service. */
  public readonly port: number = PORT;

  /** URL of the proxy, which resolves in the whole cluster. */
  public readonly url: string;

  /** URL that has to be registered with the provider, as the one to which it sends users back. */
  public readonly redirectUrl: string;

  /** The proxy. */
  public readonly deployment: k8s.KubeDeployment;

  /** Service of the proxy, port 4180. */
  public readonly service: k8s.KubeService;

  /** How many pods of the proxy a drain of nodes leaves, where there is more than one. */
  public readonly disruptionBudget?: k8s.KubePodDisruptionBudget;

  /** Secret with the key of the cookies, which the cluster makes up. */
  public readonly cookieSecret: k8s.KubeSecret;

  /** NetworkPolicy of the proxy, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** Labels that select the pods. */
  public readonly podLabels: { [key: string]: string };

  /** Who may connect to the pods, and to whom they connect. */
  public readonly connections: Connections;

  public readonly routeBackend: RouteBackend;

  private readonly server: ITrackingServer;
  private readonly hosts = new Set<string>();

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the provider, and the server behind the proxy
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: Oauth2ProxyProps) {
    super(place(scope, id), id);
    const { server, ...rest } = ofServer(this, props);
    this.server = server;
    this.node.addValidation({ validate: () => (this.checkHosts(checks, given.extraArgs ?? []), []) });
    const checks = new PropChecks(this, [server]);
    const given = checks.props(rest, SHAPE);
    const shared = server.options;
    const name = `${server.name}-oauth2-proxy`;
    checks.derivedName('server', server.name, '-oauth2-proxy-cookie');
    const images = new ImageSource(checks, shared.images);
    const image = images.of('image', given.image ?? Images.OAUTH2_PROXY);
    const part: Part = { name: 'oauth2-proxy', instance: server.name, component: 'login-proxy', image };
    const pod = new PodSettings(checks, mergePod(sharedPod(shared.pod), given.pod), images);
    const network = networkPolicyOptions(checks, given.networkPolicy ?? (shared.networkPolicy && { enabled: shared.networkPolicy.enabled, egress: shared.networkPolicy.egress }));
    const cluster = new Cluster(checks, shared.cluster);
    this.namespace = server.namespace;
    this.podLabels = selectorLabels(part);
    const metadata = { name, namespace: this.namespace, labels: labels(part) };
    const issuer = url(checks, 'issuerUrl', given.issuerUrl, 'https://login.example.com/realms/ml');
    const ca = caFile(checks, 'issuerCa', given.issuerCa, 'issuer-ca', CA_FOLDER);
    const external = url(checks, 'externalUrl', given.externalUrl, `https://mlflow.example.com${server.staticPrefix}`, ', or MlflowStack an ingress or a httpRoute with a host that is no pattern');
    const path = external.pathname.replace(/\/$/, '');
    if (path !== server.staticPrefix) {
      checks.fault({
        prop: 'externalUrl',
        value: given.externalUrl,
        rule: `a request keeps its path, and the server answers under ${JSON.stringify(server.staticPrefix === '' ? '/' : server.staticPrefix)}, its settings.staticPrefix`,
        fix: `pass ${JSON.stringify(`${external.origin}${server.staticPrefix}`)}`,
      });
    }
    const { type } = shared.service ?? {};
    if (type !== undefined && type !== ServiceType.CLUSTER_IP) {
      checks.fault({
        prop: 'server',
        value: `a server with service.type = "${type}"`,
        rule: 'with a login proxy clients come to the proxy, and this Service leads past it to the server',
        fix: 'leave service.type of the tracking server out, or the proxy',
      });
    }
    const client = checks.required('clientCredentials', given.clientCredentials, NO_CREDENTIALS, 'client id and client secret', 'Credentials.fromSecretName(…)');
    if (client.generated) {
      checks.fault({ prop: 'clientCredentials', value: `Secret "${client.secretName}", whose values nobody makes up`, rule: 'the provider gives client id and client secret', fix: 'pass Credentials.fromSecretName(…)' });
    }
    if (client !== NO_CREDENTIALS) checkSecretNamespaces(checks, this.namespace, { clientCredentials: client });
    const replicas = checks.count('replicas', given.replicas ?? 2, 'the number of pods');
    const domains = checks.members('emailDomains', given.emailDomains ?? ['*'], 'string', 'domains', '"example.com"');
    const groups = checks.members('allowedGroups', given.allowedGroups ?? [], 'string', 'names of groups', '"data-science"');
    domains.forEach((domain, index) => {
      if (!/^(\*|\.?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*)$/.test(domain)) {
        checks.fault({ prop: `emailDomains[${index}]`, value: domain, rule: 'a domain is what stands behind the "@" of an address, or "*" for all (https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview)', fix: 'pass a domain such as "example.com"' });
      }
    });
    groups.forEach((group, index) => {
      // the flag takes a list, too
      if (!/^[^,\s][^,]*$/.test(group)) checks.fault({ prop: `allowedGroups[${index}]`, value: group, rule: 'a group has a name without comma', fix: 'pass a name such as "data-science"' });
    });
    for (const [prop, list] of Object.entries({ emailDomains: given.emailDomains, allowedGroups: given.allowedGroups })) {
      if (list?.length === 0) checks.fault({ prop, value: list, rule: 'the list has one member or more: it is no way to let nobody in', fix: `leave ${prop} out for no such limit, or name who may log in` });
    }
    checkNotOpenToAll(checks, { ...given, emailDomains: given.emailDomains && domains, allowedGroups: groups });
    const bearer = checks.flag('bearerTokens', given.bearerTokens ?? true);
    const extraArgs = checks.members('extraArgs', given.extraArgs ?? [], 'string', 'flags', '"--cookie-expire=12h"');
    this.redirectUrl = `${external.origin}${path}/oauth2/callback`;
    const args = [
      `--http-address=${cluster.address(cluster.anyAddress)}:${PORT}`,
      '--provider=oidc',
      `--oidc-issuer-url=${given.issuerUrl}`,
      ...(ca === undefined ? [] : [`--provider-ca-file=${ca.path}`]),
      `--redirect-url=${this.redirectUrl}`,
      `--proxy-prefix=${path}/oauth2`,
      `--upstream=http://${cluster.nearHost(server.service.name, this.namespace)}:${server.port}/`,
      // a model of many gigabytes takes its time
      '--upstream-timeout=1h',
      '--reverse-proxy=true',
      '--skip-provider-button=true',
      '--code-challenge-method=S256',
      `--cookie-name=_${String(name).replaceAll('-', '_')}`,
      `--cookie-secure=${external.protocol === 'https:'}`,
      '--cookie-samesite=lax',
      ...(path === '' ? [] : [`--cookie-path=${path}`]),
      ...domains.map((domain) => `--email-domain=${domain}`),
      ...groups.map((group) => `--allowed-group=${group}`),
      // a program wants 401, and no page to log in
      ...(bearer ? ['--skip-jwt-bearer-tokens=true', `--api-route=^${path.replace(/[.+]/g, '\\$&')}/${API_PATHS}`] : []),
      '--silence-ping-logging=true',
    ];
    const taken = new Set([...args.map((arg) => arg.split('=')[0]), ...SECRET_FLAGS]);
    extraArgs.forEach((arg, index) => {
      const [flag] = arg.split(/[=\s]/);
      if (taken.has(flag)) {
        checks.fault({ prop: `extraArgs[${index}]`, value: SECRET_FLAGS.includes(flag) ? `${flag}=(not shown)` : arg, rule: `${flag} is set by the construct`, fix: 'leave it out, or use the prop for it' });
      } else checkNoPasswordInArgument(checks, `extraArgs[${index}]`, arg, extraArgs[index - 1]);
    });

    const cookieKey = keyOf(COOKIE_KEY, generationOf(checks, given.cookieGeneration, 'cookieGeneration'));
    this.cookieSecret = SecretsJob._fill(server, this, part, `${name}-cookie`, { [cookieKey]: { length: 32 } });

    const ping = { httpGet: { path: '/ping', port: k8s.IntOrString.fromString('http') }, timeoutSeconds: 5 };
    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        replicas,
        selector: { matchLabels: this.podLabels },
        template: {
          metadata: { labels: pod.labels(workloadLabels(part)), annotations: pod.annotations() },
          spec: pod.complete({
            ...pod.placement(this.podLabels, replicas > 1),
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            containers: [
              {
                name: 'oauth2-proxy',
                image,
                imagePullPolicy: images.pullPolicy,
                args: [...args, ...extraArgs],
                env: [
                  envFromSecret('OAUTH2_PROXY_CLIENT_ID', client.secretName, client.usernameKey),
                  envFromSecret('OAUTH2_PROXY_CLIENT_SECRET', client.secretName, client.passwordKey),
                  envFromSecret('OAUTH2_PROXY_COOKIE_SECRET', `${name}-cookie`, cookieKey),
                  ...generationVariable('CLIENT_CREDENTIALS_GENERATION', client),
                ],
                ports: [{ name: 'http', containerPort: PORT }],
                // ready looks at the session store as well, ping at the process only
                readinessProbe: { ...ping, httpGet: { ...ping.httpGet, path: '/ready' }, periodSeconds: 5 },
                livenessProbe: { ...ping, periodSeconds: 10, failureThreshold: 6 },
                resources: containerResources(checks, given.resources, RESOURCES, '64Mi'),
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
                volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }, ...(ca === undefined ? [] : [ca.mount])],
              },
            ],
            volumes: [emptyDir('tmp', '16Mi'), ...(ca === undefined ? [] : [ca.volume])],
          }),
        },
      },
    });
    this.service = new Service(this, 'Service', {
      metadata,
      spec: { type: 'ClusterIP', selector: this.podLabels, ports: [{ name: 'http', port: PORT, targetPort: k8s.IntOrString.fromString('http') }] },
    });
    if (replicas > 1) {
      this.disruptionBudget = new PodDisruptionBudget(this, 'DisruptionBudget', { metadata, spec: { ...budgetSpec(checks, {}), selector: { matchLabels: this.podLabels } } });
    }
    this.connections = new Connections({ podLabels: this.podLabels, ports: [PORT] });
    this.connections.allowTo(server.connections.toThese, toAnywhere(portOf(issuer)), ...(network?.egress ?? []));
    if (network?.clients) this.connections.allowFrom(...network.clients);
    if (network !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });
    server.addLogin(this);
    server.connections.isolate(this);
    server.connections.allowFromPods(this.podLabels);
    this.url = `http://${cluster.host(name, this.namespace)}:${PORT}`;
    this.routeBackend = { ...server.routeBackend, artifactRoutes: undefined, serviceName: name, port: PORT, externalUrl: `${external.origin}${path}`, largeHeaders: true };
    rejectTakenNames(this, 'server', 'make one login for each tracking server');
    rejectSharedSelector(this, name, this.namespace, this.podLabels);
    this.node.defaultChild = this.deployment;
  }

  public addRoute(route: Construct, hosts: string[]): void {
    hosts.forEach((host) => this.hosts.add(host));
    this.server.addRoute(route, hosts);
  }

  /** A login that began at one host ends at that of `externalUrl`, where its cookie is not known. */
  private checkHosts(checks: PropChecks, extraArgs: string[]): void {
    if (this.hosts.size < 2 || extraArgs.some((arg) => String(arg).startsWith('--cookie-domain='))) return;
    checks.fault({
      prop: 'externalUrl',
      value: [...this.hosts],
      rule: 'the provider sends users back to externalUrl, and a login that began at another host of the routes fails there',
      fix: 'leave one host, or share the cookies of one domain: extraArgs ["--cookie-domain=.example.com", "--whitelist-domain=.example.com"]',
    });
  }
}

function url(checks: PropChecks, prop: string, value: string | undefined, example: string, otherwise = ''): URL {
  const given = checks.required(prop, value, example, 'the URL', `${JSON.stringify(example)}${otherwise}`);
  try {
    const parsed = new URL(given);
    if (/^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.search === '' && parsed.hash === '') return parsed;
  } catch {
    // told below
  }
  checks.fault({ prop, value: given, hidden: String(given).includes('@'), rule: 'it is an http or https URL, without user, query and fragment', fix: `pass a URL such as ${JSON.stringify(example)}` });
  return new URL(example);
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
