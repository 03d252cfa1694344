import { App, Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { Credentials, Minio, MlflowStack, Postgres, StartupScript, TrackingServer } from '../../lib';
import { place } from '../../lib/validation/place';

const app = () => new App({ outdir: '/nonexistent' });

test('a chart and a construct in one are places', () => {
  const chart = new Chart(app(), 'chart');
  const inside = new Construct(chart, 'inside');
  expect(place(chart, 'x')).toBe(chart);
  expect(place(inside, 'x')).toBe(inside);
});

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [null, 'null'],
  ['chart', 'a string'],
  [{ node: {} }, 'an object with node'],
  [app(), 'the root of the app'],
  [new Construct(app(), 'outside'), 'the construct "outside"'],
])('a scope that is none (%#) is told in a sentence', (scope, got) => {
  expect(() => place(scope as Construct, 'x')).toThrow(
    `[x] scope: got ${got}. Rule: Kubernetes objects stand in a chart (https://cdk8s.io/docs/latest/basics/chart/). ` +
      'Fix: pass a chart such as new Chart(app, "mlflow"), or a construct in one',
  );
});

test.each([[undefined], [''], [5], [{}]])('an id cannot be %j', (id) => {
  expect(() => place(new Chart(app(), 'chart'), id as string)).toThrow(/^id: got .*\. Rule: .*\. Fix: pass one such as "Mlflow"$/);
});

test.each<[string, (scope: Construct) => unknown]>([
  ['MlflowStack', (scope) => new MlflowStack(scope, 'X')],
  ['Minio', (scope) => new Minio(scope, 'X')],
  ['Postgres', (scope) => new Postgres(scope, 'X')],
  ['StartupScript', (scope) => new StartupScript(scope, 'X')],
  ['TrackingServer', (scope) => new TrackingServer(scope, 'X', {} as never)],
  ['Credentials', (scope) => new Credentials(scope, 'X', { secretName: 'x' })],
  ['Credentials.fromSecretName', (scope) => Credentials.fromSecretName(scope, 'X', 'x')],
  ['Credentials.fromLiterals', (scope) => Credentials.fromLiterals(scope, 'X', {} as never)],
])('%s looks where it is put', (_, make) => {
  expect(() => make(app())).toThrow('[X] scope: got the root of the app.');
});

test('versions that do not fit are told where the first construct is made, each time, and not by the import', () => {
  jest.isolateModules(() => {
    jest.doMock('constructs/package.json', () => ({ version: '9.0.0' }));
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would be that of the whole file
    const library = require('../../lib') as { Credentials: typeof Credentials };
    for (const id of ['A', 'B']) {
      expect(() => library.Credentials.fromSecretName(new Chart(app(), 'chart'), id, 'x')).toThrow(/^cdk8s-mlflow: constructs got 9\.0\.0, needs \^10\./);
    }
  });
  jest.dontMock('constructs/package.json');
});
