import { ApiObject, Chart, Size, Testing } from 'cdk8s';
import { Credentials, HttpRouteOptions, IngressOptions, Images, ImagePullPolicy, IpFamily, Login, Metrics, MlflowStack, MlflowStackProps, Oauth2Proxy, OidcOptions, ServerHttpRoute, ServerIngress } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, containers, faults, get, ofKind, workloads } from '../helpers';
import { server, told } from '../tracking-server/server';

const BASE = {
  issuerUrl: 'https://login.example.com/realms/ml',
  externalUrl: 'https://mlflow.example.com',
};
const client = (chart: Chart) => Credentials.fromSecretName(chart, 'Client', 'oidc-client', { usernameKey: 'id', passwordKey: 'secret' });

const proxy = new AddOn(Oauth2Proxy, 'Proxy', 'server', (chart) => ({ clientCredentials: client(chart), ...BASE }));
const MINE = /^mlflow-oauth2-proxy/;
/** The objects of the proxy, without those of the server. */
const synth = (options: object = {}, props: object = {}): Manifests => proxy.synth(options, props).filter(({ metadata }) => MINE.test(metadata.name));
const container = (options: object = {}, props: object = {}) => containers(get(synth(options, props), 'Deployment', 'mlflow-oauth2-proxy'))[0];
const args = (options: object = {}, props: object = {}): string[] => container(options, props).args;
const SELECTOR = { 'app.kubernetes.io/name': 'oauth2-proxy', 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': 'login-proxy' };
const fromSecret = (name: string, secret: string, key: string) => ({ name, valueFrom: { secretKeyRef: { name: secret, key } } });

test('authorities of the provider that not everybody knows are a file', () => {
  const { containers: [only], volumes } = get(synth({ issuerCa: { configMapName: 'company-ca', key: 'root.pem' } }), 'Deployment', 'mlflow-oauth2-proxy').spec.template.spec;
  expect(only.args).toContain('--provider-ca-file=/etc/oauth2-proxy/issuer-ca/ca.crt');
  expect(only.volumeMounts).toContainEqual({ name: 'issuer-ca', mountPath: '/etc/oauth2-proxy/issuer-ca' });
  expect(volumes).toContainEqual({ name: 'issuer-ca', configMap: { name: 'company-ca', items: [{ key: 'root.pem', path: 'ca.crt' }], defaultMode: 0o440 } });
  expect(proxy.wrong({ issuerCa: {} })).toEqual([told('issuerCa', '{}', 'in one place', 'configMapName', 'Proxy')]);
});

test('the Job of the cookie has the resources that the server says', () => {
  const [fill] = containers(get(proxy.synth({}, { pod: { bootstrapResources: { cpuRequest: '100m' } } }), 'Job', 'mlflow-secrets'));
  expect(fill.resources.requests.cpu).toBe('100m');
});

describe('with nothing said', () => {
  const objects = synth();
  const deployment = get(objects, 'Deployment', 'mlflow-oauth2-proxy');

  test('these are its objects', () => {
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, '')}`)).toEqual([
      'Secret mlflow-oauth2-proxy-cookie',
      'Deployment mlflow-oauth2-proxy',
      'Service mlflow-oauth2-proxy',
      'PodDisruptionBudget mlflow-oauth2-proxy',
      'NetworkPolicy mlflow-oauth2-proxy',
    ]);
  });

  test('every object is a public field', () => {
    const { made } = proxy.add();
    const fields = new Set<unknown>(Object.values(made));
    const all = made.node.findAll().filter((construct): construct is ApiObject => ApiObject.isApiObject(construct) && MINE.test(construct.name));
    expect(all).toHaveLength(5);
    expect(all.filter((object) => !fields.has(object)).map(({ node }) => node.path)).toEqual([]);
    expect(ApiObject.of(made)).toBe(made.deployment);
  });

  test('the flags', () => {
    expect(args()).toEqual([
      '--http-address=0.0.0.0:4180',
      '--provider=oidc',
      '--oidc-issuer-url=https://login.example.com/realms/ml',
      '--redirect-url=https://mlflow.example.com/oauth2/callback',
      '--proxy-prefix=/oauth2',
      '--upstream=http://mlflow-service.mlflow.svc.cluster.local:5000/',
      '--upstream-timeout=1h',
      '--reverse-proxy=true',
      '--skip-provider-button=true',
      '--code-challenge-method=S256',
      '--cookie-name=_mlflow_oauth2_proxy',
      '--cookie-secure=true',
      '--cookie-samesite=lax',
      '--email-domain=*',
      '--skip-jwt-bearer-tokens=true',
      '--api-route=^/((ajax-)?api/|v1/traces$|gateway/|graphql$|(health|version|metrics)$)',
      '--silence-ping-logging=true',
    ]);
  });

  test('what is secret comes from Secrets, that of the cookies with a value that the cluster makes up', () => {
    expect(containers(deployment)[0].env).toEqual([
      fromSecret('OAUTH2_PROXY_CLIENT_ID', 'oidc-client', 'id'),
      fromSecret('OAUTH2_PROXY_CLIENT_SECRET', 'oidc-client', 'secret'),
      fromSecret('OAUTH2_PROXY_COOKIE_SECRET', 'mlflow-oauth2-proxy-cookie', 'cookie-secret'),
    ]);
    expect(get(objects, 'Secret', 'mlflow-oauth2-proxy-cookie')).not.toHaveProperty('data');
    const [fill] = containers(get(proxy.synth(), 'Job', 'mlflow-secrets'));
    // AES takes 16, 24 or 32 bytes
    expect(JSON.parse(fill.env[0].value)).toEqual([expect.objectContaining({ secretName: 'mlflow-server-secrets' }), { secretName: 'mlflow-oauth2-proxy-cookie', values: { 'cookie-secret': { length: 32 } } }]);
  });

  test('two pods, apart if they can, of which a drain leaves one', () => {
    expect(deployment.spec.replicas).toBe(2);
    expect(deployment.spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector).toEqual({ matchLabels: SELECTOR });
    expect(get(objects, 'PodDisruptionBudget', 'mlflow-oauth2-proxy').spec).toEqual({ maxUnavailable: 1, selector: { matchLabels: SELECTOR }, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  });

  test('the Service leads to these pods', () => {
    expect(get(objects, 'Service', 'mlflow-oauth2-proxy').spec).toEqual({ type: 'ClusterIP', selector: SELECTOR, ports: [{ name: 'http', port: 4180, targetPort: 'http' }] });
    expect(deployment.spec.template.metadata.labels).toMatchObject(SELECTOR);
    expect(containers(deployment)[0].ports).toEqual([{ name: 'http', containerPort: 4180 }]);
  });

  test('its pods are restricted', () => {
    for (const { spec } of workloads(objects)) {
      expect(spec.template.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } });
    }
    for (const { securityContext } of workloads(objects).flatMap(containers)) {
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
    }
  });

  test('everybody may connect; it connects to the provider and to what is behind it', () => {
    const { ingress, egress } = get(objects, 'NetworkPolicy', 'mlflow-oauth2-proxy').spec;
    expect(ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 4180 }] }]);
    expect(egress.slice(1)).toEqual([
      { to: [{ podSelector: { matchLabels: { ...SELECTOR, 'app.kubernetes.io/name': 'mlflow', 'app.kubernetes.io/component': 'tracking-server' } } }], ports: [{ protocol: 'TCP', port: 5000 }] },
      { ports: [{ protocol: 'TCP', port: 443 }] },
    ]);
  });

  test('what it tells others', () => {
    const { made } = proxy.add({ clientCredentials: { secretName: 'client', namespace: 'team-a', usernameKey: 'id', passwordKey: 'secret', generated: false } }, { namespace: 'team-a' });
    expect(made).toMatchObject({ namespace: 'team-a', port: 4180, url: 'http://mlflow-oauth2-proxy.team-a.svc.cluster.local:4180', podLabels: SELECTOR });
  });
});

describe('options', () => {
  test('the static prefix of the server', () => {
    const settings = { staticPrefix: '/ml.flow' };
    const flags = args({ externalUrl: 'https://ml.example.com/ml.flow/' }, { settings });
    expect(flags).toEqual(
      expect.arrayContaining(['--redirect-url=https://ml.example.com/ml.flow/oauth2/callback', '--proxy-prefix=/ml.flow/oauth2', '--cookie-path=/ml.flow', expect.stringMatching(/^--api-route=\^\/ml\\\.flow\/\(/)]),
    );
    expect(proxy.add({ externalUrl: 'https://ml.example.com/ml.flow' }, { settings }).made.redirectUrl).toBe('https://ml.example.com/ml.flow/oauth2/callback');
    expect(proxy.add({ externalUrl: 'https://ml.example.com/ml.flow/' }, { settings }).made.routeBackend.externalUrl).toBe('https://ml.example.com/ml.flow');
    expect(args().some((arg) => arg.startsWith('--cookie-path'))).toBe(false);
  });

  test('plain HTTP has cookies that go over it', () => {
    expect(args({ externalUrl: 'http://mlflow.example.com' })).toContain('--cookie-secure=false');
  });

  test('emailDomains and allowedGroups', () => {
    expect(args({ emailDomains: ['example.com', '.example.org'], allowedGroups: ['data-science', '/ml/admins'] })).toEqual(
      expect.arrayContaining(['--email-domain=example.com', '--email-domain=.example.org', '--allowed-group=data-science', '--allowed-group=/ml/admins']),
    );
    expect(args({ emailDomains: ['example.com'] })).not.toContain('--email-domain=*');
  });

  test('bearerTokens: false', () => {
    expect(args({ bearerTokens: false }).filter((arg) => /jwt|api-route/.test(arg))).toEqual([]);
  });

  test('extraArgs stand at the end', () => {
    expect(args({ extraArgs: ['--cookie-expire=12h', '--scope=openid email'] }).slice(-2)).toEqual(['--cookie-expire=12h', '--scope=openid email']);
  });

  test('replicas: 1 needs no budget and no distance', () => {
    const objects = synth({ replicas: 1 });
    expect(ofKind(objects, 'PodDisruptionBudget')).toEqual([]);
    expect(get(objects, 'Deployment', 'mlflow-oauth2-proxy').spec.template.spec).not.toHaveProperty('affinity');
    expect(proxy.add({ replicas: 1 }).made.disruptionBudget).toBeUndefined();
  });

  test('image and resources; where images come from is that of the server', () => {
    expect(container().image).toBe(Images.OAUTH2_PROXY);
    const images = { registry: 'registry.example.com', pullSecrets: ['login'], pullPolicy: ImagePullPolicy.ALWAYS };
    const objects = synth({ image: 'quay.io/mine/proxy:1', resources: { memoryLimit: Size.mebibytes(512) } }, { image: 'docker.io/library/mlflow:3.14', images });
    const all = workloads(objects);
    expect(all.flatMap(containers).map(({ image }) => image).sort()).toEqual(['registry.example.com/mine/proxy:1']);
    for (const { spec } of all) expect(spec.template.spec.imagePullSecrets).toEqual([{ name: 'login' }]);
    for (const { imagePullPolicy } of all.flatMap(containers)) expect(imagePullPolicy).toBe('Always');
    expect(containers(get(objects, 'Deployment', 'mlflow-oauth2-proxy'))[0].resources.limits.memory).toBe('512Mi');
  });

  test('pod', () => {
    const objects = synth({ pod: { nodeSelector: { disk: 'ssd' }, labels: { team: 'ml' }, annotations: { a: 'b' } } });
    for (const { spec } of workloads(objects)) {
      expect(spec.template.spec.nodeSelector).toEqual({ disk: 'ssd' });
      expect(spec.template.metadata).toMatchObject({ labels: { team: 'ml' }, annotations: { a: 'b' } });
    }
  });

  test('pod goes over that of the server, field by field', () => {
    const shared = { nodeSelector: { disk: 'ssd' }, priorityClassName: 'high', labels: { team: 'ml', floor: '1' } };
    const { spec, metadata } = get(synth({ pod: { priorityClassName: 'low', labels: { floor: '2' } } }, { pod: shared }), 'Deployment', 'mlflow-oauth2-proxy').spec.template;
    expect(spec).toMatchObject({ nodeSelector: { disk: 'ssd' }, priorityClassName: 'low' });
    expect(metadata.labels).toMatchObject({ team: 'ml', floor: '2' });
  });

  test('its name is that of the server', () => {
    const { chart } = proxy.add({}, { name: 'gate' });
    const objects = Testing.synth(chart).filter(({ metadata }) => /^gate-oauth2-proxy/.test(metadata.name));
    expect(objects).toHaveLength(5);
    for (const { metadata } of objects) expect(metadata.labels['app.kubernetes.io/instance']).toBe('gate');
    const [{ args: flags }] = containers(get(objects, 'Deployment', 'gate-oauth2-proxy'));
    expect(flags).toEqual(expect.arrayContaining(['--cookie-name=_gate_oauth2_proxy', '--upstream=http://gate-service.mlflow.svc.cluster.local:5000/']));
  });

  test('networkPolicy', () => {
    const gateway = { podSelector: { matchLabels: { app: 'gateway' } } };
    const networkPolicy = { clients: [gateway], egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] };
    const { ingress, egress } = get(synth({ issuerUrl: 'https://login.example.com:8443', networkPolicy }), 'NetworkPolicy', 'mlflow-oauth2-proxy').spec;
    expect(ingress).toEqual([{ from: [gateway], ports: [{ protocol: 'TCP', port: 4180 }] }]);
    expect(egress.slice(2)).toEqual([{ ports: [{ protocol: 'TCP', port: 8443 }] }, { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }]);
    expect(ofKind(synth({ networkPolicy: { enabled: false } }), 'NetworkPolicy')).toEqual([]);
    expect(ofKind(synth({}, { networkPolicy: { enabled: false } }), 'NetworkPolicy')).toEqual([]);
  });

  test('who the server lets connect come to the server, and do not make the proxy private', () => {
    const networkPolicy = { clients: [{ namespaceSelector: {} }], egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] };
    const { ingress, egress } = get(synth({}, { networkPolicy }), 'NetworkPolicy', 'mlflow-oauth2-proxy').spec;
    expect(ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 4180 }] }]);
    // a way out, such as that to a proxy of the company, is one for both
    expect(egress).toContainEqual(networkPolicy.egress[0]);
  });

  test('domain of the cluster and IPv6', () => {
    const cluster = { domain: 'k8s.example.org', ipFamily: IpFamily.IPV6 };
    expect(args({}, { cluster })).toEqual(expect.arrayContaining(['--http-address=[::]:4180', '--upstream=http://mlflow-service.mlflow.svc.k8s.example.org:5000/']));
    expect(proxy.add({}, { cluster }).made.url).toBe('http://mlflow-oauth2-proxy.mlflow.svc.k8s.example.org:4180');
  });
});

describe('faults', () => {
  test.each<[object, string, string, string, string]>([
    [{ issuerUrl: undefined }, 'issuerUrl', 'undefined', 'the URL has to be given', 'realms'],
    [{ issuerUrl: 'login.example.com' }, 'issuerUrl', '"login.example.com"', 'an http or https URL', 'https://login.example.com'],
    [{ issuerUrl: 'ftp://login.example.com' }, 'issuerUrl', '"ftp://login.example.com"', 'an http or https URL', ''],
    [{ issuerUrl: 'https://a/?x=1' }, 'issuerUrl', '"https://a/?x=1"', 'without user, query and fragment', ''],
    [{ issuerUrl: 'https://me:hunter2@login.example.com' }, 'issuerUrl', 'a string', 'without user, query and fragment', ''],
    [{ externalUrl: undefined }, 'externalUrl', 'undefined', 'the URL has to be given', 'pass "https://mlflow.example.com", or MlflowStack an ingress'],
    [{ externalUrl: 'mlflow' }, 'externalUrl', '"mlflow"', 'an http or https URL', ''],
    [{ externalUrl: 'https://mlflow.example.com/runs' }, 'externalUrl', '"https://mlflow.example.com/runs"', 'the server answers under "/", its settings.staticPrefix', 'pass "https://mlflow.example.com"'],
    [{ upstreamUrl: 'http://runs:5000' }, 'upstreamUrl', 'a string', 'there is no prop of this name', ''],
    [{ clientCredentials: undefined }, 'clientCredentials', 'undefined', 'client id and client secret has to be given', 'fromSecretName'],
    [{ replicas: 0 }, 'replicas', '0', 'the number of pods is a whole number of 1 or more', ''],
    [{ image: 'proxy' }, 'image', '"proxy"', 'tag or a digest', ''],
    [{ bearerTokens: 'no' }, 'bearerTokens', '"no"', 'true or false', ''],
    [{ emailDomains: [] }, 'emailDomains', '[]', 'one member or more', 'leave emailDomains out'],
    [{ emailDomains: ['a.com', '@example.com'] }, 'emailDomains[1]', '"@example.com"', 'what stands behind the "@"', 'example.com'],
    [{ emailDomains: ['a.com,b.com'] }, 'emailDomains[0]', '"a.com,b.com"', 'what stands behind the "@"', ''],
    [{ emailDomains: [5] }, 'emailDomains[0]', 'a number', 'a list of domains', ''],
    [{ allowedGroups: [] }, 'allowedGroups', '[]', 'no way to let nobody in', 'leave allowedGroups out'],
    [{ allowedGroups: ['a,b'] }, 'allowedGroups[0]', '"a,b"', 'a group has a name without comma', 'data-science'],
    [{ allowedGroups: [''] }, 'allowedGroups[0]', '""', 'a group has a name without comma', ''],
    [{ extraArgs: ['--provider=github'] }, 'extraArgs[0]', '"--provider=github"', '--provider is set by the construct', 'use the prop for it'],
    [{ extraArgs: ['--email-domain', 'a.com'] }, 'extraArgs[0]', '"--email-domain"', '--email-domain is set by the construct', ''],
    [{ extraArgs: ['--client-secret=hunter2'] }, 'extraArgs[0]', '"--client-secret=(not shown)"', '--client-secret is set by the construct', ''],
    [{ extraArgs: ['--cookie-secret hunter2'] }, 'extraArgs[0]', '"--cookie-secret=(not shown)"', '--cookie-secret is set by the construct', ''],
    [{ resources: { cpuLimit: 1 } }, 'resources.cpuLimit', '1', 'CPU is a Kubernetes quantity', ''],
    [{ networkPolicy: { enabled: 'no' } }, 'networkPolicy.enabled', '"no"', 'true or false', ''],
    [{ clientId: 'a' }, 'clientId', 'a string', 'there is no prop of this name', 'clientCredentials'],
  ])('%j', (props, prop, got, rule, fix) => {
    const found = proxy.wrong(props);
    expect(found).toContainEqual(told(prop, got, rule, fix, 'Proxy'));
    expect(found.join()).not.toContain('hunter2');
  });

  test('credentials that nobody makes up, and those of another namespace', () => {
    const chart = Testing.chart();
    proxy.to(chart, server({}, chart), { ...BASE, clientCredentials: new Credentials(chart, 'Client', { secretName: 'client' }) });
    expect(faults(chart)).toEqual([told('clientCredentials', '"Secret \\"client\\", whose values nobody makes up"', 'the provider gives client id and client secret', 'Credentials.fromSecretName', 'Proxy')]);
    const other = Testing.chart();
    proxy.to(other, server({}, other), { ...BASE, clientCredentials: Credentials.fromSecretName(other, 'Client', 'client', { namespace: 'other' }) });
    expect(faults(other)).toEqual([told('clientCredentials', '"Secret \\"client\\" in namespace \\"other\\""', 'here "mlflow"', 'namespace "mlflow"', 'Proxy')]);
  });

  test('the longest name makes names within 63 characters, and one more is refused', () => {
    expect(Math.max(...proxy.synth({}, { name: 'a'.repeat(43) }).map(({ metadata }) => metadata.name.length))).toBe(63);
    expect(proxy.wrong({}, { name: 'a'.repeat(44) })).toEqual([told('server', `"${'a'.repeat(44)}"`, 'its name has at most 43 characters', '', 'Proxy')]);
  });

  test('two for one server', () => {
    const { chart, server: tracking, made } = proxy.add();
    proxy.to(chart, tracking, { ...BASE, clientCredentials: Credentials.fromSecretName(chart, 'Same', 'client') }, 'Second');
    const [first, ...others] = faults(chart);
    expect(first).toEqual(told('addLogin', '"login"', `a server has one login: clients would have to pass both of them, and send one header for it, and [${made.node.path}] has this one`, `leave it to [${made.node.path}]`, 'Second'));
    for (const fault of others) expect(fault).toMatch(/^\[test\/Second(\/Cookie)?\] .*mlflow-oauth2-proxy-cookie/);
  });

  test('a path that is not the static prefix of the server', () => {
    expect(proxy.wrong({}, { settings: { staticPrefix: '/ml' } })).toEqual([
      told('externalUrl', '"https://mlflow.example.com"', 'a request keeps its path, and the server answers under "/ml"', 'pass "https://mlflow.example.com/ml"', 'Proxy'),
    ]);
  });

  test.each(['NodePort', 'LoadBalancer'])('a Service of type %s would lead past it', (type) => {
    expect(proxy.wrong({}, { service: { type } })).toEqual([told('server', `"a server with service.type = \\"${type}\\""`, 'this Service leads past it', 'leave service.type of the tracking server out, or the proxy', 'Proxy')]);
    expect(proxy.wrong({}, { service: { type: 'ClusterIP' } })).toEqual([]);
  });

  test('metrics behind it are there for Prometheus, whichever was made first', () => {
    const from = (metricsFirst: boolean) => {
      const chart = Testing.chart();
      const tracking = server({}, chart);
      const metrics = () => new Metrics(chart, 'Metrics', { server: tracking });
      if (metricsFirst) metrics();
      proxy.to(chart, tracking, { ...BASE, clientCredentials: client(chart) });
      if (!metricsFirst) metrics();
      return JSON.stringify(get(Testing.synth(chart), 'NetworkPolicy', 'mlflow').spec.ingress);
    };
    for (const order of [true, false]) for (const name of ['oauth2-proxy', 'prometheus']) expect(from(order)).toContain(`"app.kubernetes.io/name":"${name}"`);
  });

  test.each(['before', 'behind'])('a route to the server, past the proxy, with the route made %s it', (order) => {
    const chart = Testing.chart();
    const tracking = server({ networkPolicy: { enabled: false } }, chart);
    const makers = [
      () => new ServerIngress(chart, 'Ingress', { hosts: ['mlflow.example.com'], target: tracking }),
      () => proxy.to(chart, tracking, { ...BASE, clientCredentials: client(chart) }),
      () => new ServerHttpRoute(chart, 'HttpRoute', { hosts: ['mlflow.example.com'], gatewayName: 'public', target: tracking }),
    ];
    for (const make of order === 'before' ? makers : makers.reverse()) make();
    const fault = (path: string) => told('target', '"a server whose login is [test/Proxy]"', 'leads past the login before it', 'pass [test/Proxy] as target', path);
    expect(faults(chart).sort()).toEqual([fault('HttpRoute'), fault('Ingress')]);
  });

  test('hosts of several routes, of which one has the cookie', () => {
    const found = (hosts: string[][], options: object = {}) => {
      const { chart, made } = proxy.add(options);
      hosts.forEach((names, index) => new ServerIngress(new Chart(chart, `chart-${index}`, { namespace: `n${index}` }), 'Ingress', { hosts: names, target: made }));
      return faults(chart).filter((fault) => fault.includes('externalUrl'));
    };
    const fault = told('externalUrl', '["a.example.com","b.example.com"]', 'the provider sends users back to externalUrl', 'leave one host', 'Proxy');
    expect(found([['a.example.com', 'b.example.com']])).toEqual([fault]);
    expect(found([['a.example.com']])).toEqual([]);
    expect(found([['a.example.com', 'b.example.com']], { extraArgs: ['--cookie-domain=.example.com', '--whitelist-domain=.example.com'] })).toEqual([]);
  });
});

describe('Login.oidc of a stack', () => {
  const ingress: IngressOptions = { hosts: ['mlflow.example.com'], tls: { secretName: 'tls' } };
  const httpRoute: HttpRouteOptions = { hosts: ['mlflow.example.com'], gatewayName: 'public' };
  function withLogin(props: MlflowStackProps = {}, oidc: Partial<OidcOptions> = {}) {
    const chart = Testing.chart();
    const login = Login.oidc({ issuerUrl: BASE.issuerUrl, clientCredentials: client(chart), ...oidc });
    return { chart, made: new MlflowStack(chart, 'Stack', { ingress, login, ...props }) };
  }
  const objects = (props?: object, oidc?: object) => Testing.synth(withLogin(props, oidc).chart);
  const flags = (props?: object, oidc?: object) => containers(get(objects(props, oidc), 'Deployment', 'mlflow-oauth2-proxy'))[0].args;
  const found = (props?: object, oidc?: object) => faults(withLogin(props, oidc).chart);

  test('routes lead to the proxy, and the proxy to the server', () => {
    const trackingServer = { settings: { staticPrefix: '/ml' }, port: 8080 };
    const all = objects({ httpRoute, trackingServer });
    expect(get(all, 'Ingress', 'mlflow').spec.rules[0].http.paths).toEqual([{ path: '/ml', pathType: 'Prefix', backend: { service: { name: 'mlflow-oauth2-proxy', port: { name: 'http' } } } }]);
    expect(get(all, 'HTTPRoute', 'mlflow').spec.rules[0].backendRefs).toMatchObject([{ name: 'mlflow-oauth2-proxy', port: 4180 }]);
    expect(flags({ trackingServer })).toEqual(
      expect.arrayContaining(['--upstream=http://mlflow-service.mlflow.svc.cluster.local:8080/', '--redirect-url=https://mlflow.example.com/ml/oauth2/callback']),
    );
  });

  test('nobody but the proxy may connect to the server, and the proxy to nothing but server and provider', () => {
    const all = objects();
    expect(get(all, 'NetworkPolicy', 'mlflow').spec.ingress).toEqual([{ from: [{ podSelector: { matchLabels: SELECTOR } }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
    const { egress } = get(all, 'NetworkPolicy', 'mlflow-oauth2-proxy').spec;
    expect(egress.slice(1)).toEqual([
      { to: [{ podSelector: get(all, 'NetworkPolicy', 'mlflow').spec.podSelector }], ports: [{ protocol: 'TCP', port: 5000 }] },
      { ports: [{ protocol: 'TCP', port: 443 }] },
    ]);
    expect(get(all, 'Deployment', 'mlflow-oauth2-proxy').spec.template.metadata.labels).toMatchObject(SELECTOR);
  });

  test('and whom networkPolicy.clients names', () => {
    const prometheus = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };
    const all = objects({ trackingServer: { networkPolicy: { clients: [prometheus] } }, metrics: {} });
    expect(get(all, 'NetworkPolicy', 'mlflow').spec.ingress[0].from).toContainEqual(prometheus);
    expect(get(all, 'NetworkPolicy', 'mlflow-oauth2-proxy').spec.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 4180 }] }]);
  });

  test('its pods run where those of the server do, and have nothing of what is for the server', () => {
    const pod = { nodeSelector: { disk: 'ssd' }, volumes: [{ name: 'ca', configMap: { name: 'ca' } }], volumeMounts: [{ name: 'ca', mountPath: '/ca' }], sidecars: [{ name: 'log', image: 'log:1' }], initContainers: [{ name: 'wait', image: 'wait:1' }] };
    const { spec } = get(objects({ trackingServer: { pod } }), 'Deployment', 'mlflow-oauth2-proxy').spec.template;
    expect(spec.nodeSelector).toEqual({ disk: 'ssd' });
    expect(spec.containers).toHaveLength(1);
    expect(spec.volumes.map(({ name }: { name: string }) => name)).toEqual(['tmp']);
    expect(spec).not.toHaveProperty('initContainers');
  });

  test('its Job runs the image of the server, which the cluster has', () => {
    expect(containers(get(objects({ trackingServer: { image: 'registry.example.com/mlflow:v1' } }), 'Job', 'mlflow-secrets'))[0].image).toBe('registry.example.com/mlflow:v1');
  });

  test('is a field of the stack', () => {
    expect(withLogin().made.login).toBeInstanceOf(Oauth2Proxy);
    expect(new MlflowStack(Testing.chart(), 'Stack').login).toBeUndefined();
  });

  test.each<MlflowStackProps>([{ ingress: undefined }, { ingress: { hosts: ['*.example.com'] } }])('needs a host to come back to, which %j has not', (props) => {
    expect(found(props)).toEqual([told('externalUrl', 'undefined', 'the URL has to be given', 'or MlflowStack an ingress or a httpRoute', 'Stack/Login')]);
  });

  test('takes the host of whichever route has one', () => {
    expect(flags({ ingress: undefined, httpRoute })).toContain('--redirect-url=http://mlflow.example.com/oauth2/callback');
    expect(flags({ ingress: { hosts: ['*.example.com'] }, httpRoute }, { extraArgs: ['--cookie-domain=.example.com'] })).toContain('--redirect-url=http://mlflow.example.com/oauth2/callback');
  });

  test('externalUrl wins, as where TLS ends at a balancer before the Ingress', () => {
    const plain = { ingress: { hosts: ['mlflow.example.com'] } };
    expect(flags(plain)).toEqual(expect.arrayContaining(['--redirect-url=http://mlflow.example.com/oauth2/callback', '--cookie-secure=false']));
    const behind = flags(plain, { externalUrl: 'https://mlflow.example.com' });
    expect(behind).toEqual(expect.arrayContaining(['--redirect-url=https://mlflow.example.com/oauth2/callback', '--cookie-secure=true']));
    expect(get(objects(plain, { externalUrl: 'https://mlflow.example.com' }), 'Ingress', 'mlflow').spec).not.toHaveProperty('tls');
  });

  test('externalUrl has the path of the server', () => {
    const trackingServer = { settings: { staticPrefix: '/ml' } };
    expect(found({ trackingServer }, { externalUrl: 'https://balancer.example.com/ml/' })).toEqual([]);
    expect(found({ trackingServer }, { externalUrl: 'https://balancer.example.com/runs' })).toEqual([
      told('externalUrl', '"https://balancer.example.com/runs"', 'the server answers under "/ml", its settings.staticPrefix', 'pass "https://balancer.example.com/ml"', 'Stack/Login'),
    ]);
  });

  test('has one host, unless its cookies are for all of them', () => {
    const two = { ingress: { hosts: ['a.example.com', 'b.example.com'] } };
    expect(found(two)).toEqual([told('externalUrl', '["a.example.com","b.example.com"]', 'the provider sends users back to externalUrl', 'leave one host', 'Stack/Login')]);
    expect(found({ httpRoute: { ...httpRoute, hosts: ['b.example.com'] } })).toHaveLength(1);
    expect(found({ httpRoute })).toEqual([]);
    expect(found(two, { extraArgs: ['--cookie-domain=.example.com', '--whitelist-domain=.example.com'] })).toEqual([]);
  });

  test.each(['name', 'namespace', 'instance', 'upstreamUrl', 'upstreamPodLabels', 'bootstrapImage', 'images'])('oidc.%s is no option: that of the server counts', (prop) => {
    expect(found({}, { [prop]: {} })).toEqual([told(prop, 'an object with nothing in it', 'there is no prop of this name', '', 'Stack/Login')]);
  });

  test('what is wrong in it is told once', () => {
    expect(found({}, { issuerUrl: 'login' })).toEqual([told('issuerUrl', '"login"', 'an http or https URL', '', 'Stack/Login')]);
    for (const trackingServer of [{ pod: { priorityClassName: 'A b' } }, { images: { registry: 'https://a' } }, { networkPolicy: { egress: [5] } }, { port: 80.5 }, { port: 'x' }]) {
      expect(found({ trackingServer } as MlflowStackProps)).toHaveLength(1);
    }
    for (const hosts of [['a b'], [5], 'a', []]) expect([hosts, found({ ingress: { hosts } as never })]).toEqual([hosts, [expect.stringMatching(/^\[test\/Stack\/Ingress\] hosts/)]]);
  });
});
