import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { Images, Login, MlflowStack, SecretsJob } from '../../lib';
import { PYTHON, ROOT } from '../run-script';

const WALKTHROUGH = join(__dirname, 'walkthrough.py');
const scripts = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }).scripts;
const guides = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md') && !path.startsWith('reference'))
  .map((path) => `docs/${path}`)
  .sort();
// those of the API are looked at by reference.test.ts, and by the build of the site
const references = readdirSync(join(ROOT, 'docs/reference')).filter((path) => path.endsWith('.md')).map((path) => `docs/reference/${path}`);
const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/README.md', ...guides, ...references];

interface Block {
  readonly line: number;
  readonly language: string;
  readonly file: string;
  readonly sections: string[];
  readonly text: string;
  readonly use: 'run' | 'write' | 'show';
}

interface Listing {
  readonly needs: string[] | null;
  readonly headings: string[];
  readonly blocks: Block[];
}

const listings: { [path: string]: Listing } = {};

function list(path: string): Listing {
  return (listings[path] ??= JSON.parse(execFileSync(PYTHON, ['-S', WALKTHROUGH, path, '--list'], { encoding: 'utf8', cwd: ROOT })) as Listing);
}

/** The anchor that GitHub gives to a heading. */
function anchor(heading: string): string {
  return heading
    .replace(/<[^>]*>/g, '')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

describe.each(documents)('%s', (path) => {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const { needs, blocks } = list(path);

  test('has blocks that can be run, written or looked at', () => {
    for (const { line, language, file, use } of blocks) {
      const known = use === 'write' || /^(sh|python|ts|text|mermaid|go|java)$/.test(language);
      expect([line, language, file, known]).toEqual([line, language, file, true]);
    }
  });

  test('says what it needs, where there is something to run', () => {
    if (guides.includes(path)) expect(needs !== null).toBe(blocks.some((block) => block.use !== 'show'));
  });

  test('has shell and Python without errors of syntax', () => {
    const texts = (wanted: string) => blocks.filter(({ language, use }) => language === wanted && use !== 'show').map(({ line, text }) => [`line ${line}`, text]);
    const shell = texts('sh').map(([line, text]) => `: ${line}\n${text}`);
    expect(spawnSync('bash', ['-n'], { input: shell.join(''), encoding: 'utf8' }).stderr).toBe('');
    const compile = 'import json, sys\nfor line, text in json.load(sys.stdin): compile(text, line, "exec")';
    if (texts('python').length > 0) expect(spawnSync(PYTHON, ['-IS', '-c', compile], { input: JSON.stringify(texts('python')), encoding: 'utf8' }).stderr).toBe('');
  });

  test('has YAML and JSON that can be read', () => {
    const yaml = createRequire(require.resolve('cdk8s'))('yaml') as { parseAllDocuments: (text: string) => { errors: Error[] }[] };
    const data = blocks.filter(({ language }) => ['yaml', 'json'].includes(language));
    expect(data.flatMap((block) => yaml.parseAllDocuments(block.text)).flatMap(({ errors }) => errors)).toEqual([]);
  });

  test('takes the client of the version of the server', () => {
    for (const [, version] of text.matchAll(/\bmlflow==([\w.]+)/g)) expect(Images.MLFLOW).toContain(`:v${version}-`);
  });

  test('names the namespace in every command that is about one', () => {
    // what applies files has theirs, and some kinds are of the cluster
    const free = /^kubectl (apply|diff|config|kustomize|(create|delete) -f|(create|delete|label) namespace|annotate storageclass|get (storageclass|nodes|csidriver|--raw)|set env --local)\b/;
    const commands = blocks.filter(({ language }) => ['sh', 'text'].includes(language)).flatMap((block) => block.text.match(/\bkubectl [a-z-](?:(?!\bkubectl )[^\n])*/g) ?? []);
    expect(commands.filter((command) => !free.test(command) && !/ (--namespace|-n|--all-namespaces)\b/.test(command))).toEqual([]);
  });

  test('names npm scripts that exist', () => {
    const names = [...text.matchAll(/\bnpm run (?:--?\w+ )*([\w:-]+)/g)].map((match) => match[1]);
    for (const name of names) expect(Object.keys(scripts)).toContain(name);
  });

  test('has links that lead somewhere', () => {
    const prose = text.replace(/^```[^]*?^```/gm, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target)) continue;
      const [file, fragment] = target.split('#');
      const linked = file === '' ? join(ROOT, path) : join(ROOT, dirname(path), file);
      expect([target, existsSync(linked)]).toEqual([target, true]);
      if (fragment === undefined) continue;
      const anchors = statSync(linked).isFile() ? list(linked).headings.map(anchor) : [];
      expect([target, anchors]).toEqual([target, expect.arrayContaining([fragment])]);
    }
  });
});

test('every document is in the index', () => {
  const index = readFileSync(join(ROOT, 'docs/README.md'), 'utf8');
  const linked = [...index.matchAll(/\]\(([^)#\s]+)\)/g)].map(([, target]) => join('docs', target));
  expect([...guides, ...references].filter((guide) => guide !== 'docs/README.md' && !linked.includes(guide))).toEqual([]);
});

test('the fields that the guide to patches names are there', () => {
  const tls = { certificate: { issuerName: 'public' } };
  const hosts = ['mlflow.example.com'];
  const issuerUrl = 'https://login.example.com';
  const client = { secretName: 'client', namespace: 'mlflow', usernameKey: 'username', passwordKey: 'password', generated: false };
  const chart = (id: string) => new Chart(new App(), id);
  const stack = new MlflowStack(chart('chart'), 'Stack', {
    login: Login.basicAuth(),
    ingress: { hosts, tls },
    httpRoute: { hosts, tls, gatewayName: 'public' },
    metrics: {},
    garbageCollection: {},
    autoscaling: { maxReplicas: 3 },
    serviceAccount: {},
  });
  const { trackingServer } = stack;
  const constructs: { [name: string]: object } = {
    MlflowStack: stack,
    TrackingServer: trackingServer,
    StartupScript: trackingServer.startupScript,
    Preflight: trackingServer.preflight!,
    ProxiedArtifacts: trackingServer.proxiedArtifacts!,
    StoreMonitor: trackingServer.monitor!,
    Postgres: stack.postgres!,
    Minio: stack.minio!,
    Credentials: stack.minio!.credentials,
    BasicAuth: stack.login!,
    Oauth2Proxy: new MlflowStack(chart('sso'), 'Stack', { login: Login.oidc({ issuerUrl, clientCredentials: client }), ingress: { hosts } }).login!,
    SecretsJob: SecretsJob.of(stack.trackingServer)!,
    ServerIngress: stack.ingress!,
    ServerHttpRoute: stack.httpRoute!,
    Metrics: stack.metrics!,
    GarbageCollection: stack.garbageCollection!,
    Autoscaling: stack.autoscaling!,
    DisruptionBudget: stack.disruptionBudget!,
    ServerServiceAccount: stack.serviceAccount!,
  };
  const guide = readFileSync(join(ROOT, 'docs/how-to/patch-anything.md'), 'utf8');
  const names = (cell: string) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const rows = [...guide.matchAll(/^\| (`[A-Z].*) \| (.*) \|$/gm)].map(([, first, second]) => [names(first), names(second)]);
  expect(rows.flatMap(([classes]) => classes).sort()).toEqual(Object.keys(constructs).sort());
  for (const [classes, fields] of rows) for (const name of classes) for (const field of fields) expect([name, field, (constructs[name] as { [field: string]: unknown })[field]]).toEqual([name, field, expect.anything()]);
});

describe('a walk-through', () => {
  const folders: string[] = [];
  afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  function walk(text: string, ...options: string[]) {
    const folder = mkdtempSync(join(tmpdir(), 'walkthrough-'));
    folders.push(folder);
    const document = join(folder, 'document.md');
    writeFileSync(document, text);
    const directory = join(folder, 'run');
    const env = { ...process.env, KUBECONFIG: undefined };
    const { status, stdout, stderr } = spawnSync(PYTHON, ['-S', WALKTHROUGH, document, '--directory', directory, ...options], { encoding: 'utf8', env });
    const file = (name: string) => readFileSync(join(directory, name), 'utf8');
    return { status, stdout, stderr, file };
  }
  const block = (info: string, text: string) => `\`\`\`${info}\n${text}\n\`\`\`\n`;
  const START = '<!-- walkthrough: -->\n';

  test('runs its blocks in one shell, in order, and writes its files', () => {
    const { status, file } = walk(`${START}# A\n${block('sh', 'mkdir a && cd a\nx=1')}${block('json b.json', '{ "c": "$x" }')}${block('sh', 'echo $x >d')}${block('python', 'open("e", "w").write("f")')}`);
    expect(status).toBe(0);
    expect([file('a/b.json'), file('a/d'), file('a/e')]).toEqual(['{ "c": "$x" }\n', '1\n', 'f']);
  });

  test('shows sample output and diagrams, and does not run them', () => {
    expect(walk(`${START}${block('text', 'exit 1')}${block('mermaid', 'graph')}`).status).toBe(0);
  });

  test.each([
    ['sh', 'false\ntrue'],
    ['sh', '! true'],
    ['sh', 'false | cat'],
    ['python', 'raise SystemExit(1)'],
  ])('ends with the first block that fails, and names its line (%s: %j)', (language, text) => {
    const { status, stderr } = walk(`${START}${block('sh', 'true')}\n${block(language, text)}${block('sh', 'exit 0')}`);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/FAILED: .*document\.md:6 \(exit code \d+\)/);
  });

  test('takes the package that is in no registry from its file', () => {
    const text = `${START}${block('sh', 'npm() { echo "$@" >npm.txt; }\nnpm install cdk8s-mlflow cdk8s')}`;
    expect(walk(text, '--tarball', '/x/y.tgz').file('npm.txt')).toBe('install /x/y.tgz cdk8s\n');
    expect(walk(text)).toMatchObject({ status: 2, stderr: expect.stringContaining('pass the package with --tarball') as string });
  });

  test('can be run in part', () => {
    const text = `${START}# A\n${block('sh', 'echo a >>out')}# B\n${block('sh', 'echo b >>out')}## B2\n${block('sh', 'echo b2 >>out')}# C\n${block('sh', 'echo c >>out')}`;
    expect(walk(text, '--section', 'B').file('out')).toBe('b\nb2\n');
    expect(walk(text, '--until', 'C').file('out')).toBe('a\nb\nb2\n');
    expect(walk(text, '--section', 'D')).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no heading "D"') as string });
  });

  test('replaces what is another here', () => {
    expect(walk(`${START}${block('sh', 'echo host:5000 >out')}`, '--replace', 'host:5000=there:1').file('out')).toBe('there:1\n');
  });

  test.each([
    [`# A\n${block('sh', 'true')}`, 'it does not begin with a comment'],
    ['<!-- walkthrough: moon -->\n', 'it needs "moon"'],
    ['<!-- walkthrough: app -->\n', '--app'],
    ['<!-- walkthrough: cluster -->\n', 'KUBECONFIG'],
    ['<!-- walkthrough: wheel -->\n', '--wheel'],
    [`${START}${block('ruby', 'x')}`, 'nobody knows how to run "ruby"'],
    [`${START}\`\`\`sh\ntrue\n`, 'the fence has no end'],
    [`${START}   ${block('sh', 'true')}`, 'a fence has three backticks at the beginning of a line'],
  ])('that cannot be run says why (%#)', (text, reason) => {
    expect(walk(text)).toMatchObject({ status: 2, stderr: expect.stringContaining(reason) as string });
  });

  test('gets a copy of the app, in which it may change all but the packages', () => {
    const app = mkdtempSync(join(tmpdir(), 'app-'));
    folders.push(app);
    mkdirSync(join(app, 'node_modules/cdk8s'), { recursive: true });
    for (const name of ['main.ts', 'node_modules/.lock', 'node_modules/cdk8s/index.js']) writeFileSync(join(app, name), name);
    const { status, file } = walk(`<!-- walkthrough: app -->\n${block('sh', 'echo mine | tee main.ts node_modules/.lock')}`, '--app', app);
    expect([status, file('main.ts'), file('node_modules/cdk8s/index.js')]).toEqual([0, 'mine\n', 'node_modules/cdk8s/index.js']);
    expect([readFileSync(join(app, 'main.ts'), 'utf8'), readFileSync(join(app, 'node_modules/.lock'), 'utf8')]).toEqual(['main.ts', 'node_modules/.lock']);
  });

  test('makes no cluster, and changes no kubeconfig but its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
    folders.push(folder);
    const document = join(folder, 'document.md');
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, 'theirs');
    writeFileSync(document, `<!-- walkthrough: cluster -->\n${block('sh', 'kind create cluster\necho mine >"$KUBECONFIG"')}`);
    const { status } = spawnSync(PYTHON, ['-S', WALKTHROUGH, document, '--directory', folder], { env: { ...process.env, KUBECONFIG: kubeconfig } });
    expect([status, readFileSync(kubeconfig, 'utf8')]).toEqual([0, 'theirs']);
  });

  test('has no settings of whoever runs it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'settings-'));
    folders.push(folder);
    const document = join(folder, 'document.md');
    writeFileSync(document, `${START}${block('sh', '! env | grep -e ^AWS_ -e ^MLFLOW_S3 -e ^CDK8S_OUTDIR')}`);
    const env = { PATH: process.env.PATH, AWS_ACCESS_KEY_ID: 'x', MLFLOW_S3_ENDPOINT_URL: 'x', CDK8S_OUTDIR: 'x' };
    expect(spawnSync(PYTHON, ['-S', WALKTHROUGH, document, '--directory', folder], { env }).status).toBe(0);
  });

  test('ends what it left running', () => {
    const { status, file } = walk(`${START}${block('sh', 'sleep 300 &\necho $! >pid')}`);
    expect(status).toBe(0);
    // gone, or a zombie that nobody has waited for yet
    expect(spawnSync('ps', ['-o', 'stat=', '-p', file('pid').trim()], { encoding: 'utf8' }).stdout).toMatch(/^(Z.*)?\s*$/);
  });
});
