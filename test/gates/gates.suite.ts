// What other people's programs say of the manifests in dist/ and in the examples. Where they are, but for Go, comes from
// the environment: CHECKOV, KUBE_SCORE, KUBECONFORM, and the schemas of Kubernetes in KUBE_SCHEMAS.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { ROOT, scratch } from '../run-script';
import { crdSchemaLocation, writeCrdSchemas } from './crd-schemas';

const { CHECKOV = 'checkov', KUBE_SCORE = 'kube-score', KUBECONFORM = 'kubeconform', KUBE_SCHEMAS = join(ROOT, '../shared/kube-schemas') } = process.env;
const EXAMPLES = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
const FOLDERS = ['dist', ...EXAMPLES.map(({ name }) => `examples/${name}/dist`)];
const FILES = FOLDERS.flatMap((folder) => {
  const manifests = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.k8s.yaml'));
  return manifests.map((file) => join(folder, file)).sort();
});
const VERSIONS = readdirSync(KUBE_SCHEMAS).filter((name) => /^v\d/.test(name));
/** Whether a finding is about this library: one example has a Job of its own, as cdk8s-plus makes it. */
const ours = (finding: string) => !/\btraining[./]train\b/.test(finding);
/** A pod with everything wrong that it can have. */
const WRONG = `apiVersion: v1
kind: Pod
metadata: { name: wrong, namespace: wrong }
spec: { hostNetwork: true, containers: [{ name: a, image: a, securityContext: { privileged: true } }] }
`;
let wrong: string;

jest.setTimeout(120_000);

beforeAll(() => {
  wrong = join(scratch({ 'wrong.k8s.yaml': WRONG }), 'wrong.k8s.yaml');
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
  const findings = (file: string) => {
    const { stdout, stderr } = run(KUBE_SCORE, ['score', '--kubernetes-version=v1.36', '--output-format=json', file]);
    expect(stderr).toBe('');
    // null where it knows none of the kinds
    const scored = (JSON.parse(stdout) ?? []) as Scored[];
    return scored
      .flatMap(({ object_name, checks }) => checks.filter(({ grade, skipped }) => !skipped && grade <= 5).map(({ check }) => `${object_name} ${check.id}`))
      .filter(ours);
  };

  test.each(FILES)('finds nothing in %s', (file) => expect(findings(file)).toEqual([]));

  test('finds what is wrong', () => expect(findings(wrong)).toContain('Pod/v1/wrong/wrong container-security-context-privileged'));
});

describe('checkov', () => {
  interface Finding {
    readonly check_id: string;
    readonly file_path: string;
    readonly resource: string;
    readonly check_result: { readonly suppress_comment?: string };
  }
  interface Results {
    readonly results: { readonly failed_checks: Finding[]; readonly skipped_checks: Finding[] };
  }
  const results = (files: string[]) => {
    const args = ['--framework=kubernetes', '--skip-download', '--compact', '--output=json', ...files.flatMap((file) => ['--file', file])];
    return (JSON.parse(run(CHECKOV, args).stdout) as Results).results;
  };
  const named = ({ file_path, check_id, resource }: Finding) => `${file_path.slice(1)} ${check_id} ${resource}`;
  let found: Results['results'];

  beforeAll(() => {
    found = results(FILES);
  });

  test('finds nothing', () => expect(found.failed_checks.map(named).filter(ours)).toEqual([]));

  test('is told to skip a check with a reason only', () => {
    expect(found.skipped_checks.filter(({ check_result }) => (check_result.suppress_comment ?? '').length < 20).map(named)).toEqual([]);
  });

  test('finds what is wrong', () => expect(results([wrong]).failed_checks.map(({ check_id }) => check_id)).toContain('CKV_K8S_16'));
});

test('what kube-score and checkov are told to skip is explained in docs/explanation/linters.md, and nothing else', () => {
  const pattern = /(?<=checkov\.io\/skip\d+: )\w+|(?<=kube-score\/ignore: ).+/g;
  const annotations = FILES.flatMap((file) => readFileSync(join(ROOT, file), 'utf8').match(pattern) ?? []);
  const skipped = new Set(annotations.flatMap((annotation) => annotation.split(',')));
  const rows = readFileSync(join(ROOT, 'docs/explanation/linters.md'), 'utf8').match(/(?<=^\| )`.+?(?= \|)/gm) ?? [];
  expect([...skipped].sort()).toEqual(rows.flatMap((row) => row.replaceAll('`', '').split(', ')).sort());
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
