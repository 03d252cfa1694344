import { spawnSync } from 'child_process';
import { readFileSync, readdirSync } from 'fs';
import { join } from 'path';
import { Construct } from 'constructs';
import * as library from '../lib';

const root = join(__dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the troubleshooting table is the catalogue of the preflight', () => {
  const { stdout } = spawnSync('python3', [join(root, 'lib/preflight/preflight'), 'causes'], { encoding: 'utf8' });
  expect(stdout.split('\n').length).toBeGreaterThan(20);
  expect(readme).toContain(`<!-- start-mlflow.py causes -->\n${stdout}<!-- end -->`);
});

describe('the table of options', () => {
  const [table] = /^\| You want \|[^]*?\n\n/m.exec(readme)!;
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
    ['lib/mlflow-stack.ts', 'MlflowStackProps'],
  ])('has every prop of %s, %s', (file, name) => {
    const source = readFileSync(join(root, file), 'utf8');
    const [declaration] = new RegExp(`^export interface ${name} [^]*?^}`, 'm').exec(source)!;
    const props = [...declaration.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, prop]) => prop);
    expect(props.length).toBeGreaterThan(4);
    expect(props.filter((prop) => !named.has(prop))).toEqual([]);
  });
});

test('every example is in the table of examples', () => {
  const examples = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(examples.filter(({ name }) => !readme.includes(`| [\`${name}\`](examples/${name}/main.ts) |`)).map(({ name }) => name)).toEqual([]);
});
