import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Yaml } from 'cdk8s';
import { Manifests, get, ofKind } from '../helpers';

// An add-on and a login of a user's own, with the package as a user gets it: what the server lets others do has to be
// enough for that.

const root = join(__dirname, '../..');
const workspace = mkdtempSync(join(tmpdir(), 'add-on-'));
const app = join(workspace, 'app');
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: { [name: string]: string } };

function run(cwd: string, command: string, ...args: string[]): string {
  const env = { ...process.env, CDK8S_OUTDIR: undefined };
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`);
  }
}

function synth(which: string): Manifests {
  run(app, process.execPath, 'add-on.js', which);
  return Yaml.load(join(app, `dist/${which}.k8s.yaml`)) as Manifests;
}

beforeAll(() => {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', workspace], { cwd: root, encoding: 'utf8' });
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  const packages = ['cdk8s', 'cdk8s-plus-28', 'constructs', '@types/node', 'typescript'].map((name) => `${name}@${devDependencies[name]}`);
  run(app, 'npm', 'install', '--no-save', join(workspace, packed.trim().split('\n').at(-1)!), ...packages);
  cpSync(join(__dirname, 'typescript/add-on.ts'), join(app, 'add-on.ts'));
  // with the declarations of the package, whose parts that nobody else may use are not in them
  run(app, 'npx', 'tsc', '--strict', '--target', 'es2022', '--module', 'node16', '--types', 'node', '--skipLibCheck', 'add-on.ts');
}, 300_000);

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

describe('an add-on', () => {
  const policyOf = (objects: Manifests) => get(objects, 'NetworkPolicy', 'mlflow').spec;
  let objects: Manifests;
  let pod: Manifests[number];
  let server: Manifests[number];

  beforeAll(() => {
    objects = synth('own');
    pod = get(objects, 'Deployment', 'mlflow').spec.template;
    [server] = pod.spec.containers;
  });

  test('has a sidecar, which is restricted like the server', () => {
    const [, sidecar, ...others] = pod.spec.containers;
    expect(others).toEqual([]);
    expect(sidecar).toMatchObject({ name: 'collector', image: 'docker.io/otel/opentelemetry-collector:0.119.0', resources: { requests: { cpu: '10m' } } });
    expect(sidecar.volumeMounts).toEqual([{ name: 'tracing', mountPath: '/etc/otelcol', readOnly: true }]);
    expect(sidecar.securityContext).toEqual(server.securityContext);
  });

  test('has a flag and a variable of the server', () => {
    expect(server.args).toContain('--uvicorn-opts=--no-server-header');
    expect(server.env).toContainEqual({ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://127.0.0.1:4318' });
  });

  test('has a volume, a mount of it, and an annotation by which pods are replaced', () => {
    expect(pod.spec.volumes).toContainEqual({ name: 'tracing', configMap: { name: 'mlflow-tracing' } });
    expect(server.volumeMounts).toContainEqual({ name: 'tracing', mountPath: '/etc/tracing', readOnly: true });
    expect(pod.metadata.annotations).toHaveProperty('checksum/tracing');
    expect(get(objects, 'ConfigMap', 'mlflow-tracing').metadata.namespace).toBe('platform');
  });

  test('lets the server out, and clients in', () => {
    expect(policyOf(objects).egress).toContainEqual({ to: [{ ipBlock: { cidr: '10.1.2.3/32' } }], ports: [{ protocol: 'TCP', port: 4317 }] });
    expect(policyOf(objects).ingress[0].from).toContainEqual({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'notebooks' } } });
  });

  test('has a host for which the server answers', () => {
    const flag: string = server.args.find((arg: string) => arg.startsWith('--allowed-hosts='));
    expect(flag.split(/[=,]/)).toEqual(expect.arrayContaining(['mlflow.internal:5000', 'mlflow-service:5000', 'mlflow.example.com']));
  });

  test('that sets what somebody else has set is told both names', () => {
    let message = '';
    try {
      synth('wrong');
    } catch (error) {
      ({ message } = error as Error);
    }
    const found = [...message.matchAll(/\[wrong\/(.+?)\] (\w+): got (.*?)\. Rule: .* and (\[?[^\]\s][^\]]*?\]?) (?:sets|has) this one/g)].map(([, path, prop, value, other]) => [path, prop, value, other]);
    expect(found).toEqual(
      expect.arrayContaining([
        ['Tracing', 'addFlag', '"--uvicorn-opts"', 'the prop settings.logLevel'],
        ['Again', 'addVariable', '"OTEL_EXPORTER_OTLP_ENDPOINT"', '[wrong/Tracing]'],
        ['Again', 'addSidecar', '"container collector"', '[wrong/Tracing]'],
        ['Again', 'addVolume', '"volume tracing"', '[wrong/Tracing]'],
        ['Again', 'addVolume', '"mount /etc/tracing"', '[wrong/Tracing]'],
      ]),
    );
    expect(message).toContain('[wrong/Proxy] addLogin: got "login". Rule: a server has one login');
    expect(message).not.toContain('TypeError');
  });
});

describe('a login', () => {
  let own: Manifests;
  let builtIn: Manifests;
  const backend = (objects: Manifests): string => get(objects, 'Ingress', 'mlflow').spec.rules[0].http.paths[0].backend.service.name;
  const from = (objects: Manifests): Manifests => get(objects, 'NetworkPolicy', 'mlflow').spec.ingress[0].from;

  beforeAll(() => {
    [own, builtIn] = ['own', 'built-in'].map(synth);
  });

  test('takes the place of one of the package: routes lead to it', () => {
    expect([own, builtIn].map(backend)).toEqual(['mlflow-gate', 'mlflow-oauth2-proxy']);
  });

  test('is told where browsers come to', () => {
    expect(get(own, 'Deployment', 'mlflow-gate').spec.template.spec.containers[0].args).toEqual([
      '--upstream=http://mlflow-service.platform.svc.cluster.local:5000',
      '--url=https://mlflow.example.com',
    ]);
  });

  test('is the one that the server lets in, besides the clients of the add-on', () => {
    expect(from(own)).toContainEqual({ podSelector: { matchLabels: { app: 'mlflow-gate' } } });
    expect(from(own)).toHaveLength(2);
    expect(JSON.stringify(from(own))).not.toContain('oauth2-proxy');
    expect(get(own, 'NetworkPolicy', 'mlflow-gate').spec.egress).toEqual([{ to: [{ podSelector: get(own, 'NetworkPolicy', 'mlflow').spec.podSelector }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
  });

  test('touches nothing of the server itself, nor anything else of the package', () => {
    const rest = (objects: Manifests) =>
      objects
        .filter(({ metadata }) => !/gate|oauth2-proxy|fill-secrets/.test(metadata.name))
        .filter(({ kind, metadata }) => !(metadata.name === 'mlflow' && /Ingress|NetworkPolicy/.test(kind)))
        // the Secrets of a server and of its login are filled by one Job
        .filter(({ kind, metadata }) => !(/^mlflow-secrets/.test(metadata.name) && /^(Job|Role)$/.test(kind)));
    expect(rest(own)).toEqual(rest(builtIn));
    expect(ofKind(rest(own), 'Deployment').map(({ metadata }) => metadata.name)).toEqual(['mlflow', 'mlflow-monitor']);
  });
});
