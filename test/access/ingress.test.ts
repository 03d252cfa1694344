import { Testing } from 'cdk8s';
import { Credentials, IssuerKind, Login, MlflowStack, MlflowStackProps, ServerIngress } from '../../lib';
import { AddOn } from '../add-on';
import { faults, get, ofKind } from '../helpers';
import { synth, told } from '../tracking-server/server';

const HOSTS = ['mlflow.example.com', 'ml.example.com'];
const ONE = HOSTS.slice(0, 1);
const addOn = new AddOn(ServerIngress, 'Ingress', 'target');
const ingress = (options: object, props: object = {}) => get(addOn.synth({ hosts: HOSTS, ...options }, props), 'Ingress', 'mlflow');
const certificates = (options: object) => ofKind(addOn.synth({ hosts: HOSTS, ...options }), 'Certificate');

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'Ingress')).toEqual([]);
  const { ingress: none, externalUri } = new MlflowStack(Testing.chart(), 'Stack');
  expect([none, externalUri]).toEqual([undefined, undefined]);
});

test('all hosts lead to the Service, with plain HTTP', () => {
  const { metadata, spec } = ingress({});
  expect(metadata.namespace).toBe('mlflow');
  expect(spec.rules).toEqual(HOSTS.map((host) => ({ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'mlflow-service', port: { name: 'http' } } } }] } })));
  expect(spec).not.toHaveProperty('tls');
  expect(spec).not.toHaveProperty('ingressClassName');
});

test('the static prefix is the path', () => {
  for (const { http } of ingress({}, { settings: { staticPrefix: '/ml/flow' } }).spec.rules) expect(http.paths[0].path).toBe('/ml/flow');
});

test('className', () => {
  expect(ingress({ className: 'nginx' }).spec.ingressClassName).toBe('nginx');
});

test('artifacts of any size pass ingress-nginx, and annotations of the user win', () => {
  const size = 'nginx.ingress.kubernetes.io/proxy-body-size';
  expect(ingress({}).metadata.annotations).toMatchObject({ [size]: '0', 'nginx.ingress.kubernetes.io/proxy-request-buffering': 'off' });
  const { annotations } = ingress({ annotations: { [size]: '5g', 'example.com/team': 'ml' } }).metadata;
  expect(annotations).toMatchObject({ [size]: '5g', 'example.com/team': 'ml', 'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600' });
});

describe('headers of answers', () => {
  const buffer = 'nginx.ingress.kubernetes.io/proxy-buffer-size';
  const annotations = (props: MlflowStackProps, chart = Testing.chart()) => {
    new MlflowStack(chart, 'Stack', { ingress: { hosts: ONE, className: 'nginx' }, ...props });
    return get(Testing.synth(chart), 'Ingress', 'mlflow').metadata.annotations;
  };

  test('have room for a session in cookies, where a login proxy is behind the Ingress', () => {
    const oidc = (chart = Testing.chart()) => ({ chart, login: Login.oidc({ issuerUrl: 'https://login.example.com', clientCredentials: Credentials.fromSecretName(chart, 'Client', 'client', { namespace: 'mlflow' }) }) });
    const { chart, login } = oidc();
    expect(annotations({ login }, chart)).toMatchObject({ [buffer]: '16k' });
    const own = oidc();
    expect(annotations({ login: own.login, ingress: { hosts: ONE, annotations: { [buffer]: '64k' } } }, own.chart)).toMatchObject({ [buffer]: '64k' });
  });

  test('are small otherwise', () => {
    for (const props of [{}, { login: Login.basicAuth() }]) expect(annotations(props)).not.toHaveProperty(buffer);
  });
});

describe('TLS', () => {
  test('with a Secret that is there', () => {
    const options = { tls: { secretName: 'wildcard' } };
    expect(ingress(options).spec.tls).toEqual([{ hosts: HOSTS, secretName: 'wildcard' }]);
    expect(certificates(options)).toEqual([]);
  });

  test('with a certificate from cert-manager', () => {
    const options = { tls: { certificate: { issuerName: 'letsencrypt' } } };
    expect(ingress(options).spec.tls).toEqual([{ hosts: HOSTS, secretName: 'mlflow-tls' }]);
    const [{ metadata, spec }, ...others] = certificates(options);
    expect(others).toEqual([]);
    expect(metadata).toMatchObject({ name: 'mlflow-tls', namespace: 'mlflow' });
    expect(spec).toEqual({ secretName: 'mlflow-tls', dnsNames: HOSTS, issuerRef: { name: 'letsencrypt', kind: 'ClusterIssuer', group: 'cert-manager.io' } });
    const { made } = addOn.add({ hosts: HOSTS, ...options });
    expect([made.ingress.kind, made.certificate?.kind]).toEqual(['Ingress', 'Certificate']);
    expect(made.node.defaultChild).toBe(made.ingress);
  });
});

describe('externalUri', () => {
  const uri = (options: Partial<MlflowStackProps>) => new MlflowStack(Testing.chart(), 'Stack', options).externalUri;
  const ofIngress = (options: object, props: object = {}) => {
    const { made } = addOn.add({ hosts: HOSTS, ...options }, props);
    expect(uri({ ingress: { hosts: HOSTS, ...options }, trackingServer: props })).toBe(made.uri);
    return made.uri;
  };

  test('is that of the first host', () => {
    expect(ofIngress({})).toBe('http://mlflow.example.com');
    expect(ofIngress({ tls: { secretName: 'a' } })).toBe('https://mlflow.example.com');
    expect(ofIngress({}, { settings: { staticPrefix: '/ml' } })).toBe('http://mlflow.example.com/ml');
  });

  test('is of no pattern', () => {
    expect(ofIngress({ hosts: ['*.example.com', 'ml.example.com'] })).toBe('http://ml.example.com');
    expect(ofIngress({ hosts: ['*.example.com'] })).toBeUndefined();
  });

  test('is that of the HTTPRoute where the Ingress has none', () => {
    const httpRoute = { hosts: ['runs.example.com'], gatewayName: 'public', tls: { secretName: 'a' } };
    expect(uri({ httpRoute })).toBe('https://runs.example.com');
    expect(uri({ ingress: { hosts: HOSTS }, httpRoute })).toBe('http://mlflow.example.com');
    expect(uri({ ingress: { hosts: ['*.example.com'] }, httpRoute })).toBe('https://runs.example.com');
  });
});

test('two Ingresses for one server, which would overwrite each other', () => {
  const { chart, server } = addOn.add({ hosts: HOSTS });
  addOn.to(chart, server, { hosts: ['b.example.com'] }, 'Second');
  expect(faults(chart)).toEqual([told('target', 'Ingress "mlflow" in namespace "mlflow", which [test/Ingress/Ingress] makes already', 'each kind has a name once', 'make one Ingress for each tracking server, with all hosts', 'Second')]);
});

test('a host for which the server does not answer, whichever of them was there first', () => {
  const settings = { allowedHosts: ['ml.example.com', 'mlflow-service:*'] };
  expect(addOn.wrong({ hosts: HOSTS }, { settings })).toEqual([told('hosts', '"mlflow.example.com"', 'settings.allowedHosts of the tracking server has the hosts of all routes', 'add "mlflow.example.com" to settings.allowedHosts', 'Ingress')]);
  expect(addOn.wrong({ hosts: HOSTS }, { settings: { ...settings, deriveAllowedHosts: true } })).toEqual([]);
});

test.each([undefined, null, 'mlflow', {}, { routeBackend: {} }])('%j is no target', (target) => {
  const chart = Testing.chart();
  addOn.to(chart, target as never, { hosts: HOSTS });
  expect(faults(chart)).toEqual([told('target', target && typeof target === 'object' ? `an object with ${'routeBackend' in target ? 'routeBackend' : 'nothing in it'}` : target === null || target === undefined ? String(target) : 'a string', 'a route leads to a tracking server, or to the login before it', 'pass a TrackingServer or an Oauth2Proxy', 'Ingress')]);
});

test.each<[object, string, string, string, string]>([
  [{}, 'hosts', 'undefined', 'one host or more has to be given', 'pass ["mlflow.example.com"]'],
  [{ hosts: [] }, 'hosts', '[]', 'a route has one host or more', 'mlflow.example.com'],
  [{ hosts: 'mlflow.example.com' }, 'hosts', '"mlflow.example.com"', 'it is a list', 'pass a list'],
  [{ hosts: ['a', 5] }, 'hosts[1]', 'a number', 'it is a list of host names', 'mlflow.example.com'],
  ...['https://a', 'a:443', 'a/b', 'A', 'a b', '', '*', 'a.*.b', '-a', 'a.', 'x'.repeat(254)].map((host): [object, string, string, string, string] => [
    { hosts: ['a', host] },
    'hosts[1]',
    JSON.stringify(host),
    'a host is a DNS name in lower-case letters',
    'pass a name such as "mlflow.example.com"',
  ]),
  [{ hosts: ['a'], className: 'My Class' }, 'className', '"My Class"', 'RFC 1123 subdomain', 'my-class'],
  [{ hosts: ['a'], annotations: { a: true } }, 'annotations["a"]', 'true', 'a text as value', 'in quotes'],
  [{ hosts: ['a'], tls: true }, 'tls', 'a boolean', 'it is an object', ''],
  [{ hosts: ['a'], host: 'b' }, 'host', 'a string', 'there is no prop of this name', 'did you mean hosts?'],
])('%j is refused', (options, prop, got, rule, fix) => {
  expect(addOn.wrong(options)).toEqual([told(prop, got, rule, fix, 'Ingress')]);
});

test('IssuerKind is exported with the kinds of cert-manager', () => {
  expect(IssuerKind).toEqual({ ISSUER: 'Issuer', CLUSTER_ISSUER: 'ClusterIssuer' });
});
