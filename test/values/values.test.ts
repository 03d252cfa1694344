import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Values, readValues, size } from '../../values/values';
import { ROOT, scratch } from '../run-script';

const SCHEMA = readFileSync(join(ROOT, 'values/schema.json'), 'utf8');
const { properties } = JSON.parse(SCHEMA) as { properties: { [key: string]: { description: string; examples: unknown[] } } };
/** The compiler wants each key named. */
const EACH: Required<Values> = {
  namespace: 'team-a',
  image: 'registry.example.com:5000/ml/mlflow:v1',
  imageRegistry: 'registry.example.com:5000/mirror',
  replicas: 3,
  workers: 4,
  resources: 'LARGE',
  databaseStorage: '20Gi',
  artifactStorage: '1000Gi',
  storageClass: 'fast',
  host: 'mlflow.example.org',
  ingressClass: 'nginx',
  issuer: 'letsencrypt',
};
const [folder, environment] = [process.cwd(), process.env];

afterEach(() => {
  process.chdir(folder);
  process.env = environment;
});

/** The values of dev and prod, from files with this text and from these variables. */
function values(files: { dev?: string; prod?: string } = {}, variables: { [name: string]: string } = {}): { dev: Values; prod: Values } {
  const { dev = '', prod = '' } = files;
  process.chdir(scratch({ 'values/schema.json': SCHEMA, 'values/dev.yaml': dev, 'values/prod.yaml': prod }));
  process.env = { ...environment, ...variables };
  return readValues(['dev', 'prod']);
}

function faults(...given: Parameters<typeof values>): string[] {
  try {
    values(...given);
  } catch (error) {
    const [title, ...lines] = (error as Error).message.split('\n  ');
    expect(title).toBe('Wrong values:');
    return lines;
  }
  return [];
}

describe('the schema', () => {
  test('has exactly the values of the interface, and takes each', () => {
    expect(Object.keys(properties)).toEqual(Object.keys(EACH));
    expect(values({ prod: JSON.stringify(EACH) })).toEqual({ dev: {}, prod: EACH });
  });

  test.each(Object.keys(EACH))('takes its own example of %s', (key) => {
    const [example] = properties[key].examples;
    expect(values({ dev: JSON.stringify({ host: 'a.example.com', [key]: example }) }).dev).toMatchObject({ [key]: example });
  });

  test.each([
    ['namespace', ['MLflow', '-a', 'a.b', '', 'a'.repeat(64), 1]],
    ['image', ['', 'with space:v1', 'a:v1:v2', 'a@sha256:12', 7]],
    ['imageRegistry', ['', 'https://registry.example.com', 'registry.example.com/', 'a b']],
    ['replicas', [0, -1, 1.5, 101, '2', true]],
    ['workers', [0, 65, 'two']],
    ['resources', ['huge', 'small', 1]],
    ['databaseStorage', ['0Gi', '10', '10GB', '1.5Gi', '10Mi', 10]],
    ['artifactStorage', ['0Gi', '10', 10]],
    ['storageClass', ['', 'Fast', 'fast-']],
    ['host', ['https://mlflow.example.com', 'mlflow', 'mlflow.example.com/x', 'mlflow.example.com:443', 'MLflow.example.com', '']],
    ['ingressClass', ['', 'a b']],
    ['issuer', ['', 'Let', null]],
  ])('refuses a wrong %s, with file, value, rule and a fix that it takes', (key, wrong) => {
    for (const value of wrong) {
      const given = { host: 'a.example.com', [key]: value };
      const [example] = properties[key].examples;
      expect(faults({ prod: JSON.stringify(given) })).toEqual([
        `[values/prod.yaml] ${key}: got ${JSON.stringify(value)}. Rule: it is ${properties[key].description}. Fix: write ${key}: ${String(example)}.`,
      ]);
    }
  });

  test.each(['registry.example.com:5000/a/b', 'a/b', 'a:v1', `a@sha256:${'0'.repeat(64)}`])('leaves it to the library whether image %s has a tag', (image) => {
    expect(values({ dev: `image: ${image}` }).dev.image).toBe(image);
  });

  test.each(['ingressClass', 'issuer'])('refuses %s where there is no host', (key) => {
    expect(faults({ dev: `${key}: some` })).toEqual([`[values/dev.yaml] ${key}: got "some". Rule: ${key} does nothing without host. Fix: add host, or leave ${key} out.`]);
  });
});

describe('a file', () => {
  test('may be JSON, or nothing but a comment', () => {
    expect(values({ dev: '# all defaults\n', prod: '{"replicas": 2}' })).toEqual({ dev: {}, prod: { replicas: 2 } });
  });

  test('with a wrong key names the one that was meant, and not the value', () => {
    expect(faults({ prod: 'replica: s3cret' })).toEqual([
      '[values/prod.yaml] replica: got a string. Rule: there is no value of this name (values/schema.json). Fix: did you mean replicas?.',
    ]);
  });

  test('with a key that is like no other lists them all', () => {
    expect(faults({ prod: 'x: {}' })).toEqual([
      `[values/prod.yaml] x: got an object with nothing in it. Rule: there is no value of this name (values/schema.json). Fix: leave it out, or pass one of ${Object.keys(EACH).join(', ')}.`,
    ]);
  });

  test.each([
    ['a key twice', 'replicas: 1\nreplicas: 2', 'no valid YAML. Rule: Map keys must be unique at line 2, column 1. Fix: mend this line'],
    ['an open bracket', 'replicas: [', 'no valid YAML. Rule: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 12. Fix: mend this line'],
    ['a list', '- replicas', 'a list of 1. Rule: a file has keys with their values. Fix: write lines such as "replicas: 2"'],
    ['a text', 'replicas', 'a string. Rule: a file has keys with their values. Fix: write lines such as "replicas: 2"'],
  ])('with %s is refused', (_, text, message) => {
    expect(faults({ dev: text })).toEqual([`[values/dev.yaml] got ${message}.`]);
  });

  test('with two documents is refused', () => {
    expect(faults({ dev: 'replicas: 1\n---\nworkers: 2\n' })[0]).toMatch(/^\[values\/dev\.yaml\] got no valid YAML\. Rule: .*multiple documents/);
  });

  test('that is not there is named', () => {
    values();
    expect(() => readValues(['staging'])).toThrow(
      'Wrong values:\n  [values/staging.yaml] got ENOENT. Rule: each environment in main.ts has a file with its values. Fix: write the file; it may be empty.',
    );
  });
});

describe('an environment variable', () => {
  test.each(Object.entries(EACH))('sets %s, over the file and in its environment only', (key, value) => {
    const name = `CDK8S_MLFLOW_PROD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
    const file = JSON.stringify({ host: 'a.example.com', [key]: properties[key].examples[0] });
    expect(values({ dev: file, prod: file }, { [name]: String(value) })).toEqual({
      dev: JSON.parse(file),
      prod: { host: 'a.example.com', [key]: value },
    });
  });

  test('counts where it mends what is wrong in the file', () => {
    expect(values({ prod: 'replicas: two' }, { CDK8S_MLFLOW_PROD_REPLICAS: '2' }).prod).toEqual({ replicas: 2 });
    expect(values({ prod: 'issuer: letsencrypt' }, { CDK8S_MLFLOW_PROD_HOST: 'a.example.com' }).prod.issuer).toBe('letsencrypt');
  });

  test.each([
    ['REPLICAS', 'two', 'replicas'],
    ['REPLICAS', '', 'replicas'],
    ['REPLICAS', '2.5', 'replicas'],
    ['IMAGE', '', 'image'],
    ['HOST', 'https://mlflow.example.com', 'host'],
  ])('%s=%j is refused with the variable to set', (name, value, key) => {
    const { description, examples } = properties[key];
    expect(faults({}, { [`CDK8S_MLFLOW_DEV_${name}`]: value })).toEqual([
      `[CDK8S_MLFLOW_DEV_${name}] got ${JSON.stringify(value)}. Rule: it is ${description}. Fix: set CDK8S_MLFLOW_DEV_${name}=${String(examples[0])}.`,
    ]);
  });

  test.each([
    ['PRD_HOST', 'did you mean CDK8S_MLFLOW_PROD_HOST?'],
    ['PROD_REPLICA', 'did you mean CDK8S_MLFLOW_PROD_REPLICAS?'],
    ['HOST', 'did you mean CDK8S_MLFLOW_DEV_HOST or CDK8S_MLFLOW_PROD_HOST?'],
    ['SOMETHING_ELSE', 'unset it, or take a name such as CDK8S_MLFLOW_DEV_NAMESPACE: values/schema.json has the values'],
  ])('%s that is none gives a suggestion, and not its value', (name, fix) => {
    expect(faults({}, { [`CDK8S_MLFLOW_${name}`]: 's3cret' })).toEqual([
      `[CDK8S_MLFLOW_${name}] got a string. Rule: there is no value for a variable of this name. Fix: ${fix}.`,
    ]);
  });

  test('of another program is nobody’s business here', () => {
    expect(values({}, { STACK_ROOT: '/', MLFLOW_HOST: 'x', CDK8S_OUTDIR: 'dist' })).toEqual({ dev: {}, prod: {} });
  });
});

test('all that is wrong, in files and variables, is one error', () => {
  const found = faults({ dev: 'replica: 2\nworkers: 0', prod: '[' }, { CDK8S_MLFLOW_PROD: '1', CDK8S_MLFLOW_DEV_HOST: 'x' });
  expect(found.map((line) => line.split(' got ')[0])).toEqual([
    '[CDK8S_MLFLOW_PROD]',
    '[values/dev.yaml] replica:',
    '[values/dev.yaml] workers:',
    '[CDK8S_MLFLOW_DEV_HOST]',
    '[values/prod.yaml]',
  ]);
});

test('a size is one of cdk8s', () => {
  expect(size('50Gi')?.toGibibytes()).toBe(50);
  expect(size(undefined)).toBeUndefined();
});

test.each(['dev', 'prod'])('the file of %s tells editors where the schema is', (name) => {
  expect(readFileSync(join(ROOT, 'values', `${name}.yaml`), 'utf8')).toMatch(/^# yaml-language-server: \$schema=schema\.json\n/);
});
