import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../run-script';

interface Job {
  readonly needs?: string | string[];
  readonly permissions?: { [scope: string]: string };
  readonly environment?: unknown;
  readonly if?: string;
  readonly ['timeout-minutes']?: number;
  readonly steps: { readonly run?: string; readonly uses?: string; readonly with?: { [name: string]: unknown }; readonly env?: { [name: string]: string } }[];
}

interface GitLabJob {
  readonly script?: string[];
  readonly before_script?: string[];
  readonly extends?: string;
  readonly image?: string;
  readonly needs?: string[];
  readonly rules?: { readonly if: string }[];
  readonly environment?: unknown;
  readonly resource_group?: string;
  readonly interruptible?: boolean;
}

const FOLDER = join(ROOT, 'pipelines');
const KEYWORDS = ['workflow', 'stages', 'default', 'variables'];
const JOBS = ['synth', 'validate', 'diff', 'comment', 'apply'];

const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const github = parse(read('github-actions.yml')) as { permissions: object; concurrency: object; env: { [name: string]: string }; jobs: { [name: string]: Job } };
const gitlab = parse(read('gitlab-ci.yml')) as { [name: string]: GitLabJob } & { variables: { [name: string]: string }; default: { image: string } };
const gitlabJobs = Object.fromEntries(Object.entries(gitlab).filter(([name]) => !KEYWORDS.includes(name) && !name.startsWith('.'))) as { [name: string]: GitLabJob };

const commands: { [system: string]: { [job: string]: string[] } } = {
  GitHub: Object.fromEntries(Object.entries(github.jobs).map(([name, { steps }]) => [name, steps.flatMap(({ run }) => (run ?? '').split('\n')).filter((line) => line !== '')])),
  GitLab: Object.fromEntries(
    Object.entries(gitlabJobs).map(([name, job]) => [name, [...(gitlab[job.extends ?? name].before_script ?? []), ...(job.script ?? [])]]),
  ),
};

const scripts = (lines: string[]) => lines.flatMap((line) => [...line.matchAll(/(bash|node) (pipelines\/\S+)/g)].map(([, program, path]) => ({ program, path })));
const downloads = (lines: string[]) => lines.filter((line) => /\b(curl|wget|go install|npx)\b/.test(line));

describe.each(Object.keys(commands))('the jobs of %s', (system) => {
  const jobs = commands[system];
  const all = Object.values(jobs).flat();

  test('are those that a review needs, each with its script', () => {
    expect(Object.keys(jobs)).toEqual(JOBS);
    const paths = Object.fromEntries(Object.entries(jobs).map(([name, lines]) => [name, scripts(lines).map(({ path }) => path)]));
    expect(paths).toEqual({
      synth: [],
      validate: ['pipelines/validate.sh'],
      diff: [],
      comment: ['pipelines/comment.mjs'],
      apply: ['pipelines/apply.sh'],
    });
  });

  test('compare with the branch to which it goes, by the command of the package', () => {
    const [line, ...others] = all.filter((one) => one.includes('cdk8s-mlflow'));
    expect(others).toEqual([]);
    expect(line).toMatch(/^npx --no-install cdk8s-mlflow diff --base "origin\/\$\w+" --format markdown --output manifests\.md$/);
    expect(jobs.diff).toContain(line);
  });

  test('run scripts that exist, by the program that each is for', () => {
    for (const { program, path } of scripts(all)) {
      expect(existsSync(join(ROOT, path))).toBe(true);
      expect(program).toBe(path.endsWith('.mjs') ? 'node' : 'bash');
    }
    expect(all.filter((line) => line.includes('pipelines/'))).toHaveLength(scripts(all).length);
  });

  test('take tools of pinned versions, and check what they download', () => {
    for (const line of downloads(all)) expect(line).toMatch(/^npx --no-install cdk8s(-mlflow)? |^go install "\S+@v\$KUBECONFORM_VERSION"$|^curl .*"https:\/\/dl\.k8s\.io\/release\/v\$KUBECTL_VERSION\//);
    expect(downloads(all)).toHaveLength(4);
    const check = jobs.apply.findIndex((line) => line === 'echo "$KUBECTL_SHA256  kubectl" | sha256sum --check --strict');
    expect(check).toBe(jobs.apply.findIndex((line) => line.startsWith('curl ')) + 1);
    expect(all.join('\n')).not.toMatch(/latest|\bnpm install\b/);
  });

  test('install npm packages neither where the comment is written nor where the cluster is reached', () => {
    expect(Object.keys(jobs).filter((name) => jobs[name].some((line) => /\b(npm|npx)\b/.test(line)))).toEqual(['synth', 'diff']);
  });
});

test('both systems take the same versions, which are versions', () => {
  const { NODE_VERSION, GO_VERSION, ...versions } = github.env;
  expect(gitlab.variables).toEqual(versions);
  expect(gitlab.default.image).toBe(`node:${NODE_VERSION}-bookworm`);
  expect(gitlab.validate.image).toBe(`golang:${GO_VERSION}-bookworm`);
  const { KUBECTL_SHA256, ...numbers } = github.env;
  expect(KUBECTL_SHA256).toMatch(/^[0-9a-f]{64}$/);
  for (const version of Object.values(numbers)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(read('validate.sh')).toContain(`version=\${2:-${versions.KUBERNETES_VERSION}}`);
  expect(read('validate.sh')).toContain(`kubeconform@v${versions.KUBECONFORM_VERSION}"`);
});

describe('GitHub', () => {
  const { jobs } = github;

  test('takes every action at a commit, with its full version beside it', () => {
    const uses = read('github-actions.yml').match(/uses:.*/g)!;
    expect(uses.length).toBeGreaterThan(10);
    for (const line of uses) expect(line).toMatch(/^uses: actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    // one action, one version
    expect(new Set(uses).size).toBe(new Set(uses.map((line) => line.split('@')[0])).size);
  });

  test('gives a job the rights that it needs and no more', () => {
    expect(github.permissions).toEqual({});
    for (const [name, job] of Object.entries(jobs)) {
      expect(job.permissions).toEqual(name === 'comment' ? { contents: 'read', 'pull-requests': 'write' } : { contents: 'read' });
      expect(job['timeout-minutes']).toBeLessThanOrEqual(30);
      for (const step of job.steps) if (step.uses?.startsWith('actions/checkout@')) expect(step.with?.['persist-credentials']).toBe(false);
    }
    const secretly = Object.entries(jobs).filter(([, job]) => /\$\{\{ *(secrets|github\.token)/.test(JSON.stringify(job)));
    expect(secretly.map(([name]) => name)).toEqual(['comment', 'apply']);
  });

  test('puts nothing that others wrote into a command', () => {
    expect(Object.values(commands.GitHub).flat().join('\n')).not.toContain('${{');
  });

  test('applies on the default branch only, in a protected environment, one at a time', () => {
    expect(jobs.apply).toMatchObject({ environment: 'production', needs: ['synth', 'validate'] });
    expect(jobs.apply.if).toBe("github.event_name == 'push' && github.ref_name == github.event.repository.default_branch");
    expect(github.concurrency).toEqual({ group: 'manifests-${{ github.ref }}', 'cancel-in-progress': "${{ github.event_name == 'pull_request' }}" });
  });
});

describe('GitLab', () => {
  test('applies on the default branch only, in a protected environment, one at a time', () => {
    expect(gitlab.apply).toMatchObject({ environment: 'production', resource_group: 'production', interruptible: false, needs: ['synth', 'validate'] });
    expect(gitlab.apply.rules).toEqual([{ if: '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH' }]);
  });

  test('comments on merge requests, with a token that the jobs with npm packages do not see', () => {
    expect(gitlab.comment).toMatchObject({ needs: ['diff'], environment: { name: 'manifests-comment', action: 'access' } });
    expect(gitlab.synth.environment ?? gitlab.diff.environment).toBeUndefined();
    for (const job of [gitlab.diff, gitlab.comment]) expect(job.rules![0].if).toContain("$CI_PIPELINE_SOURCE == 'merge_request_event'");
  });
});

test('shell scripts can be executed where they are copied', () => {
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.sh'))) expect(statSync(join(FOLDER, name)).mode & 0o111).toBe(0o111);
});
