// Rows of the tables of docs/reference/benchmarks.md, as scripts/bench.mjs reads them from the file in BENCH_RESULTS.
import { execFile } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Environment, ROOT } from '../run-script';

/** A short form, for CI: small, and without what takes long to set up. */
export const SHORT = process.env.BENCH_SHORT !== undefined && process.env.BENCH_SHORT !== '';

/** What is measured of something, and with what; the values are seconds, unless the unit says otherwise. */
export interface Row {
  readonly part: string;
  readonly what: string;
  readonly with: string;
  readonly unit: string;
  readonly values: number[];
  /** Of the first of those that took turns, turn by turn. */
  readonly ratios?: number[];
  /** What `ratios` are to be at the most, or, without them, the values. */
  readonly target?: number;
  /** Seconds of CPU. */
  readonly cpu?: number;
  readonly targetCpu?: number;
  /** MiB, the most that there was. */
  readonly memory?: number;
  readonly targetMemory?: number;
  /** MiB on the scratch disk, the most that there was. */
  readonly disk?: number;
  readonly targetDisk?: number;
  /** Its name in cli/capacity/measured.json. */
  readonly figure?: string;
  /** Of the machine, before it. */
  readonly load?: number;
}

export function keep(row: Row): Row {
  const kept = { load: loadavg()[0], ...row };
  if (process.env.BENCH_RESULTS) appendFileSync(process.env.BENCH_RESULTS, `${JSON.stringify(kept)}\n`);
  return kept;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Fails where a target is missed by a factor of two: what is less may be the machine. */
export function judge(rows: Row[]): void {
  const missed = rows.flatMap((row) => {
    const of: [string, number | undefined, number | undefined][] = [
      [row.ratios === undefined ? row.unit : 'times', median(row.ratios ?? row.values), row.target],
      ['s of CPU', row.cpu, row.targetCpu],
      ['MiB of memory', row.memory, row.targetMemory],
      ['MiB of disk', row.disk, row.targetDisk],
    ];
    return of.filter(([, value, target]) => value !== undefined && target !== undefined && value > 2 * target).map(([unit, value, target]) => `${row.what}, ${row.with}: ${value} ${unit}, where the target is ${target}`);
  });
  expect(missed).toEqual([]);
}

/** Runs a program of this folder, and keeps its rows. */
export async function clients(python: string, name: string, args: string[], env: Environment): Promise<Row[]> {
  const program = [join(ROOT, 'test/bench', name), ...args];
  const all = { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, PYTHONDONTWRITEBYTECODE: '1', GIT_PYTHON_REFRESH: 'quiet', ...env };
  const { stdout } = await promisify(execFile)(python, program, { env: all, maxBuffer: 1 << 24 });
  return stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => keep(JSON.parse(line) as Row));
}
