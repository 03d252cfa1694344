import { readFileSync } from 'node:fs';
import { Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PYTHON, ROOT, preflightModules, run, scratch, startScript } from '../run-script';

// the one file, as a notebook user has it
const DOCTOR = join(scratch({ 'mlflow_doctor.py': preflightModules()['mlflow_doctor.py'] }), 'mlflow_doctor.py');
const HOME = '/nonexistent';

let site: Server;
let url: string;

beforeAll(async () => {
  site = createServer((_request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Sign in</title>'));
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
});

afterAll(() => site.close());

test.each<[string, string[]]>([
  ['the file alone', [DOCTOR]],
  ['the doctor of the preflight', [startScript(), 'doctor', '--client']],
])('%s names a web site that is no tracking server', async (_case, command) => {
  const { code, stdout, stderr } = await run([PYTHON, '-S', ...command, url], { HOME });

  expect({ code, stderr }).toEqual({ code: 9, stderr: '' });
  expect(stdout).toMatch(/^✗ tracking server\n {4}ERROR: what answers there is no MLflow tracking server: /m);
  expect(stdout).toMatch(/^ {6}fix: {4}Open http:.* in a browser/m);
});

test('the file alone takes the URL of the environment, and says the same to a notebook', async () => {
  const environment = { HOME, MLFLOW_TRACKING_URI: url };
  const program = run([PYTHON, '-S', DOCTOR], environment);
  const notebook = run([PYTHON, '-S', '-c', 'import mlflow_doctor; mlflow_doctor.examine()'], { ...environment, PYTHONPATH: join(DOCTOR, '..') });

  expect(await program).toMatchObject({ code: 9, stderr: '' });
  expect(await notebook).toMatchObject({ code: 0, stdout: (await program).stdout, stderr: '' });
});

test('the file alone looks at a folder without a tracking URI, and says what the rules for clients show', async () => {
  const guide = readFileSync(join(ROOT, 'docs/how-to/clients.md'), 'utf8');
  const folder = scratch({ 'good.txt': '', 'x#1.txt': '', 'x#2.txt': '' });
  const { code, stdout, stderr } = await run([PYTHON, '-S', DOCTOR, '--check-folder', folder], { HOME });

  expect({ code, stderr }).toEqual({ code: 10, stderr: '' });
  expect(guide).toContain(`\n\`\`\`text\n${stdout.replaceAll(folder, 'results')}\`\`\`\n`);
  expect(await run([PYTHON, '-S', DOCTOR, '--check-folder', scratch({ 'good.txt': '' })], { HOME })).toMatchObject({ code: 0, stdout: '✓ names of files: none of 1 would change\n', stderr: '' });
});

test('the file alone reports for machines', async () => {
  const { stdout } = await run([PYTHON, '-S', DOCTOR, '--json', url], { HOME });

  expect(JSON.parse(stdout)).toMatchObject({ ok: false, checks: [{ ok: true }, { ok: false, cause: 'server-other', exitCode: 9 }] });
});
