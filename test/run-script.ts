import { ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const LIMIT_MS = 15_000;

export const ROOT = join(__dirname, '..');

/** The interpreter itself: what stands first on PATH may be a slow wrapper around it. */
export const PYTHON = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

export type Environment = Record<string, string>;

export interface Result {
  readonly pid: number;
  /** Null where a signal ended the process, as the limit of this helper does. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

const directories: string[] = [];
const running = new Set<Script>();
const endings: (() => Promise<unknown>)[] = [];

jest.setTimeout(LIMIT_MS + 5_000);

afterAll(async () => {
  running.forEach((script) => script.kill('SIGKILL'));
  await Promise.all([...[...running].map(({ ended }) => ended), ...endings.map((ending) => ending())]);
  directories.forEach((directory) => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
});

/** What is to end before the directories go: this file's hook runs before those of the files that import it. */
export function endsBeforeCleaning(ending: () => Promise<unknown>): void {
  endings.push(ending);
}

/** A fresh directory with these files, removed when the test file ends. */
export function scratch(files: Record<string, string> = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-'));
  directories.push(directory);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

/** Texts of the modules of the preflight, by file name. */
export function preflightModules(): Record<string, string> {
  const folder = join(ROOT, 'lib/preflight/preflight');
  const names = readdirSync(folder).filter((name) => name.endsWith('.py') || name === 'mlflow');
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** The start script as it is in the pod: in a folder of its own, with the preflight beside it unless it is to be alone. */
export function startScript(alone = false): string {
  const preflight = alone ? [] : Object.entries(preflightModules()).map(([name, text]) => [`preflight/${name}`, text]);
  const script = readFileSync(join(ROOT, 'lib/tracking-server/start-mlflow.py'), 'utf8');
  return join(scratch({ 'start-mlflow.py': script, ...Object.fromEntries(preflight) }), 'start-mlflow.py');
}

/** A child process with exactly the environment given, but for PATH, whose first folders are `path`. */
export class Script {
  public readonly ended: Promise<Result>;
  private readonly child: ChildProcess;
  private stdout = '';
  private stderr = '';
  private over = false;

  public constructor(command: string[], environment: Environment, path: string[] = [], limitMs = LIMIT_MS) {
    const started = Date.now();
    const env = { PYTHONDONTWRITEBYTECODE: '1', ...environment, PATH: [...path, process.env.PATH].join(':') };
    const child = spawn(command[0], command.slice(1), { cwd: tmpdir(), env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    running.add(this);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        clearTimeout(limit);
        running.delete(this);
        this.over = true;
        resolve({ pid: child.pid!, code, stdout: this.stdout, stderr: this.stderr, seconds: (Date.now() - started) / 1000 });
      });
    });
  }

  /** Resolves as soon as this text stands in the standard output. */
  public async saw(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      if (this.over) throw new Error(`ended without ${JSON.stringify(text)}:\n${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  public get pid(): number {
    return this.child.pid!;
  }

  public kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

export function run(command: string[], environment: Environment, path: string[] = []): Promise<Result> {
  return new Script(command, environment, path).ended;
}

/** The fix of a message, which ends with what to run. */
export function fixOf(message: string): string | undefined {
  expect(lines(message).at(-1)).toMatch(/^ {2}run: {4}\S/);
  return lines(message).find((line) => line.startsWith('  fix:'));
}

export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** The lines of a standard error that are warnings, and the rest of it. */
export function splitWarnings(stderr: string): { warnings: string[]; stderr: string } {
  const isWarning = (line: string) => line.startsWith('WARNING: ');
  const all = stderr.split('\n');
  return { warnings: all.filter(isWarning), stderr: all.filter((line) => !isWarning(line)).join('\n') };
}

/** What a fake program was called with. */
export interface Call {
  readonly pid: number;
  readonly argv: string[];
  readonly stdin: string;
  readonly env: Environment;
}

export interface Answer {
  readonly stderr: string;
  readonly code: number;
}

const FAKE_PROGRAM = `#!${PYTHON} -IS
import json, os, sys

here = os.path.dirname(os.path.abspath(__file__))
call = {"pid": os.getpid(), "argv": sys.argv[1:], "stdin": sys.stdin.read(), "env": dict(os.environ)}
with open(os.path.join(here, "calls"), "a") as file:
    file.write(json.dumps(call) + "\\n")
with open(os.path.join(here, "answers")) as file:
    answers = json.load(file)
for beginning, queue in answers.items():
    if " ".join(sys.argv[1:]).startswith(beginning) and queue:
        answer = queue.pop(0)
        with open(os.path.join(here, "answers"), "w") as file:
            json.dump(answers, file)
        sys.stderr.write(answer["stderr"])
        sys.exit(answer["code"])
`;

/** An executable that records its calls. It fails with the answers queued for the beginning of its arguments, then succeeds. */
export class FakeProgram {
  public readonly directory: string;

  public constructor(name: string, answers: Record<string, Answer[]> = {}) {
    this.directory = scratch({ [name]: FAKE_PROGRAM, answers: JSON.stringify(answers) });
    chmodSync(join(this.directory, name), 0o755);
  }

  public get calls(): Call[] {
    const log = join(this.directory, 'calls');
    return existsSync(log) ? lines(readFileSync(log, 'utf8')).map((line) => JSON.parse(line) as Call) : [];
  }
}
