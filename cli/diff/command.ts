import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { UsageFault } from '../fault';
import { BaseComparison, Sides } from './base';
import { changesOf } from './changes';
import { findings } from './findings';
import { linesOf, safe } from './lines';
import { readManifests } from './manifests';
import { Comparison, json, markdown, text } from './render';
import { Review } from './review';

export const DIFF_HELP = `Says what happens when manifests are applied, and shows what differs in them.

Usage:
  cdk8s-mlflow diff [options] OLD NEW       files of YAML, or folders of them
  cdk8s-mlflow diff [options] --base REF    the app in this folder, and the commit from which this branch began

Options:
  --base REF         a branch or commit. Its manifests are those that it has in git; where it has none,
                     its packages are installed and it is synthesized, in a folder of its own
  --format FORMAT    text (the default), markdown or json
  --full             the lines of all objects, programs (*-programs.*.yaml) among them, and no limit
  --output FILE      write there, and not to standard output
  --limit N          characters of Markdown, 65000 unless given, which is what a comment takes
  --exit-code        say by the exit code what was found
  -h, --help         this text

Lines begin with a sign: ⚠ look at it, ↻ pods are replaced, · everything else. Values of Secrets are masked.

Exit codes:
  0  compared; with --exit-code: nothing differs
  1  with --exit-code: something differs
  2  it could not be compared
  3  with --exit-code: Kubernetes would refuse some of it

Environment:
  SYNTH_COMMAND  makes the manifests, else the npm script "synth", else "cdk8s synth"
  NO_COLOR       no colours; there are none anyway where the output is no terminal
`;

// GitHub takes 65,536 characters; the rest is for the marker that comment.mjs adds
const COMMENT_LIMIT = 65_000;
const FORMATS = ['text', 'markdown', 'json'];

/** `diff`, with its exit code. */
export async function diff(args: string[], colours: boolean): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(DIFF_HELP);
    return 0;
  }
  const limit = Number(values.limit ?? COMMENT_LIMIT);
  if (!FORMATS.includes(values.format)) throw new UsageFault(`--format is ${FORMATS.join(', ')}, and not "${values.format}"`);
  if (!Number.isInteger(limit) || limit < 1000) throw new UsageFault(`--limit is a number of characters from 1000 on, and not "${values.limit}"`);
  const { base, head, name, note } = await sidesOf(values.base, positionals);
  const changes = changesOf(base, head);
  const found = findings(new Review(base, head, changes));
  const comparison: Comparison = {
    compared: `Compared with ${name}`,
    note,
    findings: found,
    changes,
    lines: new Map(changes.map((change) => [change, values.format === 'text' && !values.full ? [] : linesOf(change)])),
    again: `npx cdk8s-mlflow diff ${values.base === undefined ? positionals.map(safe).join(' ') : `--base ${safe(values.base)}`} --full`,
  };
  const output = render(values.format, comparison, values.full, limit, colours && values.output === undefined);
  if (values.output === undefined) process.stdout.write(output);
  else writeFileSync(values.output, output);
  if (!values['exit-code'] || changes.length === 0) return 0;
  return found.some(({ rule }) => rule === 'refused') ? 3 : 1;
}

function render(format: string, comparison: Comparison, full: boolean, limit: number, colours: boolean): string {
  if (format === 'json') return json(comparison);
  return format === 'markdown' ? markdown(comparison, full ? Infinity : limit) : text(comparison, full, colours);
}

async function sidesOf(base: string | undefined, positionals: string[]): Promise<Sides> {
  if (base !== undefined) {
    if (positionals.length > 0) throw new UsageFault('--base compares the app in this folder, and takes no OLD and NEW beside it');
    return BaseComparison.sides(base);
  }
  if (positionals.length !== 2) throw new UsageFault('two files or folders are compared, OLD and NEW; or the app in this folder with --base REF');
  const [old, fresh] = positionals;
  return { base: readManifests(old), head: readManifests(fresh), name: `\`${safe(old)}\`` };
}

function parse(args: string[]) {
  const options = {
    base: { type: 'string' },
    format: { type: 'string', default: 'text' },
    full: { type: 'boolean', default: false },
    output: { type: 'string' },
    limit: { type: 'string' },
    'exit-code': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageFault((error as Error).message);
  }
}
