import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../run-script';
import { cdk8sMlflow } from './program';

const COMMANDS = [...readFileSync(join(ROOT, 'cli/main.ts'), 'utf8').matchAll(/= \{ (.*) \};/g)][0][1].split(', ');

test('says what it has', () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { status, stdout, stderr } = cdk8sMlflow(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect([...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name)).toEqual(COMMANDS);
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(cdk8sMlflow(['--version']).stdout).toBe(`${version}\n`);
});

test.each(COMMANDS)('%s has a help with usage and exit codes, in lines of a terminal', (command) => {
  const { status, stdout, stderr } = cdk8sMlflow([command, '--help']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain(`Usage:\n  cdk8s-mlflow ${command} `);
  expect(stdout).toContain('Exit codes:');
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
});

test.each([
  [[], 'no command is given: it is one of '],
  [['delete'], '"delete" is no command: it is one of '],
  [['toString'], '"toString" is no command: it is one of '],
])('%j is no command', (args, sentence) => {
  const { status, stdout, stderr } = cdk8sMlflow(args);
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: `cdk8s-mlflow: ${sentence}${COMMANDS.join(', ')}. See: cdk8s-mlflow --help\n` });
});

test.each(COMMANDS)('%s tells an option that it does not know', (command) => {
  const { status, stderr } = cdk8sMlflow([command, '--no-such-option', ...(command === 'doctor' ? ['--client'] : [])]);
  expect(status).toBe(2);
  expect(stderr).toContain('--no-such-option');
});
