import { App, Chart, Testing } from 'cdk8s';
import { Credentials, ICredentials, Minio, Postgres } from '../../lib';
import { faults } from '../helpers';

/** The credentials that a Secret is filled with, as somebody writes them who has no construct for it. */
const generated = (secretName: string, keys: Partial<ICredentials> = {}): ICredentials => ({
  secretName,
  namespace: 'mlflow',
  usernameKey: 'username',
  passwordKey: 'password',
  generated: true,
  generatedUsername: 'mlflow-',
  ...keys,
});
const shared = (path: string, prop: string, first: string) =>
  expect.stringMatching(new RegExp(`^\\[${path}\\] ${prop}: got "Secret .+"\\. Rule: a generated Secret is for one user, and it is that of ${first.replace(/[[\]]/g, '\\$&')} already: .+\\. Fix: .+new Credentials\\(…\\).+\\.$`));

const problems = (app: App) => faults(app.charts[0]);

describe('a generated Secret for two users is a fault that names both', () => {
  test('of two stores', () => {
    const chart = Testing.chart();
    const credentials = new Credentials(chart, 'Keys', { secretName: 'keys' });
    new Postgres(chart, 'Postgres', { credentials });
    new Minio(chart, 'Minio', { credentials });
    expect(faults(chart)).toEqual([shared('test/Minio', 'credentials', 'credentials of postgres in [test/Postgres]')]);
  });

  test('of two stores, whatever objects they are', () => {
    const chart = Testing.chart();
    new Postgres(chart, 'Postgres', { superuserCredentials: generated('keys') });
    new Minio(chart, 'Minio', { rootCredentials: generated('keys', { usernameKey: 'id', passwordKey: 'key' }) });
    expect(faults(chart)).toEqual([shared('test/Minio', 'rootCredentials', 'superuserCredentials of postgres in [test/Postgres]')]);
  });

  test.each<[string, (chart: Chart) => ICredentials]>([
    ['one object', () => generated('keys')],
    ['a Secret that each declares', (chart) => new Credentials(chart, 'Keys', { secretName: 'keys' })],
  ])('of stores in two charts of an app: %s', (_, keys) => {
    const app = Testing.app();
    const [first, second] = ['first', 'second'].map((id) => new Chart(app, id));
    new Minio(first, 'Minio', { credentials: keys(first) });
    new Postgres(second, 'Postgres', { credentials: keys(second) });
    expect(problems(app)).toContainEqual(shared('second/Postgres', 'credentials', 'credentials of minio in [first/Minio]'));
  });

  test('of one store, under two pairs of keys', () => {
    const chart = Testing.chart();
    new Minio(chart, 'Minio', { credentials: generated('keys'), rootCredentials: generated('keys', { usernameKey: 'id', passwordKey: 'key' }) });
    expect(faults(chart)).toEqual([shared('test/Minio', 'credentials', 'rootCredentials of minio in [test/Minio]')]);
  });
});

describe.each<[string, (chart: Chart) => [ICredentials, ICredentials]]>([
  ['generated', (chart) => Array<ICredentials>(2).fill(new Credentials(chart, 'Keys', { secretName: 'keys' })) as [ICredentials, ICredentials]],
  ['that exists', (chart) => [Credentials.fromSecretName(chart, 'A', 'keys'), Credentials.fromSecretName(chart, 'B', 'keys')]],
  ['that is generated here and exists there', (chart) => [new Credentials(chart, 'A', { secretName: 'keys' }), Credentials.fromSecretName(chart, 'B', 'keys')]],
  ['that exists here and is generated there', (chart) => [Credentials.fromSecretName(chart, 'B', 'keys'), new Credentials(chart, 'A', { secretName: 'keys' })]],
])('one user as administrator and as user of one store, in a Secret %s', (_, both) => {
  test.each<[string, (chart: Chart, pair: [ICredentials, ICredentials]) => void, string]>([
    ['Minio', (chart, [rootCredentials, credentials]) => new Minio(chart, 'Store', { rootCredentials, credentials }), 'rootCredentials'],
    ['Postgres', (chart, [superuserCredentials, credentials]) => new Postgres(chart, 'Store', { superuserCredentials, credentials }), 'superuserCredentials'],
  ])('is a fault of %s', (_store, make, administrator) => {
    const chart = Testing.chart();
    make(chart, both(chart));
    expect(faults(chart)).toEqual([
      '[test/Store] credentials: got "key \\"username\\" of Secret \\"keys\\" in namespace \\"mlflow\\"". Rule: a server has two users of two names, ' +
        `and this is that of ${administrator} already: there would be one, with all rights. Fix: pass another Secret, or other keys of this one.`,
    ]);
  });
});

test('one Secret that exists has both users of a store under different keys', () => {
  const chart = Testing.chart();
  const rootCredentials = Credentials.fromSecretName(chart, 'Root', 'keys', { usernameKey: 'root-user', passwordKey: 'root-password' });
  new Minio(chart, 'Minio', { rootCredentials, credentials: Credentials.fromSecretName(chart, 'User', 'keys') });
  expect(faults(chart)).toEqual([]);
});

test('one Secret that exists has the users of two stores', () => {
  const chart = Testing.chart();
  const keys = (id: string) => Credentials.fromSecretName(chart, id, 'keys', { usernameKey: `${id}-user`, passwordKey: `${id}-password` });
  new Minio(chart, 'Minio', { credentials: keys('s3') });
  new Postgres(chart, 'Postgres', { credentials: keys('db') });
  expect(faults(chart)).toEqual([]);
});

test('two parts of one name are told by that, and not by their Secrets as well', () => {
  const app = Testing.app();
  for (const id of ['first', 'second']) new Minio(new Chart(app, id), 'Minio');
  expect(problems(app)).toEqual([expect.stringMatching(/^\[second\/Minio\] name: got Secret "minio-root"/)]);
});

test('a Secret of the same name in another namespace is another Secret', () => {
  const chart = Testing.chart();
  for (const namespace of ['team-a', 'team-b']) new Minio(chart, namespace, { namespace });
  expect(faults(chart)).toEqual([]);
});
