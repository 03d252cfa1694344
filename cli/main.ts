import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capacity } from './capacity/command';
import { diff } from './diff/command';
import { doctor } from './doctor';
import { Fault, UsageFault } from './fault';
import { init } from './init';
import { packageRoot } from './package-root';

const COMMANDS: { [name: string]: (args: string[], colours: boolean) => number | Promise<number> } = { capacity, diff, doctor, init };

const HELP = `Usage: cdk8s-mlflow COMMAND [options]

Commands:
  capacity  how large a stack has to be, and what of it is full first
  diff      what happens when manifests are applied, and what differs in them
  doctor    examines a tracking server, as its client
  init      writes a CDK8s app with MLflow, its tests and its pipeline

Options:
  -h, --help  this text, or with a command, its own
  --version   the version of cdk8s-mlflow

Exit codes: 0 where it went well, 2 where it could not be done; a command may have more, see its --help.
`;

async function main([name, ...args]: string[]): Promise<number> {
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (name === '--version') {
    const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name ?? '')) throw new UsageFault(`${name === undefined ? 'no command is given' : `"${name}" is no command`}: it is one of ${Object.keys(COMMANDS).join(', ')}`);
  return COMMANDS[name](args, process.stdout.isTTY && !process.env.NO_COLOR);
}

// a reader such as "head" may leave before the end
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
const [name] = process.argv.slice(2);
main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? ` ${name}` : '';
    console.error(`cdk8s-mlflow${command}: ${error.message}${error instanceof UsageFault ? `. See: cdk8s-mlflow${command} --help` : ''}`);
    process.exitCode = 2;
  },
);
