import { server, synth, told, wrong } from '../tracking-server/server';
import { get, ofKind, workloads } from '../helpers';

const accounts = (props: object) => Object.fromEntries(workloads(synth(props)).map(({ metadata, spec }) => [metadata.name, spec.template.spec.serviceAccountName]));

test('there is none unless it is asked for', () => {
  expect(ofKind(synth(), 'ServiceAccount')).toEqual([]);
  expect(accounts({})).toEqual({ mlflow: undefined, 'mlflow-monitor': undefined });
  expect(server().serviceAccount).toBeUndefined();
});

test('server and monitor, which use the stores, have it, and no token', () => {
  const objects = synth({ serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/mlflow' } } });
  const account = get(objects, 'ServiceAccount', 'mlflow');
  expect(account.metadata).toMatchObject({ namespace: 'mlflow', annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/mlflow' } });
  expect(account.automountServiceAccountToken).toBe(false);
  for (const { spec } of workloads(objects)) {
    expect(spec.template.spec).toMatchObject({ serviceAccountName: 'mlflow', automountServiceAccountToken: false });
  }
});

test('the garbage collection, which has no key of the store, does not have it', () => {
  const job = get(synth({ serviceAccount: {}, garbageCollection: {} }), 'CronJob', 'mlflow-gc').spec.jobTemplate.spec.template.spec;
  expect(job).not.toHaveProperty('serviceAccountName');
  expect(job.automountServiceAccountToken).toBe(false);
});

test('name', () => {
  expect(get(synth({ serviceAccount: { name: 'artifacts' } }), 'ServiceAccount', 'artifacts')).toBeDefined();
  expect(accounts({ serviceAccount: { name: 'artifacts' } })).toEqual({ mlflow: 'artifacts', 'mlflow-monitor': 'artifacts' });
});

test('create: false takes one that is there', () => {
  expect(ofKind(synth({ serviceAccount: { name: 'theirs', create: false } }), 'ServiceAccount')).toEqual([]);
  expect(accounts({ serviceAccount: { name: 'theirs', create: false } })).toEqual({ mlflow: 'theirs', 'mlflow-monitor': 'theirs' });
});

test.each<[object, string, string, string, string]>([
  [{ create: false, annotations: { a: 'b' } }, 'annotations', '{"a":"b"}', 'with serviceAccount.create = false', 'leave serviceAccount.annotations out, or serviceAccount.create'],
  [{ create: 'false' }, 'create', '"false"', 'true or false', 'pass true or false'],
  [{ name: 'My Account' }, 'name', '"My Account"', 'RFC 1123 subdomain', 'my-account'],
  [{ name: 5 }, 'name', '5', 'RFC 1123 subdomain', ''],
  [{ annotations: { a: 5 } }, 'annotations["a"]', '5', 'a text as value', 'in quotes'],
  [{ annotations: 'a=b' }, 'annotations', 'a string', 'it is an object', ''],
  [{ nmae: 'a' }, 'nmae', 'a string', 'there is no prop of this name', 'did you mean serviceAccount.name?'],
])('%j is refused', (serviceAccount, prop, got, rule, fix) => {
  expect(wrong({ serviceAccount })).toEqual([told(`serviceAccount.${prop}`, got, rule, fix)]);
});
