import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { PYTHON, ROOT, scratch } from '../run-script';

const read = (page: string, folder = join(ROOT, 'docs')) => readFileSync(join(folder, page), 'utf8');

test('the pages are those of the catalogue', () => {
  const folder = scratch();
  mkdirSync(join(folder, 'reference'));
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/causes.mjs'), folder], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  for (const page of ['reference/causes.md', 'on-call.md']) expect([page, read(page)]).toEqual([page, read(page, folder)]);
});

test('every cause has its message, its exit code, and what to run', () => {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: ['preflight', 'backup'].map((room) => join(ROOT, 'lib', room)).join(delimiter) };
  const codes = JSON.parse(execFileSync(PYTHON, ['-c', 'import json; from preflight.causes import CAUSES; from mlflow_backup.causes import CAUSES as BACKUP; print(json.dumps([cause.code for cause in (*CAUSES.values(), *BACKUP.values())]))'], { encoding: 'utf8', env })) as number[];
  const entries = [...read('reference/causes.md').matchAll(/^\*\*(.+)\*\* \(exit code (\d+)\)\n\n- Cause: .+\n- Fix: .+\n\n```sh\n.+\n/gm)];
  expect(entries.map(([, , code]) => Number(code)).sort()).toEqual([...codes].sort());
});

test('what is pasted into a search engine is a heading', () => {
  const headings = [...read('reference/causes.md').matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
  for (const text of ['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'NoCredentialsError', 'NoSuchBucket', 'AccessDenied', 'too many 500 error responses', 'password authentication failed', 'Invalid Host header', 'A restore that does not begin']) {
    expect([text, headings.some((heading) => heading.includes(text))]).toEqual([text, true]);
  }
});
