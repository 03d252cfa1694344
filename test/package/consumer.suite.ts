import { execFileSync } from 'child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'fs';
import { tmpdir } from 'os';
import { join } from 'path';
import { Yaml } from 'cdk8s';

// The package as a user gets it: packed, unpacked into the node_modules of an app elsewhere, beside its peers.

const root = join(__dirname, '../..');
const app = mkdtempSync(join(tmpdir(), 'consumer-'));
const installed = join(app, 'node_modules/cdk8s-mlflow');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const programs = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
let tarball: string;

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: app, encoding: 'utf8', env: { ...process.env, CDK8S_OUTDIR: undefined }, stdio: ['ignore', 'pipe', 'pipe'] });
}

function synthesized(): { [file: string]: string } {
  const dist = join(app, 'dist');
  const files = Object.fromEntries(readdirSync(dist).map((file) => [file, readFileSync(join(dist, file), 'utf8')]));
  rmSync(dist, { recursive: true });
  return files;
}

beforeAll(() => {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', app], { cwd: root, encoding: 'utf8' });
  tarball = join(app, packed.trim().split('\n').at(-1)!);
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const peer of ['cdk8s', 'cdk8s-plus-28', 'constructs', '@types']) {
    symlinkSync(join(root, 'node_modules', peer), join(app, 'node_modules', peer));
  }
  programs.forEach((program, index) => writeFileSync(join(app, `readme-${index}.ts`), program));
  const compilerOptions = { strict: true, target: 'ES2022', module: 'node16', moduleResolution: 'node16', types: ['node'], skipLibCheck: true };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  // what a peer is to the consumer it is to the package as well, though it is linked
  run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--preserveSymlinks');
}, 120_000);

afterAll(() => rmSync(app, { recursive: true, force: true }));

test('the package has the compiled library and nothing else, in under 500 kB', () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const unexpected = files.filter((file) => !/^package\/(package\.json|README\.md|LICENSE|build\/(lib|imports)\/.*\.(js|d\.ts))$/.test(file));
  expect(unexpected).toEqual([]);
  expect(statSync(tarball).size).toBeLessThan(500_000);
});

test('the README has programs, and they compile', () => {
  expect(programs.length).toBeGreaterThanOrEqual(3);
  expect(programs.every((_, index) => existsSync(join(app, `readme-${index}.js`)))).toBe(true);
});

test.each(programs.map((_, index) => index))('program %i of the README synthesizes', (index) => {
  run(process.execPath, '--preserve-symlinks', `readme-${index}.js`);
  const files = synthesized();
  expect(Object.keys(files).length).toBeGreaterThan(0);
  for (const text of Object.values(files)) {
    expect(text).toContain('kind: Deployment');
    expect(text).toContain('def put_credentials_in_place');
  }
});

test('two namespaces of one cluster have their own servers and stores', () => {
  const index = programs.findIndex((program) => program.includes("'team-a', 'team-b'"));
  run(process.execPath, '--preserve-symlinks', `readme-${index}.js`);
  const files = synthesized();
  expect(Object.keys(files)).toEqual(['team-a.k8s.yaml', 'team-b.k8s.yaml']);
  for (const namespace of ['team-a', 'team-b']) {
    const file = join(app, `${namespace}.yaml`);
    writeFileSync(file, files[`${namespace}.k8s.yaml`]);
    const objects = Yaml.load(file) as { kind: string; metadata: { name: string; namespace: string } }[];
    expect(new Set(objects.map((object) => object.metadata.namespace))).toEqual(new Set([namespace]));
    const names = objects.map((object) => `${object.kind}/${object.metadata.name}`);
    expect(names).toEqual(expect.arrayContaining(['Deployment/mlflow', 'StatefulSet/postgres', 'StatefulSet/minio', 'Service/mlflow-service']));
    expect(files[`${namespace}.k8s.yaml`]).toContain(`http://minio.${namespace}.svc.cluster.local:9000`);
  }
});

test('bundled into one file and moved away, it synthesizes the same', () => {
  run(process.execPath, '--preserve-symlinks', 'readme-0.js');
  const expected = synthesized();
  run(join(root, 'node_modules/.bin/esbuild'), 'readme-0.ts', '--bundle', '--platform=node', '--preserve-symlinks', '--log-level=error', '--outfile=bundle/app.js');
  const elsewhere = join(app, 'elsewhere');
  mkdirSync(elsewhere);
  cpSync(join(app, 'bundle/app.js'), join(elsewhere, 'app.js'));
  rmSync(join(app, 'bundle'), { recursive: true });
  execFileSync(process.execPath, ['app.js'], { cwd: elsewhere, stdio: 'pipe' });
  const text = readFileSync(join(elsewhere, 'dist/ml-platform.k8s.yaml'), 'utf8');
  expect({ 'ml-platform.k8s.yaml': text }).toEqual(expected);
});

test('an ES module can import it', () => {
  const program = "import { App, Chart } from 'cdk8s'; import { MlflowStack } from 'cdk8s-mlflow'; const app = new App(); new MlflowStack(new Chart(app, 'esm'), 'Stack'); app.synth();";
  writeFileSync(join(app, 'esm.mjs'), program);
  run(process.execPath, '--preserve-symlinks', 'esm.mjs');
  expect(Object.keys(synthesized())).toEqual(['esm.k8s.yaml']);
});
