// What other people's programs say of the manifests in dist/ and in the examples. Where they are, but for Go, comes from
// the environment: CHECKOV, KUBE_SCORE, KUBECONFORM, and the schemas of Kubernetes in KUBE_SCHEMAS.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { parse } from 'yaml';
import { LinterAnnotations, Login, MlflowStack } from '../../lib';
import { ROOT, scratch } from '../run-script';
import { crdSchemaLocation, writeCrdSchemas } from './crd-schemas';

const { CHECKOV = 'checkov', KUBE_SCORE = 'kube-score', KUBECONFORM = 'kubeconform', KUBE_SCHEMAS = join(ROOT, '../shared/kube-schemas') } = process.env;
const EXAMPLES = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
const FOLDERS = ['dist', ...EXAMPLES.map(({ name }) => `examples/${name}/dist`)];
const FILES = FOLDERS.flatMap((folder) => {
  const manifests = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.k8s.yaml'));
  return manifests.map((file) => join(folder, file)).sort();
});
/** The manifests that are applied together, and that refer to each other. */
const APPLIED = [...new Set(FILES.map(dirname))].map((folder) => [folder, FILES.filter((file) => dirname(file) === folder)] as const);
/** What kube-score would have otherwise; docs/explanation/linters.md says more. */
const IGNORED = [
  // the images have versions in their names: a pod that starts again while the registry is away should start
  'container-image-pull-policy',
  // a tracking server for a few people is one pod, and the monitor of the stores serves nobody but Prometheus
  'deployment-replicas',
];
/** What checkov would have otherwise, with the reasons beside it. */
const SKIPPED = (parse(readFileSync(join(ROOT, '.checkov.yaml'), 'utf8')) as { 'skip-check': string[] })['skip-check'];
const VERSIONS = readdirSync(KUBE_SCHEMAS).filter((name) => /^v\d/.test(name));
/** Whether a finding is about this library: one example has a Job of its own, as cdk8s-plus makes it, and in another an operator makes the pods of two policies. */
const ours = (finding: string) => !/\btraining[./]train\b|\/postgres(-operator)? networkpolicy-targets-pod$/.test(finding);
/** A pod with everything wrong that it can have. */
const WRONG = `apiVersion: v1
kind: Pod
metadata: { name: wrong, namespace: wrong }
spec: { hostNetwork: true, containers: [{ name: a, image: a, securityContext: { privileged: true } }] }
`;
let wrong: string;
/** A stack with annotations for the linters, which takes no exceptions. */
let annotated: string;

jest.setTimeout(120_000);

beforeAll(() => {
  wrong = join(scratch({ 'wrong.k8s.yaml': WRONG }), 'wrong.k8s.yaml');
  const app = new App({ outdir: scratch() });
  new MlflowStack(new Chart(app, 'annotated', { namespace: 'mlflow' }), 'Stack', { login: Login.basicAuth(), garbageCollection: {} });
  LinterAnnotations.add(app);
  app.synth();
  annotated = join(app.outdir, 'annotated.k8s.yaml');
});

function run(command: string, args: string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 28, ...options });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

test('there are manifests and versions of Kubernetes to look at', () => {
  expect(FILES).toEqual(expect.arrayContaining(['dist/mlflow.k8s.yaml', 'dist/prod/mlflow.k8s.yaml', 'examples/helm/dist/templates/mlflow.k8s.yaml']));
  expect(VERSIONS).toEqual(expect.arrayContaining(['v1.29.6', 'v1.37.2']));
  expect(FOLDERS.filter((folder) => !FILES.some((file) => file.startsWith(`${folder}/`)))).toEqual([]);
});

describe('kube-score', () => {
  interface Scored {
    readonly object_name: string;
    readonly checks: { readonly check: { readonly id: string }; readonly grade: number; readonly skipped: boolean }[];
  }
  /** The checks that are critical or give a warning. */
  const findings = (files: readonly string[], ...flags: string[]) => {
    const { stdout, stderr } = run(KUBE_SCORE, ['score', '--kubernetes-version=v1.36', '--output-format=json', ...flags, ...files]);
    expect(stderr).toBe('');
    // null where it knows none of the kinds
    const scored = (JSON.parse(stdout) ?? []) as Scored[];
    return scored
      .flatMap(({ object_name, checks }) => checks.filter(({ grade, skipped }) => !skipped && grade <= 5).map(({ check }) => `${object_name} ${check.id}`))
      .filter(ours);
  };
  const exceptions = IGNORED.flatMap((test) => ['--ignore-test', test]);

  test.each(APPLIED)('finds nothing in %s, without a word in the manifests', (_, files) => {
    expect(findings(files, '--disable-ignore-checks-annotations', ...exceptions)).toEqual([]);
  });

  test('finds nothing in what LinterAnnotations tell it, without an exception', () => expect(findings([annotated])).toEqual([]));

  test('would find each exception', () => {
    const found = findings([annotated], '--disable-ignore-checks-annotations').map((finding) => finding.split(' ')[1]);
    expect(found).toEqual(expect.arrayContaining(IGNORED));
  });

  test('finds what is wrong', () => expect(findings([wrong], ...exceptions)).toContain('Pod/v1/wrong/wrong container-security-context-privileged'));
});

describe('checkov', () => {
  interface Finding {
    readonly check_id: string;
    readonly file_path: string;
    readonly resource: string;
  }
  interface Results {
    readonly results: { readonly failed_checks: Finding[]; readonly skipped_checks: Finding[] };
  }
  const results = (files: string[], config = ['--config-file', join(ROOT, '.checkov.yaml')], cwd = ROOT) => {
    const args = ['--framework=kubernetes', '--skip-download', '--compact', ...config, '--output=json', ...files.flatMap((file) => ['--file', file])];
    return (JSON.parse(run(CHECKOV, args, { cwd }).stdout) as Results).results;
  };
  const named = ({ file_path, check_id, resource }: Finding) => `${file_path.slice(1)} ${check_id} ${resource}`;

  test('finds nothing, without a word in the manifests', () => {
    const { failed_checks, skipped_checks } = results(FILES);
    expect(failed_checks.map(named).filter(ours)).toEqual([]);
    expect(skipped_checks.map(named)).toEqual([]);
  });

  test('finds nothing in what LinterAnnotations tell it, without an exception', () => {
    const { failed_checks, skipped_checks } = results([annotated], [], dirname(annotated));
    expect(failed_checks.map(named)).toEqual([]);
    expect([...new Set(skipped_checks.map(({ check_id }) => check_id))].sort()).toEqual([...SKIPPED].sort());
  });

  test('finds what is wrong', () => expect(results([wrong]).failed_checks.map(({ check_id }) => check_id)).toContain('CKV_K8S_16'));
});

test('what kube-score and checkov are told to ignore is explained in docs/explanation/linters.md, and nothing else', () => {
  const rows = readFileSync(join(ROOT, 'docs/explanation/linters.md'), 'utf8').match(/(?<=^\| )`.+?(?= \|)/gm) ?? [];
  expect(rows.flatMap((row) => row.replaceAll('`', '').split(', ')).sort()).toEqual([...SKIPPED, ...IGNORED].sort());
});

describe('the admission plugin for Pod Security', () => {
  let program: string;

  beforeAll(() => {
    program = join(scratch(), 'pod-security');
    expect(run('go', ['build', '-o', program, '.'], { cwd: join(__dirname, 'pod-security') })).toMatchObject({ status: 0 });
  });

  test('admits all pods into a namespace that enforces "restricted"', () => {
    const { status, stdout, stderr } = run(program, FILES);
    const refused = stdout.split('\n').filter((line) => line !== '' && !/: \d+ objects, \d+ with pods$/.test(line));
    expect({ stderr, refused: refused.filter(ours), status }).toEqual({ stderr: '', refused: [], status: refused.length === 0 ? 0 : 1 });
    expect(stdout).toMatch(/^dist\/mlflow\.k8s\.yaml: \d+ objects, [1-9]\d* with pods$/m);
  });

  const restricted = { runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } };
  const pod = (securityContext: object) => ({ containers: [{ name: 'a', image: 'a', securityContext }] });
  const template = (securityContext: object) => ({ template: { metadata: { labels: { a: 'b' } }, spec: pod(securityContext) } });
  const cronJob = (securityContext: object) => ({ jobTemplate: { spec: template(securityContext) } });
  test.each<[string, (securityContext: object) => object]>([
    ['Pod', pod],
    ['CronJob', cronJob],
    ['DaemonSet', template],
    ['Deployment', template],
    ['Job', template],
    ['ReplicaSet', template],
    ['ReplicationController', template],
    ['StatefulSet', template],
  ])('looks into the pod of a %s', (kind, of) => {
    const object = (securityContext: object) => {
      const text = JSON.stringify({ apiVersion: 'v1', kind, metadata: { name: 'x', namespace: 'y' }, spec: of(securityContext) });
      return join(scratch({ 'a.yaml': text }), 'a.yaml');
    };
    expect(run(program, [object(restricted)])).toMatchObject({ status: 0, stdout: expect.stringContaining('1 objects, 1 with pods') });
    expect(run(program, [object({ ...restricted, runAsNonRoot: false })])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining(`${kind} y/x: runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)\n`),
    });
  });

  test('refuses what is wrong, in any document of any file', () => {
    const files = scratch({ 'good.yaml': 'kind: Namespace\nmetadata: { name: a }\n', 'both.yaml': `kind: Namespace\nmetadata: { name: a }\n---\n${WRONG}` });
    const { status, stdout } = run(program, [join(files, 'both.yaml'), join(files, 'good.yaml')]);
    expect(status).toBe(1);
    for (const reason of ['host namespaces (hostNetwork=true)', 'privileged (container "a" must not set securityContext.privileged=true)', 'seccompProfile']) {
      expect(stdout).toContain(`Pod wrong/wrong: ${reason}`);
    }
  });

  test.each([
    ['a file that is empty', '', 'there is no object in it'],
    ['a file that is no YAML', 'kind: [', 'error converting YAML to JSON'],
    ['a pod without containers', 'kind: Pod\nmetadata: { name: x }\n', 'Pod "x" has no containers'],
  ])('takes %s for an error', (_, text, message) => {
    const { status, stderr } = run(program, [join(scratch({ 'a.yaml': text }), 'a.yaml')]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
  });

  test('without a file there is nothing to admit', () => expect(run(program, [])).toEqual({ status: 2, stdout: '', stderr: 'usage: pod-security FILE...\n' }));
});

describe.each(VERSIONS)('kubeconform with the schemas of Kubernetes %s', (version) => {
  let crds: string;

  beforeAll(() => {
    crds = scratch();
    const folder = join(ROOT, 'imports/crds');
    writeCrdSchemas(crds, readdirSync(folder).map((file) => join(folder, file)));
  });

  /** By the script that users have. There is no schema of Argo CD's, which only one example is about. */
  const validate = (folder: string) => {
    const tools = scratch();
    symlinkSync(KUBECONFORM.includes('/') ? KUBECONFORM : run('which', [KUBECONFORM]).stdout.trim(), join(tools, 'kubeconform'));
    const env = {
      ...process.env,
      PATH: [tools, process.env.PATH].join(delimiter),
      KUBECONFORM_SKIP: 'argoproj.io/v1alpha1/Application',
      KUBECONFORM_SCHEMA_LOCATION: [join(KUBE_SCHEMAS, version, '{{ .ResourceKind }}{{ .KindSuffix }}.json'), crdSchemaLocation(crds)].join('\n'),
    };
    return run('bash', ['pipelines/validate.sh', folder, version], { env });
  };

  test('finds nothing', () => {
    const all = scratch();
    for (const file of FILES) cpSync(join(ROOT, file), join(all, file));
    const { status, stdout, stderr } = validate(all);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: expect.stringMatching(/ Invalid: 0, Errors: 0, /), stderr: '' });
  });

  test.each([
    ['a field that there is not', 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { port: 1 }\n', "'port' not allowed"],
    ['a field that a CRD does not have', 'apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: a }\nspec: { selector: {}, endpoint: [] }\n', "'endpoint' not allowed"],
    ['a version that a CRD does not have', 'apiVersion: monitoring.coreos.com/v2\nkind: ServiceMonitor\nmetadata: { name: a }\n', 'could not find schema for ServiceMonitor'],
  ])('finds %s', (_, text, message) => {
    const { status, stdout, stderr } = validate(scratch({ 'a.yaml': text }));
    expect({ status, output: stdout + stderr }).toEqual({ status: 1, output: expect.stringContaining(message) });
  });
});

test('the typed constructs are what "cdk8s import" makes of the CRDs in imports/', () => {
  const app = scratch();
  mkdirSync(join(app, 'imports'));
  cpSync(join(ROOT, 'cdk8s.yaml'), join(app, 'cdk8s.yaml'));
  cpSync(join(ROOT, 'imports/crds'), join(app, 'imports/crds'), { recursive: true });
  const options = { cwd: app, env: { ...process.env, CDK8S_CHECK_UPGRADE: 'false' } };
  expect(run(join(ROOT, 'node_modules/.bin/cdk8s'), ['import'], options)).toMatchObject({ status: 0 });
  const typed = (root: string) => {
    // Kubernetes' own types come from the network, and not from a CRD
    const files = readdirSync(join(root, 'imports')).filter((file) => file.endsWith('.ts') && file !== 'k8s.ts');
    return Object.fromEntries(files.map((file) => [basename(file), readFileSync(join(root, 'imports', file), 'utf8')]));
  };
  expect(typed(app)).toEqual(typed(ROOT));
  expect(Object.keys(typed(app)).length).toBe(readdirSync(join(app, 'imports/crds')).length);
});
