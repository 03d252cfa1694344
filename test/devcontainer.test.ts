import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './run-script';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const { image, features, postCreateCommand } = JSON.parse(read('.devcontainer/devcontainer.json')) as {
  image: string;
  features: { [name: string]: { [option: string]: string } };
  postCreateCommand: string;
};
const options = (name: string) => Object.entries(features).find(([feature]) => feature.includes(`/${name}:`))![1];
const { env } = parse(read('pipelines/github-actions.yml')) as { env: { [name: string]: string } };

test('Node is a version that is tested, and Python that of Debian 12, as in CI', () => {
  const { jobs } = parse(read('.github/workflows/ci.yml')) as { jobs: { test: { strategy: { matrix: { node: number[] } } } } };
  const [, node] = /:(\d+)-bookworm$/.exec(image)!;
  expect(jobs.test.strategy.matrix.node).toContain(Number(node));
  expect(options('python').version).toBe('os-provided');
});

test('kubectl, Helm and Go have the versions of CI', () => {
  const { version, helm } = options('kubectl-helm-minikube');
  expect(version).toBe(env.KUBECTL_VERSION);
  expect(options('go').version).toBe(env.GO_VERSION);
  expect(read('.ci/run')).toContain(`helm.sh/helm/v3/cmd/helm@v${helm}\n`);
});

test('the tools that it installs are of one version', () => {
  expect(postCreateCommand).toMatch(/^npm ci && go install sigs\.k8s\.io\/kind@v\d+\.\d+\.\d+$/);
});
