import { server, synth, told, wrong } from '../tracking-server/server';
import { get, ofKind } from '../helpers';

const ROUTE = { hosts: ['mlflow.example.com', '*.ml.example.com'], gatewayName: 'public' };
const route = (options: object = {}, props: object = {}) => get(synth({ httpRoute: { ...ROUTE, ...options }, ...props }), 'HTTPRoute', 'mlflow');

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'HTTPRoute')).toEqual([]);
  expect(server().httpRoute).toBeUndefined();
});

test('all hosts lead from the Gateway to the Service', () => {
  const { apiVersion, metadata, spec } = route();
  expect(apiVersion).toBe('gateway.networking.k8s.io/v1');
  expect(metadata).toMatchObject({ namespace: 'mlflow' });
  expect(metadata).not.toHaveProperty('annotations');
  expect(spec).toEqual({
    parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'public' }],
    hostnames: ROUTE.hosts,
    rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [{ group: '', kind: 'Service', name: 'mlflow-service', port: 5000, weight: 1 }] }],
  });
});

test('a Gateway of another namespace, and one of its listeners', () => {
  expect(route({ gatewayNamespace: 'gateways', sectionName: 'https' }).spec.parentRefs).toEqual([
    { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'public', namespace: 'gateways', sectionName: 'https' },
  ]);
});

test('static prefix and port', () => {
  const [{ matches, backendRefs }] = route({}, { staticPrefix: '/ml', port: 8080 }).spec.rules;
  expect(matches[0].path.value).toBe('/ml');
  expect(backendRefs[0].port).toBe(8080);
});

test('annotations', () => {
  expect(route({ annotations: { 'example.com/team': 'ml' } }).metadata.annotations).toEqual({ 'example.com/team': 'ml' });
});

test('TLS is https for clients, and its certificate has a name beside that of the Ingress', () => {
  expect(server({ httpRoute: { ...ROUTE, tls: { secretName: 'there' } } }).externalUri).toBe('https://mlflow.example.com');
  const tls = { certificate: { issuerName: 'letsencrypt' } };
  const objects = synth({ httpRoute: { ...ROUTE, tls }, ingress: { hosts: ['mlflow.example.com'], tls } });
  expect(ofKind(objects, 'Certificate').map(({ spec }) => [spec.secretName, spec.dnsNames])).toEqual([
    ['mlflow-tls', ['mlflow.example.com']],
    ['mlflow-route-tls', ROUTE.hosts],
  ]);
});

test('two certificates in one Secret', () => {
  const tls = { secretName: 'shared', certificate: { issuerName: 'letsencrypt' } };
  const found = wrong({ httpRoute: { ...ROUTE, tls }, ingress: { hosts: ['mlflow.example.com'], tls } });
  expect(found).toContainEqual(told('httpRoute.tls.secretName', '"shared"', 'the certificate of ingress.tls stands in this Secret', 'pass another name'));
  expect(wrong({ httpRoute: { ...ROUTE, tls: { secretName: 'shared' } }, ingress: { hosts: ['mlflow.example.com'], tls } })).toEqual([]);
});

test.each<[object, string, string, string, string]>([
  [{ hosts: undefined }, 'hosts', 'undefined', 'one host or more has to be given', 'mlflow.example.com'],
  [{ hosts: [] }, 'hosts', '[]', 'a route has one host or more', 'mlflow.example.com'],
  [{ hosts: ['https://mlflow.example.com'] }, 'hosts[0]', '"https://mlflow.example.com"', 'a host is a DNS name in lower-case letters', 'mlflow.example.com'],
  [{ gatewayName: undefined }, 'gatewayName', 'undefined', 'the name of the Gateway has to be given', 'pass "public"'],
  [{ gatewayName: 'My Gateway' }, 'gatewayName', '"My Gateway"', 'RFC 1123 subdomain', 'my-gateway'],
  [{ gatewayNamespace: 'A' }, 'gatewayNamespace', '"A"', 'RFC 1123 subdomain', ''],
  [{ sectionName: 'a_b' }, 'sectionName', '"a_b"', 'RFC 1123 subdomain', ''],
  [{ annotations: { a: 1 } }, 'annotations["a"]', '1', 'a text as value', 'in quotes'],
  [{ tls: 'a' }, 'tls', 'a string', 'it is an object', ''],
  [{ gateway: 'public' }, 'gateway', 'a string', 'there is no prop of this name', 'did you mean httpRoute.gateway'],
])('%j is refused', (options, prop, got, rule, fix) => {
  expect(wrong({ httpRoute: { ...ROUTE, ...options } })).toEqual([told(`httpRoute.${prop}`, got, rule, fix)]);
});
