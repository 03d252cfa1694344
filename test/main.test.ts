import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { Manifests, containers, get, ofKind } from './helpers';

const ROOT = join(__dirname, '..');
const directories: string[] = [];

jest.setTimeout(60_000);

afterAll(() => directories.forEach((directory) => rmSync(directory, { recursive: true, force: true })));

function directory(files: { [name: string]: string } = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-main-'));
  directories.push(path);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

/** A copy of the repository, with another main.ts if one is given. */
function checkout(main?: string): string {
  const root = directory();
  for (const path of ['imports', 'lib', 'scripts', 'values', 'main.ts', 'package.json', 'tsconfig.json']) cpSync(join(ROOT, path), join(root, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  if (main !== undefined) writeFileSync(join(root, 'main.ts'), main);
  return root;
}

function synth(root: string, env: { [name: string]: string }, cwd = root) {
  const { PATH = '' } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts/synth.mjs')], { cwd, env: { PATH, ...env }, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** The files in a folder and in those below it. */
function contents(path: string): { [name: string]: string } {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map(({ parentPath, name }) => [relative(path, join(parentPath, name)), readFileSync(join(parentPath, name), 'utf8')]));
}

const SUCCESS = { status: 0, stdout: expect.stringMatching(/^Next: kubectl apply -f .+\/$/m) as string, stderr: '' };

/** A main.ts whose one chart is `app` with `statements` in it. */
const program = (statements: string) => `
import { App, Chart, JsonPatch } from 'cdk8s';
import { Minio, MlflowStack } from './lib';
const app = new App();
${statements}
app.synth();
`;

describe('the manifests', () => {
  let root: string;
  let first: string;

  beforeAll(() => {
    root = checkout();
    first = directory();
    expect(synth(root, { CDK8S_OUTDIR: first, TZ: 'UTC', LANG: 'C' }, tmpdir())).toEqual(SUCCESS);
  });

  test('are those in dist/: run "npm run synth" where this fails', () => {
    expect(Object.keys(contents(first)).sort()).toEqual(['mlflow-programs.k8s.yaml', 'mlflow.k8s.yaml', 'prod/mlflow-programs.k8s.yaml', 'prod/mlflow.k8s.yaml']);
    expect(contents(first)).toEqual(contents(join(ROOT, 'dist')));
  });

  test('have nothing in them that Helm would take for a template', () => {
    for (const text of Object.values(contents(first))) expect(text).not.toContain('{{');
  });

  test('are the same in another process, wherever it runs', () => {
    const second = directory();
    const env = { CDK8S_OUTDIR: second, TZ: 'Pacific/Kiritimati', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' };
    expect(synth(checkout(), env, second)).toEqual(SUCCESS);
    expect(contents(second)).toEqual(contents(first));
  });

  test('go to dist/ of the repository, from any folder', () => {
    const elsewhere = directory();
    expect(synth(root, {}, elsewhere)).toEqual(SUCCESS);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(contents(join(root, 'dist'))).toEqual(contents(first));
  });

  test('go to a folder that is not there yet', () => {
    const out = join(directory(), 'not/there');
    expect(synth(root, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(contents(out)).toEqual(contents(first));
  });

  test('go to a folder that is named from where the program is called', () => {
    const elsewhere = directory();
    expect(synth(root, { CDK8S_OUTDIR: 'out' }, elsewhere)).toEqual(SUCCESS);
    expect(contents(join(elsewhere, 'out'))).toEqual(contents(first));
  });

  test.each([
    ['lib/tracking-server/start-mlflow.py', 'print("this is new")\n'],
    ['lib/secrets/fill-secrets.py', 'print("this is new")\n'],
  ])('are made from the programs as they are now: %s', (program, text) => {
    const changed = checkout();
    const out = directory();
    writeFileSync(join(changed, program), text);
    expect(synth(changed, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    for (const folder of ['', 'prod/']) expect(contents(out)[`${folder}mlflow-programs.k8s.yaml`]).toContain('print("this is new")');
  });

  test('change in the file of the programs only where a sentence of the preflight changes', () => {
    const changed = checkout();
    const out = directory();
    const path = join(changed, 'lib/preflight/preflight/causes.py');
    writeFileSync(path, `${readFileSync(path, 'utf8')}# a better sentence\n`);
    expect(synth(changed, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    const [before, after] = [contents(first), contents(out)];
    expect(Object.keys(after).filter((file) => after[file] !== before[file]).sort()).toEqual(['mlflow-programs.k8s.yaml', 'prod/mlflow-programs.k8s.yaml']);
    expect(after['mlflow-programs.k8s.yaml'].replace(/\n *# a better sentence/, '')).toBe(before['mlflow-programs.k8s.yaml']);
  });

  test('replace those of before; what is no longer made is removed, other files stay', () => {
    const mine = { 'notes.yaml': 'mine', 'README.md': 'mine', 'prod/notes.yaml': 'mine' };
    const out = directory({ ...mine, 'mlflow.k8s.yaml': 'old', 'gone.k8s.yaml': 'stale', 'prod/mlflow.k8s.yaml': 'old', 'prod/gone.k8s.yaml': 'stale' });
    expect(synth(root, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(contents(out)).toEqual({ ...contents(first), ...mine });
  });

  test('leave no folder of an environment that there is no more, and every folder with something else in it', () => {
    const mine = { 'mine/app.k8s.yaml': 'of another program', 'mine/README.md': 'mine', 'deep/one/app.k8s.yaml': 'mine', 'charts/values.yaml': 'mine' };
    const out = directory({ ...mine, 'staging/mlflow.k8s.yaml': 'stale', 'staging/mlflow-programs.k8s.yaml': 'stale' });
    mkdirSync(join(out, 'empty'));
    expect(synth(root, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(contents(out)).toEqual({ ...contents(first), ...mine });
    expect(readdirSync(out).sort()).toEqual(['charts', 'deep', 'empty', 'mine', 'mlflow-programs.k8s.yaml', 'mlflow.k8s.yaml', 'prod']);
  });

  test('are told: each file with its objects and their namespace, and the command that applies them', () => {
    const count = (file: string) => parseAllDocuments(contents(first)[file]).length;
    const told = [
      `dist/mlflow-programs.k8s.yaml: ${count('mlflow-programs.k8s.yaml')} objects, namespace mlflow`,
      `dist/mlflow.k8s.yaml: ${count('mlflow.k8s.yaml')} objects, namespace mlflow`,
      'Next: kubectl apply -f dist/',
      `dist/prod/mlflow-programs.k8s.yaml: ${count('prod/mlflow-programs.k8s.yaml')} objects, namespace mlflow-prod`,
      `dist/prod/mlflow.k8s.yaml: ${count('prod/mlflow.k8s.yaml')} objects, namespace mlflow-prod`,
      'Next: kubectl apply -f dist/prod/',
    ].join('\n');
    expect(synth(root, {})).toEqual({ status: 0, stdout: `${told}\n`, stderr: '' });
  });

  test('are told beside the output of the CLI, which keeps that of the app; of the folder that it throws away nothing is told', () => {
    const cli = { CDK8S_RECORD_CONSTRUCT_METADATA: 'false', TMPDIR: directory() };
    expect(synth(root, { ...cli, CDK8S_OUTDIR: 'dist' })).toEqual({ status: 0, stdout: '', stderr: expect.stringContaining('\nNext: kubectl apply -f dist/prod/\n') as string });
    expect(synth(root, { ...cli, CDK8S_OUTDIR: join(cli.TMPDIR, 'cdk8s-1') })).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('are told without a namespace where they are in none, and with each of several', () => {
    const object = (name: string, namespace?: string) => `new ApiObject(chart, '${name}', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '${name}'${namespace ? `, namespace: '${namespace}'` : ''} }, data: { text: 'a\\n  namespace: no\\n' } });`;
    const main = (...objects: string[]) => checkout(program(`const chart = new Chart(app, 'a');\n${objects.join('\n')}`).replace('App, ', 'ApiObject, App, '));
    expect(synth(main(object('a')), {}).stdout).toBe('dist/a.k8s.yaml: 1 object\nNext: kubectl apply -f dist/\n');
    expect(synth(main(object('a', 'x'), object('b', 'y'), object('c', 'x')), {}).stdout).toBe('dist/a.k8s.yaml: 3 objects, namespace x, y\nNext: kubectl apply -f dist/\n');
  });

  test('are short enough to be read: at most 1,800 lines with the defaults', () => {
    expect(contents(first)['mlflow.k8s.yaml'].split('\n').length).toBeLessThanOrEqual(1800);
  });

  test('are one file a chart', () => {
    const out = directory();
    const two = checkout(program("for (const id of ['one', 'two']) new MlflowStack(new Chart(app, id, { namespace: id }), 'Stack');"));
    expect(synth(two, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(readdirSync(out).sort()).toEqual(['one.k8s.yaml', 'two.k8s.yaml']);
  });
});

describe('the environments', () => {
  const made = (env: { [name: string]: string } = {}) => {
    const out = directory();
    expect(synth(checkout(), { CDK8S_OUTDIR: out, ...env })).toEqual(SUCCESS);
    const files = contents(out);
    return { dev: files['mlflow.k8s.yaml'], prod: files['prod/mlflow.k8s.yaml'], programs: { dev: files['mlflow-programs.k8s.yaml'], prod: files['prod/mlflow-programs.k8s.yaml'] } };
  };
  const objects = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Manifests[number]);

  test('dev is the stack with its defaults', () => {
    const out = directory();
    expect(synth(checkout(program("new MlflowStack(new Chart(app, 'mlflow', { namespace: 'mlflow' }), 'Stack');")), { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    const { dev, programs } = made();
    const sorted = (all: Manifests) => all.map((object) => JSON.stringify(object)).sort();
    expect(sorted([...objects(dev), ...objects(programs.dev)])).toEqual(sorted(objects(contents(out)['mlflow.k8s.yaml'])));
  });

  test('programs stand in a file of their own, all of them, with the Namespace first', () => {
    const { programs, ...all } = made();
    for (const name of ['dev', 'prod'] as const) {
      const reviewed = objects(all[name]);
      const [namespace, ...others] = objects(programs[name]);
      expect(namespace.kind).toBe('Namespace');
      expect(ofKind(reviewed, 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(name === 'prod' ? ['mlflow-login'] : []);
      expect(all[name]).not.toMatch(/^ +(#!\/|import |def )/m);
      expect([...new Set(others.map(({ kind, metadata }) => `${kind} in ${metadata.namespace}`))]).toEqual([`ConfigMap in ${namespace.metadata.name}`]);
    }
    const namesOf = (name: 'dev' | 'prod') => ofKind(objects(programs[name]), 'ConfigMap').map(({ metadata }) => metadata.name);
    const names = namesOf('dev');
    expect(names.sort()).toEqual(['minio-bootstrap', 'mlflow-fill-secrets', 'mlflow-guard', 'mlflow-layers', 'mlflow-preflight', 'mlflow-preflight-relocate', 'mlflow-startup-script', 'mlflow-transfer', 'mlflow-transfer-info', 'postgres', 'postgres-bootstrap']);
    expect(namesOf('prod').filter((name) => !names.includes(name))).toEqual(['mlflow-dashboard']);
  });

  test('prod is the other one, in a namespace of its own, of the size in its values', () => {
    const prod = objects(made().prod);
    const spaces = new Set(prod.map((object) => object.metadata.namespace).filter((namespace) => namespace !== undefined));
    expect([...spaces]).toEqual(['mlflow-prod']);
    expect(get(objects(made().programs.prod), 'Namespace', 'mlflow-prod')).toBeDefined();
    expect(get(prod, 'Deployment', 'mlflow').spec.replicas).toBe(2);
    expect(containers(get(prod, 'Deployment', 'mlflow'))[0].env).toContainEqual({ name: 'MLFLOW_WORKERS', value: '2' });
    expect(containers(get(prod, 'Deployment', 'mlflow'))[0].resources.limits.memory).toBe('2Gi');
    for (const [name, storage] of [['postgres', '50Gi'], ['minio', '500Gi']]) {
      expect(get(prod, 'StatefulSet', name).spec.volumeClaimTemplates[0].spec.resources.requests).toEqual({ storage });
    }
  });

  test('a pipeline’s variables change their environment, and nothing else', () => {
    const [before, after] = [
      made(),
      made({ CDK8S_MLFLOW_PROD_IMAGE: 'registry.example.com/mlflow:v9', CDK8S_MLFLOW_PROD_STORAGE_CLASS: 'fast', CDK8S_MLFLOW_PROD_REPLICAS: '3' }),
    ];
    expect([after.dev, after.programs]).toEqual([before.dev, before.programs]);
    const deployment = get(objects(after.prod), 'Deployment', 'mlflow');
    expect([deployment.spec.replicas, containers(deployment)[0].image]).toEqual([3, 'registry.example.com/mlflow:v9']);
    for (const name of ['postgres', 'minio']) expect(get(objects(after.prod), 'StatefulSet', name).spec.volumeClaimTemplates[0].spec.storageClassName).toBe('fast');
  });

  test('a host is where people reach it from outside, and by TLS', () => {
    const prod = objects(made({ CDK8S_MLFLOW_PROD_HOST: 'ml.example.org', CDK8S_MLFLOW_PROD_ISSUER: 'own', CDK8S_MLFLOW_PROD_INGRESS_CLASS: 'traefik' }).prod);
    expect(ofKind(prod, 'Certificate')[0].spec).toMatchObject({ dnsNames: ['ml.example.org'], issuerRef: { kind: 'ClusterIssuer', name: 'own' } });
    expect(ofKind(prod, 'Ingress')[0].spec).toMatchObject({ ingressClassName: 'traefik', rules: [{ host: 'ml.example.org' }], tls: [{ hosts: ['ml.example.org'] }] });
  });

  test('prod has login, metrics with alerts, a clean-up and a disruption budget, which dev has not', () => {
    const kinds = (text: string) => new Set(objects(text).map(({ kind }) => kind as string));
    const { dev, prod } = made();
    const more = [...kinds(prod)].filter((kind) => !kinds(dev).has(kind)).sort();
    expect(more).toEqual(['Certificate', 'ConfigMap', 'CronJob', 'Ingress', 'PodDisruptionBudget', 'PrometheusRule', 'ServiceMonitor']);
    expect(get(objects(prod), 'Secret', 'mlflow-login')).toBeDefined();
    expect(get(objects(prod), 'Deployment', 'mlflow').spec.template.spec.topologySpreadConstraints).toHaveLength(1);
  });

  test('prod takes images from a mirror, all of them', () => {
    const prod = made({ CDK8S_MLFLOW_PROD_IMAGE_REGISTRY: 'registry.example.com/mirror' }).prod;
    const images = prod.match(/(?<= image: ).*/g)!;
    expect(images.length).toBeGreaterThan(8);
    expect(images.filter((image) => !image.startsWith('registry.example.com/mirror/'))).toEqual([]);
  });

  test('a wrong value is the message and nothing else, and touches nothing', () => {
    const root = checkout();
    writeFileSync(join(root, 'values/prod.yaml'), 'replica: 3\n');
    const out = directory({ 'mlflow.k8s.yaml': 'of before' });
    expect(synth(root, { CDK8S_OUTDIR: out, CDK8S_MLFLOW_DEV_WORKERS: 'all' })).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'Wrong values:\n' +
        '  [CDK8S_MLFLOW_DEV_WORKERS] got "all". Rule: it is the number of server processes in each pod, 1 to 64. Fix: set CDK8S_MLFLOW_DEV_WORKERS=2.\n' +
        '  [values/prod.yaml] replica: got a number. Rule: there is no value of this name (values/schema.json). Fix: did you mean replicas?.\n',
    });
    expect(contents(out)).toEqual({ 'mlflow.k8s.yaml': 'of before' });
  });
});

describe('a synth that fails', () => {
  const before = { 'mlflow.k8s.yaml': 'of before', 'other.k8s.yaml': 'stale', 'README.md': 'mine' };
  const fails = (main: string, env: { [name: string]: string } = {}) => {
    const out = directory(before);
    return { ...synth(checkout(main), { CDK8S_OUTDIR: out, ...env }), left: contents(out) };
  };
  const WRONG_BUCKET = program("new Minio(new Chart(app, 'mlflow'), 'Files', { bucket: 'Models' });");

  test('prints the message and nothing else, and touches nothing', () => {
    expect(fails(WRONG_BUCKET)).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'Validation failed with the following errors:\n' +
        '  [mlflow/Files] bucket: got "Models". Rule: a bucket name has lower-case letters, digits, "." and "-" only ' +
        '(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html). Fix: pass a bucket name such as "models".\n',
      left: before,
    });
  });

  test('prints the stack trace where DEBUG is set', () => {
    const { status, stderr, left } = fails(WRONG_BUCKET, { DEBUG: '1' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Error: Validation failed with the following errors:\n[^]*\n {4}at /);
    expect(left).toEqual(before);
  });

  test('prints what was thrown where that is no error', () => {
    expect(fails(program("throw 'no error at all';"))).toEqual({ status: 1, stdout: '', stderr: 'no error at all\n', left: before });
  });

  test('touches nothing where one of two charts is good', () => {
    const main = program(`
      new MlflowStack(new Chart(app, 'mlflow'), 'Stack');
      new Minio(new Chart(app, 'other', { namespace: 'other' }), 'Minio').service.addJsonPatch(JsonPatch.remove('/spec/nothing/there'));
    `);
    const { status, stderr, left } = fails(main);
    expect(status).toBe(1);
    expect(stderr).toContain('[other/Minio/Service] JSON patch: got remove "/spec/nothing/there"');
    expect(left).toEqual(before);
  });

  test('touches nothing where the program throws behind app.synth()', () => {
    expect(fails(`${program("new Chart(app, 'mlflow');")}\nthrow new Error('too late');`)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'too late\n',
      left: before,
    });
  });

  test.each([
    ['a program that is none', 'const = 1;', 'main.ts:1:6', 'Expected identifier'],
    ['an import that is not there', "import './nowhere';", 'main.ts:1:7', 'Could not resolve "./nowhere"'],
  ])('names the line of %s, without a stack trace', (_, main, line, reason) => {
    const { status, stderr, left } = fails(main);
    expect(status).toBe(1);
    expect(left).toEqual(before);
    expect(stderr).toContain(line);
    expect(stderr).toContain(reason);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test('makes no output folder', () => {
    const out = join(directory(), 'dist');
    expect(synth(checkout(WRONG_BUCKET), { CDK8S_OUTDIR: out }).status).toBe(1);
    expect(existsSync(out) ? readdirSync(out) : []).toEqual([]);
  });

  test('can be mended', () => {
    const root = checkout(WRONG_BUCKET);
    mkdirSync(join(root, 'dist'));
    writeFileSync(join(root, 'dist/mlflow.k8s.yaml'), 'of before');
    expect(synth(root, {}).status).toBe(1);
    writeFileSync(join(root, 'main.ts'), WRONG_BUCKET.replace('Models', 'models'));
    expect(synth(root, {})).toEqual(SUCCESS);
    expect(contents(join(root, 'dist'))['mlflow.k8s.yaml']).toContain('value: models');
  });
});
