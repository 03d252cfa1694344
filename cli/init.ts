import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Fault, UsageFault } from './fault';
import { packageRoot } from './package-root';

const HELP = `Writes a CDK8s app with MLflow, PostgreSQL and MinIO: a program of one screen, values, tests and a pipeline.

Usage:
  cdk8s-mlflow init [options] [FOLDER]     the current folder unless one is given

Options:
  --language LANGUAGE   typescript (the default) or python
  --pipeline SERVICE    github (the default), gitlab or none
  -h, --help            this text

A file that is there already is not written over: nothing is written then.

Exit codes: 0 written, 2 not written.
`;

const LANGUAGES = ['typescript', 'python'];
/** Of each service: the file that it reads, and what is to be said of it. */
const SERVICES: { [service: string]: { readonly from: string; readonly to: string; readonly text: string } | undefined } = {
  github: { from: 'github-actions.yml', to: '.github/workflows/manifests.yml', text: 'Pull requests get that as a comment: the head of `.github/workflows/manifests.yml` says which settings it needs.' },
  gitlab: { from: 'gitlab-ci.yml', to: '.gitlab-ci.yml', text: 'Merge requests get that as a comment: the head of `.gitlab-ci.yml` says which settings it needs.' },
  none: undefined,
};
/** Files that npm would not pack under their names. */
const RENAMED: { [name: string]: string } = { gitignore: '.gitignore' };

interface Manifest {
  readonly version: string;
  readonly peerDependencies: { readonly [name: string]: string };
  readonly devDependencies: { readonly [name: string]: string };
}

/** `init`, with its exit code. */
export function init(args: string[]): number {
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { language, pipeline } = values;
  if (!LANGUAGES.includes(language)) throw new UsageFault(`--language is one of ${LANGUAGES.join(', ')}, and not "${language}"`);
  if (!Object.hasOwn(SERVICES, pipeline)) throw new UsageFault(`--pipeline is one of ${Object.keys(SERVICES).join(', ')}, and not "${pipeline}"`);
  if (positionals.length > 1) throw new UsageFault('one folder is written');
  const [folder = '.'] = positionals;
  const files = filesOf(language, pipeline);
  const there = [...files.keys()].filter((name) => existsSync(join(folder, name)));
  if (there.length > 0) throw new Fault(`${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already, and nothing was written: take another folder`);
  for (const [name, text] of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (name.endsWith('.sh')) chmodSync(path, 0o755);
  }
  process.stdout.write(`${[...files.keys()].sort().map((name) => `${join(folder, name)}\n`).join('')}\nNext: ${folder === '.' ? '' : `cd ${folder} && `}npm install && npm test && npm run synth\n`);
  return 0;
}

/** The files of an app, by their paths. */
function filesOf(language: string, service: string): Map<string, string> {
  const root = packageRoot();
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  const pipeline = SERVICES[service];
  const words: { [word: string]: string } = {
    ...manifest.devDependencies,
    ...manifest.peerDependencies,
    'cdk8s-mlflow': `^${manifest.version}`,
    version: manifest.version,
    pipeline: pipeline?.text ?? '',
  };
  const files = new Map<string, string>();
  for (const template of ['shared', language].map((name) => join(root, 'cli/templates', name))) {
    for (const path of readdirSync(template, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(template, name)).isFile())) {
      const text = readFileSync(join(template, path), 'utf8').replace(/\{\{(.+?)\}\}/g, (_, word: string) => words[word]);
      files.set(RENAMED[path] ?? path, `${text.trimEnd()}\n`);
    }
  }
  if (pipeline === undefined) return files;
  const read = (name: string) => readFileSync(join(root, 'pipelines', name), 'utf8');
  for (const script of ['apply.sh', 'comment.mjs', 'validate.sh']) files.set(`pipelines/${script}`, read(script));
  files.set(pipeline.to, pipelineFor(language, service, read(pipeline.from)));
  return files;
}

/** The pipeline, in an image that has what the language needs. */
function pipelineFor(language: string, service: string, text: string): string {
  if (language !== 'python' || service !== 'gitlab') return text;
  return text.replace('    - npm ci\n', '    - apt-get update --quiet=2 && apt-get install --quiet=2 --yes python3-venv >/dev/null\n    - npm ci\n');
}

function parse(args: string[]) {
  const options = { language: { type: 'string', default: 'typescript' }, pipeline: { type: 'string', default: 'github' }, help: { type: 'boolean', short: 'h', default: false } } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageFault((error as Error).message);
  }
}
