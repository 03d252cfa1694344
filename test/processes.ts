// Programs that tests start, and wait for.
import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { AddressInfo, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Environment, endsBeforeCleaning, scratch } from './run-script';

const LIMIT_MS = 20_000;

const servers = new Set<ChildProcess>();
/** Files with what the servers print, by command. */
const outputs: [command: string, file: string, child: ChildProcess][] = [];

endsBeforeCleaning(() => Promise.all([...servers].map((server) => end(server))));

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program that the variable names, else the one on PATH; one that runs with these arguments, where there are any. */
export function program(variable: string, name: string, advice: string, check: string[] = []): string {
  const given = process.env[variable] ?? name;
  const candidates = given.includes('/') ? [given] : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, given));
  const found = candidates.find(isExecutable);
  if (!found) throw new Error(`${given} is no program: ${advice}`);
  if (check.length > 0) {
    const { status, stderr } = spawnSync(found, check, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${found} does not do: ${advice}. ${stderr}`);
  }
  return found;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until the action gives something, and fails with the last error when that takes too long. */
export async function until<T>(what: string, action: () => Promise<T | undefined> | T | undefined, limitMs = LIMIT_MS): Promise<T> {
  const started = Date.now();
  let reason: unknown = 'nothing came';
  while (Date.now() - started < limitMs) {
    try {
      const result = await action();
      if (result !== undefined) return result;
    } catch (error) {
      reason = error;
    }
    await sleep(100);
  }
  const printed = outputs.map(([command, file]) => `--- ${command}\n${readFileSync(file, 'utf8').slice(-2_000)}`);
  throw new Error([`waited ${limitMs} ms for ${what}: ${String(reason)}`, ...printed].join('\n'));
}

/** A program in a group of its own, since MLflow starts others, which end with it. */
export function start(command: string[], env: Environment, user: { uid?: number; gid?: number } = {}): ChildProcess {
  const output = join(scratch(), 'output');
  const log = openSync(output, 'w');
  const child = spawn(command[0], command.slice(1), { cwd: '/', env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', log, log], detached: true, ...user });
  closeSync(log);
  outputs.push([command.join(' '), output, child]);
  servers.add(child);
  child.on('exit', () => servers.delete(child));
  return child;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (!servers.has(child)) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS / 2);
  await exited;
  clearTimeout(limit);
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // nobody is left
  }
}

/** A program of a test that serves till the end of the test file, or till it is ended. */
export class Served {
  private readonly child: ChildProcess;

  public constructor(command: string[], env: Environment) {
    this.child = start(command, env);
  }

  public async stop(): Promise<void> {
    await end(this.child, 'SIGTERM');
  }

  /** What it has printed so far. */
  public get printed(): string {
    return readFileSync(outputs.find(([, , child]) => child === this.child)![1], 'utf8');
  }
}
