import { spawnSync } from 'node:child_process';

/** A program that runs: the one that the variable names, else the one on PATH. */
export function program(variable: string, name: string, argument: string[], advice: string): string {
  const path = process.env[variable] ?? name;
  const { error, status, stderr } = spawnSync(path, argument, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${path} does not do: ${advice}, or set ${variable}. ${error?.message ?? stderr}`);
  return path;
}

export const GET_PROMETHEUS = 'apt-get install prometheus';
