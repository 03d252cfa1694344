import { Testing } from 'cdk8s';
import { GarbageCollection, MlflowStack, ServerServiceAccount } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, faults, get, ofKind, workloads } from '../helpers';
import { synth, told } from '../tracking-server/server';

const addOn = new AddOn(ServerServiceAccount, 'Account');
/** Workloads, without the Job that fills Secrets, whose ServiceAccount is its own. */
const pods = (objects: Manifests) => workloads(objects).filter(({ kind }) => kind !== 'Job');
const accounts = (objects: Manifests) => Object.fromEntries(pods(objects).map(({ metadata, spec }) => [metadata.name, spec.template.spec.serviceAccountName]));

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'ServiceAccount').map(({ metadata }) => metadata.name)).toEqual(['mlflow-secrets']);
  expect(accounts(synth())).toEqual({ mlflow: undefined, 'mlflow-monitor': undefined });
  expect(new MlflowStack(Testing.chart(), 'Stack').serviceAccount).toBeUndefined();
});

test('server and monitor, which use the stores, have it, and no token', () => {
  const objects = addOn.synth({ annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/mlflow' } });
  const account = get(objects, 'ServiceAccount', 'mlflow');
  expect(account.metadata).toMatchObject({ namespace: 'mlflow', annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/mlflow' } });
  expect(account.automountServiceAccountToken).toBe(false);
  for (const { spec } of pods(objects)) {
    expect(spec.template.spec).toMatchObject({ serviceAccountName: 'mlflow', automountServiceAccountToken: false });
  }
});

test('the garbage collection, which has no key of the store, does not have it', () => {
  const { chart, server } = addOn.add();
  new GarbageCollection(chart, 'GarbageCollection', { server });
  const job = get(Testing.synth(chart), 'CronJob', 'mlflow-gc').spec.jobTemplate.spec.template.spec;
  expect(job).not.toHaveProperty('serviceAccountName');
  expect(job.automountServiceAccountToken).toBe(false);
});

test('name', () => {
  expect(get(addOn.synth({ name: 'artifacts' }), 'ServiceAccount', 'artifacts')).toBeDefined();
  expect(accounts(addOn.synth({ name: 'artifacts' }))).toEqual({ mlflow: 'artifacts', 'mlflow-monitor': 'artifacts' });
});

test('create: false takes one that is there', () => {
  expect(ofKind(addOn.synth({ name: 'theirs', create: false }), 'ServiceAccount').map(({ metadata }) => metadata.name)).toEqual(['mlflow-secrets']);
  expect(accounts(addOn.synth({ name: 'theirs', create: false }))).toEqual({ mlflow: 'theirs', 'mlflow-monitor': 'theirs' });
});

test.each<[object, string, string, string, string]>([
  [{ create: false, annotations: { a: 'b' } }, 'annotations', '{"a":"b"}', 'with create = false', 'leave annotations out, or create'],
  [{ create: 'false' }, 'create', '"false"', 'true or false', 'pass true or false'],
  [{ name: 'My Account' }, 'name', '"My Account"', 'RFC 1123 subdomain', 'my-account'],
  [{ name: 5 }, 'name', '5', 'RFC 1123 subdomain', ''],
  [{ annotations: { a: 5 } }, 'annotations["a"]', '5', 'a text as value', 'in quotes'],
  [{ annotations: 'a=b' }, 'annotations', 'a string', 'it is an object', ''],
  [{ nmae: 'a' }, 'nmae', 'a string', 'there is no prop of this name', 'did you mean name?'],
])('%j is refused', (serviceAccount, prop, got, rule, fix) => {
  expect(addOn.wrong(serviceAccount)).toEqual([told(prop, got, rule, fix, 'Account')]);
});

test.each([{ name: 'other' }, { name: 'other', create: false }])('a second one for a server, %j, whose pods would have the last', (second) => {
  const { chart, server } = addOn.add();
  addOn.to(chart, server, second, 'Second');
  expect(faults(chart)).toEqual([
    told('runAs', '"ServiceAccount"', 'and [test/Account] has this one', 'leave it to [test/Account]', 'Second'),
  ]);
});

test('two servers of one namespace, whose ServiceAccounts have one name', () => {
  const { chart } = addOn.add({ name: 'artifacts' });
  new MlflowStack(chart, 'Stack', { name: 'blue', serviceAccount: { name: 'artifacts' } });
  expect(faults(chart)).toEqual([
    told('name', 'ServiceAccount "artifacts" in namespace "mlflow", which [test/Account/ServiceAccount] makes already', 'each kind has a name once', 'give each ServiceAccount of the namespace its own name', 'Stack/ServiceAccount'),
  ]);
});
