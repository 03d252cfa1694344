import { chmodSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Environment, lines, ROOT, run, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'pipelines/apply.sh');

interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code?: number;
}

// Answers by the first beginning that fits the arguments: the answers of a list one after the other, the last one for ever.
const KUBECTL = `#!/bin/bash
here=$(dirname "$0")
line="\${*%%$'\\n'*}"
echo "$line" >>"$here/calls"
for beginning in "$here"/answers/*; do
  [[ $line == "$(<"$beginning/beginning")"* ]] || continue
  answer=$(ls "$beginning" | head -n 1)
  cat "$beginning/$answer/stdout"
  cat "$beginning/$answer/stderr" >&2
  code=$(<"$beginning/$answer/code")
  [ ! -e "$beginning/$((answer + 1))" ] || rm -r "\${beginning:?}/$answer"
  exit "$code"
done
`;

const WORKLOADS = `Namespace    <none>   mlflow   <none>
StatefulSet  mlflow   postgres   RollingUpdate
Job          mlflow   bootstrap  <none>
Deployment   mlflow   server     <none>
`;
const UNDER_WAY = { stderr: 'error: timed out waiting for the condition\n', code: 1 };
const COMPLETE = { stdout: 'found SuccessCriteriaMet Complete ' };

const manifests = scratch({ 'app.k8s.yaml': 'kind: Namespace\n' });

async function apply(answers: { [beginning: string]: Answer[] }, environment: Environment = {}, folder = manifests) {
  const all: { [beginning: string]: Answer[] } = { 'get --filename': [{ stdout: WORKLOADS }], 'get job bootstrap': [COMPLETE], ...answers };
  const files: { [name: string]: string } = { kubectl: KUBECTL, sleep: '#!/bin/sh\n' };
  Object.entries(all).forEach(([beginning, queue], index) => {
    const folder = `answers/${10 + index}`;
    files[`${folder}/beginning`] = beginning;
    queue.forEach(({ stdout = '', stderr = '', code = 0 }, nth) => {
      Object.assign(files, { [`${folder}/${nth}/stdout`]: stdout, [`${folder}/${nth}/stderr`]: stderr, [`${folder}/${nth}/code`]: String(code) });
    });
  });
  const bin = scratch(files);
  const temporary = scratch();
  // nothing to wait for: the answers are there
  for (const name of ['kubectl', 'sleep']) chmodSync(join(bin, name), 0o755);
  const { code, stdout, stderr, seconds } = await run(['bash', SCRIPT, folder], { TMPDIR: temporary, ...environment }, [bin]);
  expect(readdirSync(temporary)).toEqual([]);
  const calls = existsSync(join(bin, 'calls')) ? lines(readFileSync(join(bin, 'calls'), 'utf8')) : [];
  return { code, stdout, stderr, seconds, calls };
}

describe('manifests that become ready', () => {
  test('are compared, applied and waited for', async () => {
    const { code, stdout, stderr, calls } = await apply({});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replace(/\d+ s/g, 'N s')).toBe(`=== What changes in the cluster
  nothing
=== Apply
=== Wait
ready after N s: StatefulSet mlflow/postgres
ready after N s: Job mlflow/bootstrap
ready after N s: Deployment mlflow/server
Everything is ready
`);
    expect(calls).toEqual([
      `diff --server-side --field-manager kubectl --filename ${manifests}`,
      `apply --server-side --field-manager kubectl --filename ${manifests}`,
      expect.stringMatching(/^get --filename \S+ --ignore-not-found --no-headers --output custom-columns=/),
      'rollout status statefulset/postgres --namespace mlflow --timeout 1s',
      expect.stringMatching(/^get job bootstrap --namespace mlflow --ignore-not-found --output jsonpath=/),
      'rollout status deployment/server --namespace mlflow --timeout 1s',
    ]);
  });

  test('are asked again until they are, and no longer', async () => {
    const { code, stdout, calls } = await apply({
      'rollout status deployment/server': [UNDER_WAY, {}],
      'get job bootstrap': [{ stdout: 'found ' }, { stderr: 'Unable to connect to the server\n', code: 1 }, COMPLETE],
    });
    expect(code).toBe(0);
    expect(stdout).toContain('Everything is ready\n');
    const times = (beginning: string) => calls.filter((call) => call.startsWith(beginning)).length;
    expect(['rollout status statefulset', 'rollout status deployment', 'get job'].map(times)).toEqual([1, 2, 3]);
  });

  test('may have no workloads, Jobs that are gone, and pods that change on deletion', async () => {
    expect(await apply({ 'get --filename': [{ stdout: 'ConfigMap  mlflow  text  <none>\n' }] })).toMatchObject({ code: 0 });
    expect(await apply({ 'get job bootstrap': [{}] })).toMatchObject({ code: 0 });
    const { code, stdout, calls } = await apply({ 'get --filename': [{ stdout: 'StatefulSet  mlflow  postgres  OnDelete\n' }] });
    expect(code).toBe(0);
    expect(stdout).toContain('not waited for, since its pods change when they are deleted: StatefulSet mlflow/postgres\n');
    expect(calls).toHaveLength(3);
  });
});

describe('the difference to the cluster', () => {
  const DIFF = `diff -u -N /tmp/LIVE-1/v1.ConfigMap.mlflow.text /tmp/MERGED-2/v1.ConfigMap.mlflow.text
--- /tmp/LIVE-1/v1.ConfigMap.mlflow.text\t2026
+++ /tmp/MERGED-2/v1.ConfigMap.mlflow.text\t2026
@@ -1,2 +1,3 @@
 data:
-  password: of-before
+  password: of-after
+  more: text
diff -u -N /tmp/LIVE-1/v1.Secret.mlflow.keys /tmp/MERGED-2/v1.Secret.mlflow.keys
--- /tmp/LIVE-1/v1.Secret.mlflow.keys\t2026
+++ /tmp/MERGED-2/v1.Secret.mlflow.keys\t2026
@@ -1 +1 @@
-  key: '*** (before)'
+  key: '*** (after)'
`;

  test('is a line an object, without a line of the objects', async () => {
    const { code, stdout } = await apply({ diff: [{ stdout: DIFF, code: 1 }] });
    expect(code).toBe(0);
    expect(stdout).toContain('=== What changes in the cluster\n  v1.ConfigMap.mlflow.text (+2 -1)\n  v1.Secret.mlflow.keys (+1 -1)\n=== Apply\n');
    expect(stdout).not.toContain('password');
  });

  test('does not stop the first apply, whose namespace is not there yet', async () => {
    const { code, stdout } = await apply({ diff: [{ stderr: 'Error from server (NotFound): namespaces "mlflow" not found\n', code: 2 }] });
    expect(code).toBe(0);
    expect(stdout).toContain('  not all of it can be told:\n  Error from server (NotFound): namespaces "mlflow" not found\n=== Apply\n');
  });
});

describe('what is not ready', () => {
  const EXPLANATION = {
    'get deployment server': [{ stdout: 'Available=False: too few\n' }, { stdout: 'app=server,' }],
    'events --for deployment/server': [{ stdout: 'Warning FailedCreate\n' }],
    'get pods': [{ stdout: 'server-1\nserver-2\n' }],
    'get pod server-1': [{ stdout: 'server waits: CrashLoopBackOff\nserver ended before with exit code 4: the artifact store does not know the key\n' }],
    'logs server-1': [{ stdout: '[pod/server-1/server] ERROR: InvalidAccessKeyId\n' }],
    'logs server-2': [{ stderr: 'container is waiting to start\n', code: 1 }],
  };

  test('in time fails, with the last words of its pods', async () => {
    const { code, stdout, stderr, calls } = await apply({ ...EXPLANATION, 'rollout status deployment/server': [UNDER_WAY] }, { APPLY_TIMEOUT: '1' });
    expect(code).toBe(1);
    expect(stdout).toContain(`=== Deployment mlflow/server is not ready
Available=False: too few
Warning FailedCreate
--- Pod server-1
server waits: CrashLoopBackOff
server ended before with exit code 4: the artifact store does not know the key
[pod/server-1/server] ERROR: InvalidAccessKeyId
--- Pod server-2
`);
    expect(stderr).toMatch(/^container is waiting to start\napply\.sh: not ready after \d+ s: Deployment mlflow server\n$/);
    expect(calls).toContainEqual(expect.stringMatching(/^get pods --namespace mlflow --selector app=server --output /));
    expect(calls).toContain('logs server-1 --namespace mlflow --all-containers --ignore-errors --prefix --tail 20');
  });

  test.each([
    ['a Job that failed', { 'get job bootstrap': [{ stdout: 'found FailureTarget Failed ' }] }, 'Job mlflow bootstrap'],
    ['a Deployment that gave up', { 'rollout status deployment/server': [{ stderr: 'error: deployment "server" exceeded its progress deadline\n', code: 1 }] }, 'Deployment mlflow server'],
  ])('for good fails at once: %s', async (_, answers, culprit) => {
    const { code, stderr, seconds } = await apply(answers);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^apply\\.sh: not ready after \\d+ s: ${culprit}\\n$`));
    expect(seconds).toBeLessThan(10);
  });

  test('cannot even be applied', async () => {
    const { code, stderr, calls } = await apply({ apply: [{ stderr: 'error: Apply failed with 1 conflict\n', code: 1 }] });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `error: Apply failed with 1 conflict\napply.sh: kubectl could not apply the manifests in ${manifests}, see above\n`,
    });
    expect(calls).toHaveLength(2);
  });
});

test('a folder without manifests, or no folder, is refused before anything is asked', async () => {
  const empty = scratch();
  expect(await apply({}, {}, empty)).toMatchObject({ code: 1, stderr: `apply.sh: there are no manifests in ${empty}\n`, calls: [] });
  expect(await run(['bash', SCRIPT], {})).toMatchObject({ code: 2, stderr: 'usage: apply.sh DIR\n' });
});
