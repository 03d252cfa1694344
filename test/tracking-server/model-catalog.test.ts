import { Testing } from 'cdk8s';
import { Credentials, ExternalS3, Metrics } from '../../lib';
import { k8s } from '../../imports/k8s';
import { mlflow, told, valueOf, wrong } from './server';

const NAME = 'MLFLOW_MODEL_CATALOG_URI';
const NONE = 'file:///none';
const uri = (props: object) => valueOf(mlflow(props), NAME);
const port = (value: number, endPort?: number) => ({ port: k8s.IntOrString.fromNumber(value), endPort });
const egress = (...rules: k8s.NetworkPolicyEgressRule[]) => ({ networkPolicy: { egress: rules } });

test.each<[string, object]>([
  ['the stores only', {}],
  ['another port of everybody', egress({ ports: [port(8443)] })],
  ['HTTPS of one namespace', egress({ to: [{ namespaceSelector: {} }], ports: [port(443)] })],
  ['HTTPS of some addresses', egress({ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] })],
  ['ports below HTTPS', egress({ ports: [port(80, 442)] })],
])('is none where the NetworkPolicy lets out to %s', (_, props) => {
  expect(uri(props)).toBe(NONE);
});

test.each<[string, object]>([
  ['there is no NetworkPolicy', { networkPolicy: { enabled: false } }],
  ['it lets out to HTTPS of everybody', egress({ ports: [port(443)] })],
  ['it lets out to HTTPS of all addresses', egress({ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: [port(443)] })],
  ['it lets out to a range of ports', egress({ ports: [port(1, 1024)] })],
  ['it lets out to everything', egress({})],
  ['nobody knows where the store is', { artifactStore: { artifactsDestination: 's3://models', environment: [] } }],
  ['a proxy leads out', { extraEnv: [{ name: 'https_proxy', value: 'http://proxy:3128' }] }],
])('is that of MLflow where %s', (_, props) => {
  expect(uri(props)).toBeUndefined();
});

test('what is let out later counts as well', () => {
  const add = (rule: k8s.NetworkPolicyEgressRule) => valueOf(mlflow({}, (it) => it.allowTo(rule)), NAME);
  expect([add({ ports: [port(443)] }), add({ ports: [port(5432)] })]).toEqual([undefined, NONE]);
  expect(valueOf(mlflow({}, (it, scope) => new Metrics(scope, 'Metrics', { server: it })), NAME)).toBe(NONE);
});

test('a store of Amazon lets out to HTTPS', () => {
  const chart = Testing.chart();
  const artifactStore = new ExternalS3(chart, 'S3', { bucket: 'models', region: 'eu-central-1', credentials: Credentials.fromSecretName(chart, 'Keys', 'aws') });
  expect(uri({ artifactStore })).toBeUndefined();
});

test.each(['https://mirror.example.com/catalog', 'http://mirror:8080', 'file:///models/catalog'])('settings.modelCatalogUri: %s', (modelCatalogUri) => {
  for (const enabled of [true, false]) expect(uri({ settings: { modelCatalogUri }, networkPolicy: { enabled } })).toBe(modelCatalogUri);
});

test('an empty one is the list in the image, by a value that an apply does not set again', () => {
  expect(uri({ settings: { modelCatalogUri: '' }, networkPolicy: { enabled: false } })).toBe(NONE);
});

test.each([['mirror.example.com', '"mirror.example.com"'], ['ftp://mirror', '"ftp://mirror"'], ['file://models', '"file://models"'], [5, '5']])('%s is refused', (modelCatalogUri, got) => {
  expect(wrong({ settings: { modelCatalogUri } })).toEqual([told('settings.modelCatalogUri', got, 'an http, https or file URI', 'https://mirror.example.com/model-catalog')]);
});
