import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { disruptionBudget } from '../operations/disruption-budget';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { decided } from '../kube/linters';
import { networkPolicyOptions, podPolicy, toAnywhere, toPods } from '../kube/network';
import { Deployment, Service } from '../kube/objects';
import { place } from '../validation/place';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir, envFromSecret } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { CREDENTIALS, checkSecretNamespaces } from '../store/store';
import { rejectSharedSelector, rejectTakenNames } from '../validation/unique-names';
import { ICredentials } from '../secrets/credentials';
import { GeneratedSecret } from '../secrets/generated-secret';
import { ImageOptions } from '../options/image-options';
import { Images } from '../options/images';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';
import { k8s } from '../../imports/k8s';

const PORT = 4180;
const COOKIE_KEY = 'cookie-secret';
/** Longest name: that of the Job, `<name>-cookie-bootstrap-<fingerprint>`, has at most 63 characters. */
const MAX_NAME = 35;
/** Flags whose values stand in Secrets, and never in arguments. */
const SECRET_FLAGS = ['--client-id', '--client-secret', '--client-secret-file', '--cookie-secret', '--cookie-secret-file'];

/** Login with an OpenID Connect provider: Keycloak, Entra ID, Okta, Google, Dex… */
export interface OidcOptions {
  /**
   * URL of the provider, under which `/.well-known/openid-configuration` is.
   *
   * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
   */
  readonly issuerUrl: string;

  /**
   * Client id (as the user name) and client secret (as the password) with which the provider knows this application, in a Secret
   * that exists: `Credentials.fromSecretName`.
   */
  readonly clientCredentials: ICredentials;

  /**
   * Domains of the e-mail addresses of users who may log in.
   *
   * @default - whoever the provider lets in
   */
  readonly emailDomains?: string[];

  /**
   * Groups of which users have to be in one.
   *
   * @default - any
   */
  readonly allowedGroups?: string[];

  /**
   * Whether programs may present an ID token of the provider in place of a login in the browser: MLflow clients set it as
   * MLFLOW_TRACKING_TOKEN.
   *
   * @default true
   * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
   */
  readonly bearerTokens?: boolean;

  /**
   * Number of pods of the proxy. It keeps sessions in cookies, so that each pod knows them all.
   *
   * @default 2
   */
  readonly replicas?: number;

  /**
   * Image of oauth2-proxy.
   *
   * @default Images.OAUTH2_PROXY
   */
  readonly image?: string;

  /**
   * CPU and memory of a pod of the proxy.
   *
   * @default - 20m to 500m, 64 MiB to 128 MiB
   */
  readonly resources?: ContainerResources;

  /**
   * Further flags of oauth2-proxy.
   *
   * @default - none
   * @see https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview
   */
  readonly extraArgs?: string[];
}

/** Props of `Oauth2Proxy`. */
export interface Oauth2ProxyProps extends OidcOptions {
  /**
   * Name of the Deployment and its Service, and beginning of the names of all other objects.
   *
   * @default "mlflow-oauth2-proxy"
   */
  readonly name?: string;

  /**
   * Namespace of all objects.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Name of the application that the proxy belongs to, which goes into the label `app.kubernetes.io/instance`.
   * Proxies in a namespace have one each, since their Services find their pods by it.
   *
   * @default - `name`
   */
  readonly instance?: string;

  /**
   * URL of what stands behind the proxy, such as `http://mlflow-service.mlflow.svc.cluster.local:5000`, without path: requests
   * keep theirs.
   */
  readonly upstreamUrl: string;

  /**
   * Labels of the pods behind `upstreamUrl`, if they are in this namespace: the NetworkPolicy then lets the proxy connect to
   * these only.
   *
   * @default - it may connect to any address at the port of `upstreamUrl`
   */
  readonly upstreamPodLabels?: { [key: string]: string };

  /**
   * Image with Python, for the Job that makes up the key of the cookies.
   *
   * @default Images.MLFLOW
   */
  readonly bootstrapImage?: string;

  /** URL that browsers have, with the path of the application if it has one, such as `https://mlflow.example.com`. */
  readonly externalUrl: string;

  /**
   * Where the images come from.
   *
   * @default - each from its own registry
   */
  readonly images?: ImageOptions;

  /**
   * Where the pods run, and what they have besides.
   *
   * @default - any node, nothing
   */
  readonly pod?: PodOptions;

  /**
   * NetworkPolicies of the proxy.
   *
   * @default - everybody may connect to it, and it connects to the provider and to `upstreamUrl`
   */
  readonly networkPolicy?: NetworkPolicyOptions;
}

const OPTIONS: Shape<OidcOptions> = {
  issuerUrl: 'value',
  clientCredentials: CREDENTIALS,
  emailDomains: 'list',
  allowedGroups: 'list',
  bearerTokens: 'value',
  replicas: 'value',
  image: 'value',
  resources: {},
  extraArgs: 'list',
};
const SHAPE: Shape<Oauth2ProxyProps> = {
  ...OPTIONS,
  name: 'value',
  namespace: 'value',
  instance: 'value',
  upstreamUrl: 'value',
  upstreamPodLabels: 'labels',
  externalUrl: 'value',
  bootstrapImage: 'value',
  images: {},
  pod: {},
  networkPolicy: {},
};

/**
 * oauth2-proxy before a tracking server: who comes with a browser logs in at an OpenID Connect provider first.
 *
 * @see https://oauth2-proxy.github.io/oauth2-proxy/
 */
export class Oauth2Proxy extends Construct {
  /** Namespace of all objects. */
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

  /** Job that makes up the key of the cookies. */
  public readonly bootstrapJob: k8s.KubeJob;

  /** ServiceAccount of the bootstrap Job. */
  public readonly bootstrapServiceAccount: k8s.KubeServiceAccount;

  /** Role of the bootstrap Job: it may fill the Secret with the key of the cookies. */
  public readonly bootstrapRole: k8s.KubeRole;

  /** RoleBinding of the bootstrap Job. */
  public readonly bootstrapRoleBinding: k8s.KubeRoleBinding;

  /** ConfigMap with the script of the bootstrap Job. */
  public readonly bootstrapScripts: k8s.KubeConfigMap;

  /** NetworkPolicy of the bootstrap Job, where `networkPolicy.enabled` is true. */
  public readonly bootstrapNetworkPolicy?: k8s.KubeNetworkPolicy;

  /** NetworkPolicy of the proxy, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** Labels that select the pods. */
  public readonly podLabels: { [key: string]: string };

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the provider, and what stands behind the proxy
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: Oauth2ProxyProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const name = checks.name('name', props.name ?? 'mlflow-oauth2-proxy', MAX_NAME);
    const images = new ImageSource(checks, props.images);
    const image = images.of('image', props.image ?? Images.OAUTH2_PROXY);
    const part: Part = { name: 'oauth2-proxy', instance: props.instance === undefined ? name : checks.labelValue('instance', props.instance), component: 'login-proxy', image };
    const pod = new PodSettings(checks, props.pod, images);
    const network = networkPolicyOptions(checks, props.networkPolicy);
    this.namespace = checks.namespace(this, props.namespace);
    this.podLabels = selectorLabels(part);
    const metadata = { name, namespace: this.namespace, labels: labels(part) };
    const issuer = url(checks, 'issuerUrl', props.issuerUrl, 'https://login.example.com/realms/ml');
    const upstream = url(checks, 'upstreamUrl', props.upstreamUrl, 'http://mlflow-service.mlflow.svc.cluster.local:5000');
    if (upstream.pathname !== '/') {
      checks.fault({ prop: 'upstreamUrl', value: props.upstreamUrl, rule: 'a request keeps its path, so that upstreamUrl has none', fix: `pass ${JSON.stringify(upstream.origin)}, and the path in externalUrl` });
    }
    const external = url(checks, 'externalUrl', props.externalUrl, 'https://mlflow.example.com');
    const client = checks.required('clientCredentials', props.clientCredentials, NO_CREDENTIALS, 'client id and client secret', 'Credentials.fromSecretName(…)');
    if (client.generated) {
      checks.fault({ prop: 'clientCredentials', value: `Secret "${client.secretName}", whose values nobody makes up`, rule: 'the provider gives client id and client secret', fix: 'pass Credentials.fromSecretName(…)' });
    }
    if (client !== NO_CREDENTIALS) checkSecretNamespaces(checks, this.namespace, { clientCredentials: client });
    const replicas = checks.count('replicas', props.replicas ?? 2, 'the number of pods');
    const domains = checks.members('emailDomains', props.emailDomains ?? ['*'], 'string', 'domains', '"example.com"');
    const groups = checks.members('allowedGroups', props.allowedGroups ?? [], 'string', 'names of groups', '"data-science"');
    domains.forEach((domain, index) => {
      if (!/^(\*|\.?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*)$/.test(domain)) {
        checks.fault({ prop: `emailDomains[${index}]`, value: domain, rule: 'a domain is what stands behind the "@" of an address, or "*" for all (https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview)', fix: 'pass a domain such as "example.com"' });
      }
    });
    groups.forEach((group, index) => {
      // the flag takes a list, too
      if (!/^[^,\s][^,]*$/.test(group)) checks.fault({ prop: `allowedGroups[${index}]`, value: group, rule: 'a group has a name without comma', fix: 'pass a name such as "data-science"' });
    });
    for (const [prop, list] of Object.entries({ emailDomains: props.emailDomains, allowedGroups: props.allowedGroups })) {
      if (list?.length === 0) checks.fault({ prop, value: list, rule: 'the list has one member or more: it is no way to let nobody in', fix: `leave ${prop} out for no such limit, or name who may log in` });
    }
    const bearer = checks.flag('bearerTokens', props.bearerTokens ?? true);
    const extraArgs = checks.members('extraArgs', props.extraArgs ?? [], 'string', 'flags', '"--cookie-expire=12h"');
    const path = external.pathname.replace(/\/$/, '');
    this.redirectUrl = `${external.origin}${path}/oauth2/callback`;
    const args = [
      `--http-address=0.0.0.0:${PORT}`,
      '--provider=oidc',
      `--oidc-issuer-url=${props.issuerUrl}`,
      `--redirect-url=${this.redirectUrl}`,
      `--proxy-prefix=${path}/oauth2`,
      `--upstream=${upstream.origin}/`,
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
      ...(bearer ? ['--skip-jwt-bearer-tokens=true', `--api-route=^${path.replace(/[.+]/g, '\\$&')}/(ajax-)?api/`] : []),
      '--silence-ping-logging=true',
    ];
    const taken = new Set([...args.map((arg) => arg.split('=')[0]), ...SECRET_FLAGS]);
    extraArgs.forEach((arg, index) => {
      const [flag] = arg.split(/[=\s]/);
      if (taken.has(flag)) {
        checks.fault({ prop: `extraArgs[${index}]`, value: SECRET_FLAGS.includes(flag) ? `${flag}=(not shown)` : arg, rule: `${flag} is set by the construct`, fix: 'leave it out, or use the prop for it' });
      }
    });

    const cookie = new GeneratedSecret(this, 'Cookie', {
      part,
      secretName: `${name}-cookie`,
      namespace: this.namespace,
      values: { [COOKIE_KEY]: { length: 32 } },
      image: images.of('bootstrapImage', props.bootstrapImage ?? Images.MLFLOW),
      images,
      pod,
      networkPolicy: network !== undefined,
    });
    this.cookieSecret = cookie.secret;
    this.bootstrapJob = cookie.bootstrap.job;
    this.bootstrapServiceAccount = cookie.bootstrap.serviceAccount;
    this.bootstrapRole = cookie.bootstrap.role;
    this.bootstrapRoleBinding = cookie.bootstrap.roleBinding;
    this.bootstrapScripts = cookie.bootstrap.scripts;
    this.bootstrapNetworkPolicy = cookie.bootstrap.networkPolicy;

    const ping = { httpGet: { path: '/ping', port: k8s.IntOrString.fromString('http') }, timeoutSeconds: 5 };
    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part), annotations: decided({ images: [image], pullPolicy: images.pullPolicy, secretsInEnv: true, single: replicas === 1 }) },
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
                  envFromSecret('OAUTH2_PROXY_COOKIE_SECRET', `${name}-cookie`, COOKIE_KEY),
                ],
                ports: [{ name: 'http', containerPort: PORT }],
                // ready looks at the session store as well, ping at the process only
                readinessProbe: { ...ping, httpGet: { ...ping.httpGet, path: '/ready' }, periodSeconds: 5 },
                livenessProbe: { ...ping, periodSeconds: 10, failureThreshold: 6 },
                resources: containerResources(checks, props.resources, RESOURCES, '64Mi'),
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
                volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
              },
            ],
            volumes: [emptyDir('tmp', '16Mi')],
          }),
        },
      },
    });
    this.service = new Service(this, 'Service', {
      metadata,
      spec: { type: 'ClusterIP', selector: this.podLabels, ports: [{ name: 'http', port: PORT, targetPort: k8s.IntOrString.fromString('http') }] },
    });
    if (replicas > 1) {
      this.disruptionBudget = disruptionBudget(this, checks, {}, { metadata, podLabels: this.podLabels, replicas, replicasProp: 'replicas' });
    }
    if (network !== undefined) {
      const behind = props.upstreamPodLabels === undefined ? toAnywhere(portOf(upstream)) : toPods(props.upstreamPodLabels, portOf(upstream));
      this.networkPolicy = podPolicy(this, 'NetworkPolicy', {
        ...metadata,
        podLabels: this.podLabels,
        ports: [PORT],
        clients: network.clients,
        egress: [behind, toAnywhere(portOf(issuer)), ...network.egress],
      });
    }
    this.url = `http://${name}.${this.namespace}.svc.cluster.local:${PORT}`;
    rejectTakenNames(this, 'name', 'give each proxy of the namespace its own name');
    rejectSharedSelector(this, name, this.namespace, this.podLabels);
    this.node.defaultChild = this.deployment;
  }
}

const RESOURCES = { cpuRequest: '20m', cpuLimit: '500m', memoryRequest: Size.mebibytes(64), memoryLimit: Size.mebibytes(128) };
const NO_CREDENTIALS: ICredentials = { secretName: 'client', namespace: '', usernameKey: 'username', passwordKey: 'password', generated: false };

function url(checks: PropChecks, prop: string, value: string, example: string): URL {
  const given = checks.required(prop, value, example, 'the URL', JSON.stringify(example));
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
