import { IssuerKind } from '../../lib';
import { server, synth, told, wrong } from '../tracking-server/server';
import { get, ofKind } from '../helpers';

const HOSTS = ['mlflow.example.com', 'ml.example.com'];
const ingress = (options: object, props: object = {}) => get(synth({ ingress: { hosts: HOSTS, ...options }, ...props }), 'Ingress', 'mlflow');
const certificates = (options: object) => ofKind(synth({ ingress: { hosts: HOSTS, ...options } }), 'Certificate');

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'Ingress')).toEqual([]);
  const { ingress: none, externalUri, certificates: empty } = server();
  expect([none, externalUri, empty]).toEqual([undefined, undefined, []]);
});

test('all hosts lead to the Service, with plain HTTP', () => {
  const { metadata, spec } = ingress({});
  expect(metadata.namespace).toBe('mlflow');
  expect(spec.rules).toEqual(HOSTS.map((host) => ({ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'mlflow-service', port: { name: 'http' } } } }] } })));
  expect(spec).not.toHaveProperty('tls');
  expect(spec).not.toHaveProperty('ingressClassName');
});

test('the static prefix is the path', () => {
  for (const { http } of ingress({}, { staticPrefix: '/ml/flow' }).spec.rules) expect(http.paths[0].path).toBe('/ml/flow');
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
    expect(server({ ingress: { hosts: HOSTS, ...options } }).certificates.map(({ kind }) => kind)).toEqual(['Certificate']);
  });
});

describe('externalUri', () => {
  const uri = (options: object, props: object = {}) => server({ ingress: { hosts: HOSTS, ...options }, ...props }).externalUri;

  test('is that of the first host', () => {
    expect(uri({})).toBe('http://mlflow.example.com');
    expect(uri({ tls: { secretName: 'a' } })).toBe('https://mlflow.example.com');
    expect(uri({}, { staticPrefix: '/ml' })).toBe('http://mlflow.example.com/ml');
  });

  test('is of no pattern', () => {
    expect(uri({ hosts: ['*.example.com', 'ml.example.com'] })).toBe('http://ml.example.com');
    expect(uri({ hosts: ['*.example.com'] })).toBeUndefined();
  });

  test('is that of the HTTPRoute where the Ingress has none', () => {
    const httpRoute = { hosts: ['runs.example.com'], gatewayName: 'public', tls: { secretName: 'a' } };
    expect(server({ httpRoute }).externalUri).toBe('https://runs.example.com');
    expect(uri({}, { httpRoute })).toBe('http://mlflow.example.com');
    expect(uri({ hosts: ['*.example.com'] }, { httpRoute })).toBe('https://runs.example.com');
  });
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
  [{ hosts: ['a'], host: 'b' }, 'host', 'a string', 'there is no prop of this name', 'did you mean ingress.hosts?'],
])('%j is refused', (options, prop, got, rule, fix) => {
  expect(wrong({ ingress: options })).toEqual([told(`ingress.${prop}`, got, rule, fix)]);
});

test('IssuerKind is exported with the kinds of cert-manager', () => {
  expect(IssuerKind).toEqual({ ISSUER: 'Issuer', CLUSTER_ISSUER: 'ClusterIssuer' });
});
