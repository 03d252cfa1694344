import { join } from 'node:path';
import { Environment, FakeProgram, ROOT, run, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'pipelines/validate.sh');
const MANIFESTS = { 'app.k8s.yaml': 'kind: Namespace\n' };

async function validate(args: string[], environment: Environment = {}, kubeconform = new FakeProgram('kubeconform')) {
  const { code, stdout, stderr } = await run(['bash', SCRIPT, ...args], environment, [kubeconform.directory]);
  return { code, stdout, stderr, calls: kubeconform.calls.map(({ argv }) => argv) };
}

test('kubeconform checks the folder, strictly, for a pinned version of Kubernetes', async () => {
  const folder = scratch(MANIFESTS);
  expect(await validate([folder, '1.34.4'])).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
    calls: [['-strict', '-summary', '-kubernetes-version', '1.34.4', folder]],
  });
  expect((await validate([folder, 'v1.34.4'])).calls[0]).toContain('1.34.4');
  expect((await validate([folder])).calls[0][3]).toMatch(/^1\.\d+\.\d+$/);
});

test('schemas can be elsewhere, in several places with spaces in their names', async () => {
  const folder = scratch(MANIFESTS);
  const template = '/my schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json';
  const { calls } = await validate([folder, '1.34.4'], { KUBECONFORM_SCHEMA_LOCATION: `${template}\ndefault\n` });
  expect(calls).toEqual([['-strict', '-summary', '-kubernetes-version', '1.34.4', '-schema-location', template, '-schema-location', 'default', folder]]);
});

test('a kind without a schema is skipped by name only, and said', async () => {
  const folder = scratch(MANIFESTS);
  const { stdout, calls } = await validate([folder, '1.34.4'], { KUBECONFORM_SKIP: 'Certificate,monitoring.coreos.com/v1/ServiceMonitor' });
  expect(stdout).toBe('Not checked: Certificate,monitoring.coreos.com/v1/ServiceMonitor\n');
  expect(calls[0]).toEqual(expect.arrayContaining(['-skip', 'Certificate,monitoring.coreos.com/v1/ServiceMonitor']));
  expect(calls[0]).not.toContain('-ignore-missing-schemas');
});

test('manifests that are not valid fail', async () => {
  const kubeconform = new FakeProgram('kubeconform', { '-strict': [{ stderr: 'could not find schema for Nonsense\n', code: 1 }] });
  const { code, stderr } = await validate([scratch(MANIFESTS), '1.34.4'], {}, kubeconform);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^could not find schema for Nonsense\nvalidate\.sh: the manifests are not valid for Kubernetes 1\.34\.4; .*KUBECONFORM_SKIP.*\n$/);
});

test('a folder without manifests fails, since kubeconform calls it valid', async () => {
  const folder = scratch({ 'README.md': '' });
  expect(await validate([folder])).toEqual({ code: 1, stdout: '', stderr: `validate.sh: there are no manifests in ${folder}\n`, calls: [] });
  expect((await validate(['/nowhere'])).stderr).toContain('validate.sh: there are no manifests in /nowhere\n');
});

test('without kubeconform it says how to install it', async () => {
  const { code, stderr } = await run(['/bin/bash', SCRIPT, scratch(MANIFESTS)], { BASH_ENV: join(scratch({ env: 'PATH=/nowhere\n' }), 'env') });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^validate\.sh: kubeconform is not on PATH: go install github\.com\/yannh\/kubeconform\/cmd\/kubeconform@v\d+\.\d+\.\d+\n$/);
});

test('wrong arguments are not taken for a folder', async () => {
  expect(await validate([])).toMatchObject({ code: 2, stderr: 'usage: validate.sh DIR [KUBERNETES_VERSION]\n', calls: [] });
  expect(await validate(['a', 'b', 'c'])).toMatchObject({ code: 2, calls: [] });
});
