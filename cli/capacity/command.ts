import { parseArgs } from 'node:util';
import { Demand } from './demand';
import { programOf } from './program';
import { json, markdown, text } from './render';
import { Sizes } from './sizes';
import { INPUTS, trafficOf } from './traffic';
import { UsageFault } from '../fault';

const options = Object.values(INPUTS).map(({ option, what, otherwise }) => `  ${`--${option} N`.padEnd(16)}${what}${otherwise === undefined ? '' : ` (${otherwise})`}`);

const HELP = `Says how large a stack has to be, what of it is full first, and how one sees that coming.

Usage:
  cdk8s-mlflow capacity [options] --runs N --artifacts GIB

Options, with what is assumed where they are not given:
${options.join('\n')}
  --format FORMAT text (the default), markdown, json, or typescript: the program alone
  -h, --help      this text

It reckons with what was measured of MLflow, PostgreSQL and MinIO on one machine: what a call, a file and a GiB take.
Numbers are written like 1000 and 0.5.

Exit codes: 0 said, 2 the numbers are none that it can reckon with.

Environment:
  NO_COLOR        no colours; there are none anyway where the output is no terminal
`;

const FORMATS: { readonly [format: string]: (sizes: Sizes, colours: boolean) => string } = { text, markdown, json, typescript: programOf };

/** `capacity`, with its exit code. */
export function capacity(args: string[], colours: boolean): number {
  const values = parse(args);
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const format = String(values.format ?? 'text');
  if (!Object.hasOwn(FORMATS, format)) throw new UsageFault(`--format is one of ${Object.keys(FORMATS).join(', ')}, and not "${format}"`);
  process.stdout.write(FORMATS[format](new Sizes(new Demand(trafficOf(values))), colours));
  return 0;
}

function parse(args: string[]) {
  const numbers = Object.fromEntries(Object.values(INPUTS).map(({ option }) => [option, { type: 'string' as const }]));
  try {
    return parseArgs({ args, options: { ...numbers, format: { type: 'string' }, help: { type: 'boolean', short: 'h' } } }).values;
  } catch (error) {
    throw new UsageFault((error as Error).message);
  }
}
