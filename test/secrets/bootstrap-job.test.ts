import { JsonPatch, Testing } from 'cdk8s';
import { Credentials, Images, Minio, MlflowStack, Postgres } from '../../lib';
import { FILL_SECRETS_PY, OUTDATED_PODS_PY, SECRET_API_PY } from '../../lib/assets.generated';
import { ImageSource } from '../../lib/kube/image-source';
import { PodSettings } from '../../lib/kube/pod-settings';
import { PropChecks } from '../../lib/validation/prop-checks';
import { BootstrapJob, BootstrapJobProps, CREDENTIALS_DIR } from '../../lib/secrets/bootstrap-job';
import { Manifests, containers, get, ofKind, shape } from '../helpers';

function bootstrap(props: Partial<BootstrapJobProps> = {}, ...patches: JsonPatch[]): Manifests {
  const chart = Testing.chart();
  const checks = new PropChecks(chart);
  const images = new ImageSource(checks, {});
  const { job } = new BootstrapJob(chart, 'Bootstrap', {
    images,
    pod: new PodSettings(checks, {}, images),
    pythonImage: Images.MLFLOW,
    part: { name: 'cats', instance: 'mlflow', component: 'cat-store', image: 'cats:v1' },
    name: 'cats',
    namespace: 'mlflow',
    admin: new Credentials(chart, 'Admin', { secretName: 'cats-admin', username: 'king' }),
    user: Credentials.fromSecretName(chart, 'User', 'cats-user', { usernameKey: 'id', passwordKey: 'key' }),
    toolImage: 'cats:v1',
    script: { name: 'make-cats.sh', text: '#!/bin/bash\necho meow\n' },
    scriptEnv: [{ name: 'CATS', value: '9' }],
    ...props,
  });
  job.addJsonPatch(...patches);
  return Testing.synth(chart);
}

function jobName(...args: Parameters<typeof bootstrap>): string {
  return get(bootstrap(...args), 'Job', 'cats-bootstrap').metadata.name;
}

test('the whole Job and what it needs', () => {
  expect(shape(bootstrap())).toMatchSnapshot();
});

test('Secrets are prepared, the store is asked, and the Secret of the user is published, in this order', () => {
  const job = get(bootstrap(), 'Job', 'cats-bootstrap');
  const { initContainers, containers: [last], restartPolicy } = job.spec.template.spec;
  expect([...initContainers, last].map(({ name, image, command }) => [name, image, command])).toEqual([
    ['prepare', Images.MLFLOW, ['python3', '/scripts/fill-secrets.py', 'prepare']],
    ['store', 'cats:v1', ['/bin/bash', '/scripts/make-cats.sh']],
    ['publish', Images.MLFLOW, ['python3', '/scripts/fill-secrets.py', 'publish']],
  ]);
  expect(job.spec.template.spec.containers).toHaveLength(1);
  expect(restartPolicy).toBe('OnFailure');
});

test('the containers share the credentials in memory', () => {
  const job = get(bootstrap(), 'Job', 'cats-bootstrap');
  const { volumes } = job.spec.template.spec;
  expect(volumes.slice(0, 3)).toEqual([
    { name: 'credentials', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: 'scripts', projected: { sources: [{ configMap: { name: 'cats-bootstrap' } }, { configMap: { name: 'mlflow-fill-secrets' } }] } },
    { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
  ]);
  expect(volumes.map(({ name }: { name: string }) => name)).toEqual(['credentials', 'scripts', 'tmp', 'api-access']);
  for (const { env, volumeMounts } of containers(job)) {
    expect(env).toContainEqual({ name: 'CREDENTIALS_DIR', value: CREDENTIALS_DIR });
    expect(volumeMounts).toContainEqual({ name: 'credentials', mountPath: CREDENTIALS_DIR });
    expect(volumeMounts).toContainEqual({ name: 'scripts', mountPath: '/scripts' });
  }
});

test('the scripts know which keys of which Secrets to fill', () => {
  const [prepare, store, publish] = containers(get(bootstrap(), 'Job', 'cats-bootstrap'));
  const specs = (container: Manifests[number]) => JSON.parse(container.env.find(({ name }: { name: string }) => name === 'CREDENTIALS').value);
  expect(specs(prepare)).toEqual([
    { role: 'admin', secretName: 'cats-admin', usernameKey: 'username', passwordKey: 'password', generated: true, generatedUsername: 'king' },
    { role: 'user', secretName: 'cats-user', usernameKey: 'id', passwordKey: 'key', generated: false },
  ]);
  expect(specs(publish)).toEqual(specs(prepare));
  expect(store.env.slice(1)).toEqual([{ name: 'CATS', value: '9' }]);
});

test('the URL of the store goes to the container that writes the configuration of its client', () => {
  const job = get(bootstrap({ storeUrl: 'http://cats:9000' }), 'Job', 'cats-bootstrap');
  const url = { name: 'STORE_URL', value: 'http://cats:9000' };
  expect(containers(job).map(({ env }) => env.some((variable: object) => JSON.stringify(variable) === JSON.stringify(url)))).toEqual([true, false, false]);
});

test('the script of the store and the one that fills Secrets have a ConfigMap each', () => {
  expect(get(bootstrap(), 'ConfigMap', 'cats-bootstrap').data).toEqual({ 'make-cats.sh': '#!/bin/bash\necho meow\n' });
  expect(get(bootstrap(), 'ConfigMap', 'mlflow-fill-secrets').data).toEqual({ 'fill-secrets.py': FILL_SECRETS_PY, 'outdated_pods.py': OUTDATED_PODS_PY, 'secret_api.py': SECRET_API_PY });
});

test('the ServiceAccount may read and fill the generated Secret, read the other one, and nothing else', () => {
  const objects = bootstrap();
  expect(ofKind(objects, 'Role')).toHaveLength(1);
  expect(ofKind(objects, 'ClusterRole')).toEqual([]);
  expect(get(objects, 'Role', 'cats-bootstrap').rules).toEqual([
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['cats-admin'], verbs: ['get', 'patch'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['cats-user'], verbs: ['get'] },
  ]);
  const { roleRef, subjects } = get(objects, 'RoleBinding', 'cats-bootstrap');
  expect(roleRef).toEqual({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'cats-bootstrap' });
  expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'cats-bootstrap', namespace: 'mlflow' }]);
});

describe('a server that has its administrator at its start', () => {
  const rules = (props: Partial<BootstrapJobProps>) => get(bootstrap({ pods: ['cats-0', 'cats-1'], ...props }), 'Role', 'cats-bootstrap').rules.slice(2);
  const specs = (props: Partial<BootstrapJobProps>) => JSON.parse(containers(get(bootstrap({ pods: ['cats-0'], ...props }), 'Job', 'cats-bootstrap'))[0].env.find(({ name }: { name: string }) => name === 'CREDENTIALS').value);

  test('its pods, and no others, may be replaced by the Job', () => {
    expect(rules({})).toEqual([{ apiGroups: [''], resources: ['pods'], resourceNames: ['cats-0', 'cats-1'], verbs: ['get', 'delete'] }]);
    expect(specs({}).map(({ pods }: { pods?: string[] }) => pods)).toEqual([['cats-0'], undefined]);
  });

  test('none may where the Job does not make the administrator, or gives him another password in place', () => {
    for (const props of [{ admin: Credentials.fromSecretName(Testing.chart(), 'Admin', 'cats-admin') }, { adminInPlace: true }]) {
      expect(rules(props).filter(({ resources }: { resources: string[] }) => resources[0] === 'pods')).toEqual([]);
      expect(specs(props)[0].pods).toBeUndefined();
    }
  });
});

test('the token goes to the containers of the Job that fill Secrets, and not to that of the store', () => {
  const objects = bootstrap();
  const { spec } = get(objects, 'Job', 'cats-bootstrap').spec.template;
  expect(spec.serviceAccountName).toBe('cats-bootstrap');
  expect(spec.automountServiceAccountToken).toBe(false);
  const mounted = containers(get(objects, 'Job', 'cats-bootstrap')).filter(({ volumeMounts }) => volumeMounts.some(({ name }: { name: string }) => name === 'api-access'));
  expect(mounted.map(({ name }) => name)).toEqual(['prepare', 'publish']);
  expect(get(objects, 'ServiceAccount', 'cats-bootstrap').automountServiceAccountToken).toBe(false);
});

test('its pods have a component of their own', () => {
  const { labels } = get(bootstrap(), 'Job', 'cats-bootstrap').spec.template.metadata;
  expect(labels).toEqual({
    'app.kubernetes.io/name': 'cats',
    'app.kubernetes.io/instance': 'mlflow',
    'app.kubernetes.io/component': 'cat-store-bootstrap',
  });
});

describe('the name of the Job', () => {
  const name = jobName();

  test('carries a fingerprint', () => {
    expect(name).toMatch(/^cats-bootstrap-[0-9a-f]{10}$/);
  });

  test('is the same at the next synth', () => {
    expect(jobName()).toBe(name);
  });

  test.each<[string, Partial<BootstrapJobProps>]>([
    ['the script', { script: { name: 'make-cats.sh', text: '#!/bin/bash\necho purr\n' } }],
    ['the name of the script', { script: { name: 'make-more-cats.sh', text: '#!/bin/bash\necho meow\n' } }],
    ['the image of the tool', { toolImage: 'cats:v2' }],
    ['the image with Python', { pythonImage: 'python:3.14' }],
    ['the environment', { scriptEnv: [{ name: 'CATS', value: '10' }] }],
    ['the URL of the store', { storeUrl: 'http://cats' }],
  ])('changes with %s', (_, props) => {
    expect(jobName(props)).toMatch(/^cats-bootstrap-[0-9a-f]{10}$/);
    expect(jobName(props)).not.toBe(name);
  });

  test('changes with a patch of the spec', () => {
    const patched = jobName({}, JsonPatch.add('/spec/backoffLimit', 3));
    expect(patched).toMatch(/^cats-bootstrap-[0-9a-f]{10}$/);
    expect(patched).not.toBe(name);
    expect(patched).toBe(jobName({}, JsonPatch.add('/spec/backoffLimit', 3)));
    expect(patched).not.toBe(jobName({}, JsonPatch.add('/spec/backoffLimit', 4)));
  });

  test('does not change with a patch of the metadata, which can be applied', () => {
    expect(jobName({}, JsonPatch.add('/metadata/annotations', { team: 'a' }))).toBe(name);
  });

  test('does not change with what is not in the spec', () => {
    expect(jobName({ part: { name: 'cats', instance: 'mlflow', component: 'cat-store', image: 'cats:v2' } })).toBe(name);
  });

  test.each<[string, (stack: MlflowStack) => void]>([
    ['postgres-bootstrap', (stack) => (stack.backendStore as Postgres).bootstrapJob.addJsonPatch(JsonPatch.add('/spec/backoffLimit', 3))],
    ['minio-bootstrap', (stack) => (stack.artifactStore as Minio).bootstrapJob.addJsonPatch(JsonPatch.add('/spec/backoffLimit', 3))],
  ])('of %s in a stack changes with a patch, and no other name does', (job, patch) => {
    const names = (change?: (stack: MlflowStack) => void): string[] => {
      const chart = Testing.chart();
      const stack = new MlflowStack(chart, 'Stack');
      change?.(stack);
      return Testing.synth(chart).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    };
    const before = names();
    const after = names(patch);
    const changed = after.filter((name) => !before.includes(name));
    expect(changed).toEqual([expect.stringMatching(new RegExp(`^Job ${job}-[0-9a-f]{10}$`))]);
    expect(after).toHaveLength(before.length);
  });
});
