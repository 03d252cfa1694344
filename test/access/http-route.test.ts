import { Testing } from 'cdk8s';
import { MlflowStack, ServerHttpRoute, ServerIngress } from '../../lib';
import { AddOn } from '../add-on';
import { faults, get, ofKind } from '../helpers';
import { synth, told } from '../tracking-server/server';

const ROUTE = { hosts: ['mlflow.example.com', '*.ml.example.com'], gatewayName: 'public' };
const httpRoute = new AddOn(ServerHttpRoute, 'HttpRoute', 'target', () => ROUTE);
const ingress = new AddOn(ServerIngress, 'Ingress', 'target');
const route = (options: object = {}, props: object = {}) => get(httpRoute.synth(options, props), 'HTTPRoute', 'mlflow');

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'HTTPRoute')).toEqual([]);
  expect(new MlflowStack(Testing.chart(), 'Stack').httpRoute).toBeUndefined();
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
  const [{ matches, backendRefs }] = route({}, { settings: { staticPrefix: '/ml' }, port: 8080 }).spec.rules;
  expect(matches[0].path.value).toBe('/ml');
  expect(backendRefs[0].port).toBe(8080);
});

test('annotations', () => {
  expect(route({ annotations: { 'example.com/team': 'ml' } }).metadata.annotations).toEqual({ 'example.com/team': 'ml' });
});

test('it is handed out, to be patched', () => {
  const { made } = httpRoute.add();
  expect([made.httpRoute.kind, made.certificate, made.node.defaultChild]).toEqual(['HTTPRoute', undefined, made.httpRoute]);
});

test('TLS is https for clients, and its certificate has a name beside that of the Ingress', () => {
  expect(httpRoute.add({ tls: { secretName: 'there' } }).made.uri).toBe('https://mlflow.example.com');
  expect(httpRoute.add().made.uri).toBe('http://mlflow.example.com');
  const tls = { certificate: { issuerName: 'letsencrypt' } };
  const { chart, server } = httpRoute.add({ tls });
  ingress.to(chart, server, { hosts: ['mlflow.example.com'], tls });
  expect(ofKind(Testing.synth(chart), 'Certificate').map(({ spec }) => [spec.secretName, spec.dnsNames])).toEqual([
    ['mlflow-route-tls', ROUTE.hosts],
    ['mlflow-tls', ['mlflow.example.com']],
  ]);
});

test('two certificates in one Secret', () => {
  const beside = (tls: object) => {
    const { chart, server } = ingress.add({ hosts: ['mlflow.example.com'], tls: { secretName: 'shared', certificate: { issuerName: 'letsencrypt' } } });
    httpRoute.to(chart, server, { ...ROUTE, tls });
    return faults(chart);
  };
  expect(beside({ secretName: 'shared', certificate: { issuerName: 'letsencrypt' } })).toEqual([
    expect.stringMatching(/^\[test\/HttpRoute\] target: got Certificate "shared" in namespace "mlflow", which \[test\/Ingress\/Certificate\] makes already\. Rule: .+ Fix: .+ another certificate Secret with tls\.secretName\.$/),
  ]);
  expect(beside({ secretName: 'shared' })).toEqual([]);
});

test('two routes for one server, which would overwrite each other', () => {
  const { chart, server } = httpRoute.add();
  httpRoute.to(chart, server, { ...ROUTE, hosts: ['b.example.com'] }, 'Second');
  expect(faults(chart)).toEqual([told('target', 'HTTPRoute "mlflow" in namespace "mlflow", which [test/HttpRoute/HttpRoute] makes already', 'each kind has a name once', 'make one HTTPRoute for each tracking server, with all hosts', 'Second')]);
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
  [{ gateway: 'public' }, 'gateway', 'a string', 'there is no prop of this name', 'did you mean gateway'],
])('%j is refused', (options, prop, got, rule, fix) => {
  expect(httpRoute.wrong(options)).toEqual([told(prop, got, rule, fix, 'HttpRoute')]);
});
