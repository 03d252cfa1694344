import { ApiObject, Chart, Size, Testing } from 'cdk8s';
import { Credentials, Images, ImagePullPolicy, Oauth2Proxy, Oauth2ProxyProps } from '../../lib';
import { server, told } from '../tracking-server/server';
import { Manifests, containers, faults, get, ofKind, workloads } from '../helpers';

const BASE = {
  issuerUrl: 'https://login.example.com/realms/ml',
  upstreamUrl: 'http://runs.mlflow.svc.cluster.local:5000',
  externalUrl: 'https://mlflow.example.com',
};
const client = (chart: Chart) => Credentials.fromSecretName(chart, 'Client', 'oidc-client', { usernameKey: 'id', passwordKey: 'secret' });

function proxy(props: object = {}) {
  const chart = Testing.chart();
  const made = new Oauth2Proxy(chart, 'Proxy', { clientCredentials: client(chart), ...BASE, ...props } as Oauth2ProxyProps);
  return { chart, made };
}
const synth = (props: object = {}): Manifests => Testing.synth(proxy(props).chart);
const container = (props: object = {}) => containers(get(synth(props), 'Deployment', 'mlflow-oauth2-proxy'))[0];
const args = (props: object = {}): string[] => container(props).args;
const wrong = (props: object): string[] => faults(proxy(props).chart);
const SELECTOR = { 'app.kubernetes.io/name': 'oauth2-proxy', 'app.kubernetes.io/instance': 'mlflow-oauth2-proxy', 'app.kubernetes.io/component': 'login-proxy' };
const fromSecret = (name: string, secret: string, key: string) => ({ name, valueFrom: { secretKeyRef: { name: secret, key } } });

describe('with nothing said', () => {
  const objects = synth();
  const deployment = get(objects, 'Deployment', 'mlflow-oauth2-proxy');

  test('these are its objects', () => {
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, '')}`)).toEqual([
      'Secret mlflow-oauth2-proxy-cookie',
      'ServiceAccount mlflow-oauth2-proxy-cookie-bootstrap',
      'Role mlflow-oauth2-proxy-cookie-bootstrap',
      'RoleBinding mlflow-oauth2-proxy-cookie-bootstrap',
      'ConfigMap mlflow-oauth2-proxy-cookie-bootstrap',
      'Job mlflow-oauth2-proxy-cookie-bootstrap',
      'NetworkPolicy mlflow-oauth2-proxy-cookie-bootstrap',
      'Deployment mlflow-oauth2-proxy',
      'Service mlflow-oauth2-proxy',
      'PodDisruptionBudget mlflow-oauth2-proxy',
      'NetworkPolicy mlflow-oauth2-proxy',
    ]);
  });

  test('every object is a public field', () => {
    const { chart, made } = proxy();
    const fields = new Set<unknown>(Object.values(made));
    const all = chart.node.findAll().filter((construct) => ApiObject.isApiObject(construct));
    expect(all).toHaveLength(11);
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
      '--upstream=http://runs.mlflow.svc.cluster.local:5000/',
      '--upstream-timeout=1h',
      '--reverse-proxy=true',
      '--skip-provider-button=true',
      '--code-challenge-method=S256',
      '--cookie-name=_mlflow_oauth2_proxy',
      '--cookie-secure=true',
      '--cookie-samesite=lax',
      '--email-domain=*',
      '--skip-jwt-bearer-tokens=true',
      '--api-route=^/(ajax-)?api/',
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
    const [fill] = containers(get(objects, 'Job', 'mlflow-oauth2-proxy-cookie-bootstrap'));
    // AES takes 16, 24 or 32 bytes
    expect(JSON.parse(fill.env[0].value)).toEqual([{ secretName: 'mlflow-oauth2-proxy-cookie', values: { 'cookie-secret': { length: 32 } } }]);
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
    expect(egress.slice(1)).toEqual([{ ports: [{ protocol: 'TCP', port: 5000 }] }, { ports: [{ protocol: 'TCP', port: 443 }] }]);
  });

  test('what it tells others', () => {
    const { made } = proxy({ namespace: 'team-a' });
    expect(made).toMatchObject({ namespace: 'team-a', port: 4180, url: 'http://mlflow-oauth2-proxy.team-a.svc.cluster.local:4180', podLabels: SELECTOR });
  });
});

describe('options', () => {
  test('a path of the application', () => {
    const flags = args({ externalUrl: 'https://ml.example.com/ml.flow/' });
    expect(flags).toEqual(
      expect.arrayContaining(['--redirect-url=https://ml.example.com/ml.flow/oauth2/callback', '--proxy-prefix=/ml.flow/oauth2', '--cookie-path=/ml.flow', '--api-route=^/ml\\.flow/(ajax-)?api/']),
    );
    expect(proxy({ externalUrl: 'https://ml.example.com/ml' }).made.redirectUrl).toBe('https://ml.example.com/ml/oauth2/callback');
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
    expect(proxy({ replicas: 1 }).made.disruptionBudget).toBeUndefined();
  });

  test('image, bootstrapImage, images and resources', () => {
    expect(container().image).toBe(Images.OAUTH2_PROXY);
    const images = { registry: 'registry.example.com', pullSecrets: ['login'], pullPolicy: ImagePullPolicy.ALWAYS };
    const objects = synth({ image: 'quay.io/mine/proxy:1', bootstrapImage: 'docker.io/library/python:3.14', images, resources: { memoryLimit: Size.mebibytes(512) } });
    const all = workloads(objects);
    expect(all.flatMap(containers).map(({ image }) => image).sort()).toEqual(['registry.example.com/library/python:3.14', 'registry.example.com/mine/proxy:1']);
    for (const { spec } of all) expect(spec.template.spec.imagePullSecrets).toEqual([{ name: 'login' }]);
    for (const { imagePullPolicy } of all.flatMap(containers)) expect(imagePullPolicy).toBe('Always');
    expect(containers(get(objects, 'Deployment', 'mlflow-oauth2-proxy'))[0].resources.limits.memory).toBe('512Mi');
    expect(containers(get(synth(), 'Job', 'mlflow-oauth2-proxy-cookie-bootstrap'))[0].image).toBe(Images.MLFLOW);
  });

  test('pod', () => {
    const objects = synth({ pod: { nodeSelector: { disk: 'ssd' }, labels: { team: 'ml' }, annotations: { a: 'b' } } });
    for (const { spec } of workloads(objects)) {
      expect(spec.template.spec.nodeSelector).toEqual({ disk: 'ssd' });
      expect(spec.template.metadata).toMatchObject({ labels: { team: 'ml' }, annotations: { a: 'b' } });
    }
  });

  test('name and instance', () => {
    const objects = synth({ name: 'gate', instance: 'ml' });
    for (const { metadata } of objects) {
      expect(metadata.name).toMatch(/^gate(-|$)/);
      expect(metadata.labels['app.kubernetes.io/instance']).toBe('ml');
    }
    expect(containers(get(objects, 'Deployment', 'gate'))[0].args).toContain('--cookie-name=_gate');
  });

  test('upstreamPodLabels and networkPolicy', () => {
    const client = { podSelector: { matchLabels: { app: 'gateway' } } };
    const { ingress, egress } = get(
      synth({ upstreamPodLabels: { app: 'mlflow' }, issuerUrl: 'https://login.example.com:8443', networkPolicy: { clients: [client], egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] } }),
      'NetworkPolicy',
      'mlflow-oauth2-proxy',
    ).spec;
    expect(ingress).toEqual([{ from: [client], ports: [{ protocol: 'TCP', port: 4180 }] }]);
    expect(egress.slice(1)).toEqual([
      { to: [{ podSelector: { matchLabels: { app: 'mlflow' } } }], ports: [{ protocol: 'TCP', port: 5000 }] },
      { ports: [{ protocol: 'TCP', port: 8443 }] },
      { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] },
    ]);
    expect(ofKind(synth({ networkPolicy: { enabled: false } }), 'NetworkPolicy')).toEqual([]);
  });
});

describe('faults', () => {
  test.each<[object, string, string, string, string]>([
    [{ issuerUrl: undefined }, 'issuerUrl', 'undefined', 'the URL has to be given', 'realms'],
    [{ issuerUrl: 'login.example.com' }, 'issuerUrl', '"login.example.com"', 'an http or https URL', 'https://login.example.com'],
    [{ issuerUrl: 'ftp://login.example.com' }, 'issuerUrl', '"ftp://login.example.com"', 'an http or https URL', ''],
    [{ issuerUrl: 'https://a/?x=1' }, 'issuerUrl', '"https://a/?x=1"', 'without user, query and fragment', ''],
    [{ issuerUrl: 'https://me:hunter2@login.example.com' }, 'issuerUrl', 'a string', 'without user, query and fragment', ''],
    [{ upstreamUrl: undefined }, 'upstreamUrl', 'undefined', 'the URL has to be given', '5000'],
    [{ upstreamUrl: 'http://runs:5000/mlflow' }, 'upstreamUrl', '"http://runs:5000/mlflow"', 'a request keeps its path', 'pass "http://runs:5000", and the path in externalUrl'],
    [{ externalUrl: 'mlflow' }, 'externalUrl', '"mlflow"', 'an http or https URL', ''],
    [{ clientCredentials: undefined }, 'clientCredentials', 'undefined', 'client id and client secret has to be given', 'fromSecretName'],
    [{ replicas: 0 }, 'replicas', '0', 'the number of pods is a whole number of 1 or more', ''],
    [{ image: 'proxy' }, 'image', '"proxy"', 'tag or a digest', ''],
    [{ bootstrapImage: 'python' }, 'bootstrapImage', '"python"', 'tag or a digest', ''],
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
    [{ instance: 'a b' }, 'instance', '"a b"', 'the value of a label', ''],
    [{ upstreamPodLabels: { 'a b': 'c' } }, 'upstreamPodLabels', '{"a b":"c"}', 'labels are an object', ''],
    [{ clientId: 'a' }, 'clientId', 'a string', 'there is no prop of this name', 'clientCredentials'],
  ])('%j', (props, prop, got, rule, fix) => {
    const found = wrong(props);
    expect(found).toContainEqual(told(prop, got, rule, fix, 'Proxy'));
    expect(found.join()).not.toContain('hunter2');
  });

  test('credentials that nobody makes up, and those of another namespace', () => {
    const chart = Testing.chart();
    new Oauth2Proxy(chart, 'Proxy', { ...BASE, clientCredentials: new Credentials(chart, 'Client', { secretName: 'client' }) });
    expect(faults(chart)).toEqual([told('clientCredentials', '"Secret \\"client\\", whose values nobody makes up"', 'the provider gives client id and client secret', 'Credentials.fromSecretName', 'Proxy')]);
    const other = Testing.chart();
    new Oauth2Proxy(other, 'Proxy', { ...BASE, clientCredentials: Credentials.fromSecretName(other, 'Client', 'client', { namespace: 'other' }) });
    expect(faults(other)).toEqual([told('clientCredentials', '"Secret \\"client\\" in namespace \\"other\\""', 'here "mlflow"', 'namespace "mlflow"', 'Proxy')]);
  });

  test('the longest name makes names within 63 characters, and one more is refused', () => {
    expect(Math.max(...synth({ name: 'a'.repeat(35) }).map(({ metadata }) => metadata.name.length))).toBe(63);
    expect(wrong({ name: 'a'.repeat(36) })).toEqual([told('name', `"${'a'.repeat(36)}"`, 'at most 35 characters', '', 'Proxy')]);
  });

  test('two of one name', () => {
    const { chart } = proxy();
    new Oauth2Proxy(chart, 'Second', { ...BASE, clientCredentials: Credentials.fromSecretName(chart, 'Same', 'client') });
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Second\] name: got Secret "mlflow-oauth2-proxy-cookie" .+ Fix: give each proxy of the namespace its own name\.$/)]);
  });
});

describe('oidc of a tracking server', () => {
  const ingress = { hosts: ['mlflow.example.com'], tls: { secretName: 'tls' } };
  function withLogin(props: object = {}, oidc: object = {}) {
    const chart = Testing.chart();
    const made = server({ ingress, oidc: { issuerUrl: BASE.issuerUrl, clientCredentials: client(chart), ...oidc }, ...props }, chart);
    return { chart, made };
  }
  const objects = (props?: object, oidc?: object) => Testing.synth(withLogin(props, oidc).chart);
  const flags = (props?: object, oidc?: object) => containers(get(objects(props, oidc), 'Deployment', 'mlflow-oauth2-proxy'))[0].args;
  const found = (props?: object, oidc?: object) => faults(withLogin(props, oidc).chart);

  test('routes lead to the proxy, and the proxy to the server', () => {
    const all = objects({ httpRoute: { hosts: ingress.hosts, gatewayName: 'public' }, staticPrefix: '/ml', port: 8080 });
    expect(get(all, 'Ingress', 'mlflow').spec.rules[0].http.paths).toEqual([{ path: '/ml', pathType: 'Prefix', backend: { service: { name: 'mlflow-oauth2-proxy', port: { name: 'http' } } } }]);
    expect(get(all, 'HTTPRoute', 'mlflow').spec.rules[0].backendRefs).toMatchObject([{ name: 'mlflow-oauth2-proxy', port: 4180 }]);
    expect(flags({ staticPrefix: '/ml', port: 8080 })).toEqual(
      expect.arrayContaining(['--upstream=http://mlflow-service.mlflow.svc.cluster.local:8080/', '--redirect-url=https://mlflow.example.com/ml/oauth2/callback']),
    );
  });

  test('nobody but the proxy may connect to the server, and the proxy to nothing but server and provider', () => {
    const all = objects();
    const proxyLabels = { ...SELECTOR, 'app.kubernetes.io/instance': 'mlflow' };
    expect(get(all, 'NetworkPolicy', 'mlflow').spec.ingress).toEqual([{ from: [{ podSelector: { matchLabels: proxyLabels } }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
    const { egress } = get(all, 'NetworkPolicy', 'mlflow-oauth2-proxy').spec;
    expect(egress.slice(1)).toEqual([
      { to: [{ podSelector: get(all, 'NetworkPolicy', 'mlflow').spec.podSelector }], ports: [{ protocol: 'TCP', port: 5000 }] },
      { ports: [{ protocol: 'TCP', port: 443 }] },
    ]);
    expect(get(all, 'Deployment', 'mlflow-oauth2-proxy').spec.template.metadata.labels).toMatchObject(proxyLabels);
  });

  test('and whom networkPolicy.clients names', () => {
    const prometheus = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };
    const all = objects({ networkPolicy: { clients: [prometheus] }, metrics: {} });
    expect(get(all, 'NetworkPolicy', 'mlflow').spec.ingress[0].from).toContainEqual(prometheus);
    expect(get(all, 'NetworkPolicy', 'mlflow-oauth2-proxy').spec.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 4180 }] }]);
  });

  test('its pods run where those of the server do, and have nothing of what is for the server', () => {
    const pod = { nodeSelector: { disk: 'ssd' }, volumes: [{ name: 'ca', configMap: { name: 'ca' } }], volumeMounts: [{ name: 'ca', mountPath: '/ca' }], sidecars: [{ name: 'log', image: 'log:1' }], initContainers: [{ name: 'wait', image: 'wait:1' }] };
    const { spec } = get(objects({ pod }), 'Deployment', 'mlflow-oauth2-proxy').spec.template;
    expect(spec.nodeSelector).toEqual({ disk: 'ssd' });
    expect(spec.containers).toHaveLength(1);
    expect(spec.volumes.map(({ name }: { name: string }) => name)).toEqual(['tmp']);
    expect(spec).not.toHaveProperty('initContainers');
  });

  test('its Job runs the image of the server, which the cluster has', () => {
    expect(containers(get(objects({ image: 'registry.example.com/mlflow:v1' }), 'Job', 'mlflow-oauth2-proxy-cookie-bootstrap'))[0].image).toBe('registry.example.com/mlflow:v1');
  });

  test('is a field of the server', () => {
    expect(withLogin().made.oauth2Proxy).toBeInstanceOf(Oauth2Proxy);
    expect(server().oauth2Proxy).toBeUndefined();
  });

  test.each([{ ingress: undefined }, { ingress: { hosts: ['*.example.com'] } }])('needs a host to come back to, which %j has not', (props) => {
    expect(found(props)).toEqual([told('oidc', '"without a host"', 'a host that ingress.hosts or httpRoute.hosts names', 'pass ingress or httpRoute')]);
  });

  test('has one host, unless its cookies are for all of them', () => {
    const two = { ingress: { hosts: ['a.example.com', 'b.example.com'] } };
    expect(found(two)).toEqual([told('oidc', '["a.example.com","b.example.com"]', 'the provider sends users back to the first host', 'leave one host')]);
    expect(found({ httpRoute: { hosts: ['b.example.com'], gatewayName: 'public' } })).toHaveLength(1);
    expect(found({ httpRoute: { hosts: ingress.hosts, gatewayName: 'public' } })).toEqual([]);
    expect(found(two, { extraArgs: ['--cookie-domain=.example.com', '--whitelist-domain=.example.com'] })).toEqual([]);
  });

  test.each(['NodePort', 'LoadBalancer'])('a Service of type %s would lead past it', (type) => {
    expect(found({ service: { type } })).toEqual([told('service.type', `"${type}"`, 'this Service leads past it', 'leave service.type out, or oidc')]);
    expect(found({ service: { type: 'ClusterIP' } })).toEqual([]);
  });

  test('metrics without a Prometheus that may connect', () => {
    expect(found({ metrics: {} })).toEqual([told('metrics', 'an object with nothing in it', 'lets nobody to the server but the proxy and networkPolicy.clients', 'networkPolicy.clients')]);
    for (const props of [{ metrics: { serviceMonitor: false } }, { metrics: {}, networkPolicy: { enabled: false } }]) expect(found(props)).toEqual([]);
  });

  test.each(['name', 'namespace', 'instance', 'upstreamUrl', 'upstreamPodLabels', 'externalUrl', 'bootstrapImage', 'images', 'pod', 'networkPolicy'])('oidc.%s is refused, since the server gives its own', (prop) => {
    expect(found({}, { [prop]: {} })).toEqual([told(`oidc.${prop}`, '"(not used)"', 'the tracking server gives its own to the login proxy', 'leave it out')]);
  });

  test('what is wrong in it is told once', () => {
    expect(found({}, { issuerUrl: 'login' })).toEqual([told('issuerUrl', '"login"', 'an http or https URL', '', 'TrackingServer/Oauth2Proxy')]);
    for (const props of [{ pod: { priorityClassName: 'A b' } }, { images: { registry: 'https://a' } }, { networkPolicy: { egress: [5] } }, { port: 80.5 }, { port: 'x' }, { ingress: { hosts: ['a b'] } }]) {
      expect(found(props)).toHaveLength(1);
    }
  });

  test('the longest name makes names within 63 characters, and one more is refused', () => {
    expect(Math.max(...objects({ name: 'a'.repeat(22) }).map(({ metadata }) => metadata.name.length))).toBe(63);
    expect(found({ name: 'a'.repeat(23) })).toEqual([told('name', `"${'a'.repeat(23)}"`, 'at most 22 characters', '')]);
  });
});
