import { Testing } from 'cdk8s';
import { BasicAuth, Credentials, Minio, Oauth2Proxy, SecretsJob } from '../../lib';
import { containers, faults, get, ofKind } from '../helpers';
import { server, synth, valueOf } from '../tracking-server/server';

const PART = { name: 'cats', instance: 'mlflow', component: 'door', image: 'cats:1' };

test('one Job fills what the server and its add-ons have made up, with rights on these Secrets', () => {
  const objects = synth({}, (it, scope) => {
    new BasicAuth(scope, 'Login', { server: it });
    SecretsJob._fill(it, it, PART, 'cats-keys', { user: { text: 'tom' }, key: { length: 8 } });
  });
  expect(ofKind(objects, 'Job')).toHaveLength(1);
  const names = ['mlflow-server-secrets', 'mlflow-login', 'cats-keys'];
  const secrets = JSON.parse(valueOf(containers(get(objects, 'Job', 'mlflow-secrets'))[0], 'SECRETS')!) as { secretName: string; values: object }[];
  expect(secrets.map(({ secretName }) => secretName)).toEqual(names);
  expect(secrets[2].values).toEqual({ user: { text: 'tom' }, key: { length: 8 } });
  expect(get(objects, 'Role', 'mlflow-secrets').rules).toEqual([{ apiGroups: [''], resources: ['secrets'], resourceNames: names, verbs: ['get', 'patch'] }]);
  expect(get(objects, 'Secret', 'cats-keys').metadata.labels['app.kubernetes.io/component']).toBe('door');
});

test('it is handed out with what belongs to it, and is nobody\'s where there is nothing to fill', () => {
  const { job, role, roleBinding, serviceAccount, networkPolicy } = SecretsJob.of(server())!;
  expect([job, role, roleBinding, serviceAccount, networkPolicy].map((object) => object?.kind)).toEqual(['Job', 'Role', 'RoleBinding', 'ServiceAccount', 'NetworkPolicy']);
  expect(job.name).toMatch(/^mlflow-secrets-[0-9a-f]{10}$/);
  expect(SecretsJob.of(server({ secrets: { secretName: 'mine' } }))).toBeUndefined();
});

test('the login proxy has no Job of its own', () => {
  const objects = synth({}, (it, scope) => {
    const clientCredentials = Credentials.fromSecretName(scope, 'Client', 'oidc');
    return new Oauth2Proxy(scope, 'Proxy', { server: it, clientCredentials, issuerUrl: 'https://login.example.com', externalUrl: 'https://mlflow.example.com' });
  });
  expect(ofKind(objects, 'Job')).toHaveLength(1);
  expect(get(objects, 'Role', 'mlflow-secrets').rules[0].resourceNames).toEqual(['mlflow-server-secrets', 'mlflow-oauth2-proxy-cookie']);
});

test('its name is that of its content, add-ons that come later included', () => {
  const nameWith = (add: boolean) => ofKind(synth({}, (it, scope) => add && new BasicAuth(scope, 'Login', { server: it })), 'Job')[0].metadata.name;
  expect(nameWith(false)).toBe(nameWith(false));
  expect(nameWith(true)).not.toBe(nameWith(false));
});

test('a Secret that a store in the app fills is a fault', () => {
  const chart = Testing.chart();
  new Minio(chart, 'Minio', { namespace: 'mlflow', credentials: new Credentials(chart, 'Keys', { secretName: 'mlflow-server-secrets', namespace: 'mlflow' }) });
  server({}, chart);
  expect(faults(chart)).toContainEqual(expect.stringMatching(/^\[test\/TrackingServer\/Secrets\] secretName: got "Secret \\"mlflow-server-secrets\\".* a generated Secret is for one user, and it is that of credentials of minio/));
});
