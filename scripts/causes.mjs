// Writes the pages that are made of the catalogue of causes: docs/reference/causes.md, and the tables of docs/on-call.md
// between its comments. With a folder as argument it writes them there.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const docs = process.argv[2] ?? join(root, 'docs');

// What people see and look for, by what it is about: the text of the error, as it stands in a traceback or a log, and the
// causes it has. A cause whose own message is what one sees stands without such a text, by its message.
const SYMPTOMS = [
  [
    'A client, with a traceback',
    'The traceback is in the notebook or the job, and `kubectl get pods --namespace mlflow` shows nothing wrong.',
    [
      ['S3UploadFailedError: An error occurred (InvalidAccessKeyId) when calling the PutObject operation', ['experiment-direct', 'client-keys']],
      ["MlflowException: API request failed (Caused by ResponseError('too many 500 error responses'))", ['server-error']],
      ['MlflowException: API request failed: Max retries exceeded with url', ['server-absent', 'presigned-offered']],
      ['A call that takes a minute, Read timed out', ['server-waits']],
      ['Invalid Host header', ['host-refused']],
      ['401 Unauthorized', ['login-needed', 'login-refused']],
      ['403 Permission denied', ['login-denied']],
      ['An answer that is HTML, or 404 for every request', ['server-other']],
      ['404 for an artifact that was logged', ['file-names']],
    ],
  ],
  [
    'The server, and its key of the artifact store',
    'Clients see `too many 500 error responses`; a pod that starts anew does not become ready, and says this in its log and in `kubectl describe pod`.',
    [
      ['An error occurred (InvalidAccessKeyId): The Access Key Id you provided does not exist in our records', ['key-unknown', 'endpoint-elsewhere']],
      ['An error occurred (SignatureDoesNotMatch)', ['secret-wrong', 'endpoint-path']],
      ['An error occurred (InvalidTokenId)', ['session-token']],
      ['An error occurred (RequestTimeTooSkewed)', ['clock']],
      ['NoCredentialsError: Unable to locate credentials, PartialCredentialsError', ['key-missing', 'pod-identity', 'cloud-credentials']],
      ['AccessDenied when calling the AssumeRoleWithWebIdentity operation', ['pod-role']],
      ['ProfileNotFound: The config profile could not be found', ['profile-missing']],
      ['ValueError: Invalid header value', ['key-form']],
    ],
  ],
  [
    'The server, and the address of the artifact store',
    'Likewise: the key is good, and where it is taken to is not.',
    [
      ['EndpointConnectionError: Could not connect to the endpoint URL', ['store-absent', 'cloud-absent', 'virtual-addressing']],
      ['ValueError: Invalid endpoint', ['endpoint-form', 'endpoint-bucket', 'destination-form']],
      ['An error occurred (NoSuchBucket): The specified bucket does not exist', ['bucket-missing', 'cloud-bucket-missing', 'artifacts-lost']],
      ['An error occurred (AccessDenied): Access Denied', ['denied', 'cloud-denied']],
      ['SSLError: certificate verify failed', ['store-certificate', 'store-tls']],
      ['ProxyConnectionError: Failed to connect to proxy URL', ['proxy']],
      ['507, XMinioStorageFull, XMinioAdminBucketQuotaExceeded', ['store-full']],
      ['NotImplemented: A header you provided implies functionality that is not implemented', ['upload-args', 'upload-args-form']],
      ['MissingContentMD5, and artifacts that cannot be deleted', ['delete-md5', 'delete-objects']],
      ['AuthorizationHeaderMalformed, and presigned URLs that do not work', ['region', 'presigned']],
      ['Other answers of the store', ['store-error']],
    ],
  ],
  [
    'The server, and the database',
    'The pod does not become ready, and says this in its log and in `kubectl describe pod`; a server that runs answers 500 and 503.',
    [
      ['FATAL: password authentication failed for user "mlflow"', ['database-refuses']],
      ['connection to server failed: Connection refused, could not translate host name', ['database-absent', 'replica']],
      ['FATAL: database "mlflow" does not exist', ['database-missing']],
      ['permission denied for table, must be owner of table', ['database-error', 'database-init']],
      ['SSL error: certificate verify failed, server does not support SSL', ['database-certificate', 'database-tls']],
      ["ModuleNotFoundError: No module named 'MySQLdb', Can't load plugin: sqlalchemy.dialects", ['database-driver']],
      ['Could not parse SQLAlchemy URL', ['database-uri', 'database-uri-form']],
      ['Detected out-of-date database schema', ['schema-older', 'schema-waits', 'schema-upgrade', 'schema-backup']],
      ["Can't locate revision identified by", ['schema-newer']],
    ],
  ],
  [
    'The server, its login and its secrets',
    'The pod does not become ready, and says this in its log and in `kubectl describe pod`.',
    [
      ['A login that does not start', ['login-missing', 'login-password', 'login-config']],
      ['Secrets of webhooks that cannot be read', ['webhook-key-form', 'webhook-key-wrong', 'webhook-rotation']],
      ['API keys of the AI gateway that cannot be read', ['kek-public', 'kek-version', 'kek-wrong', 'kek-rotation']],
      ['A check that ends by itself', ['check-failed']],
    ],
  ],
  [
    'Clean-up',
    'The CronJob `mlflow-gc`, or `gc` in a pod of the server, says this in its log.',
    [
      ['mlflow gc that does not begin', ['gc-missing', 'gc-schema', 'gc-other-database']],
      ['mlflow gc that does not delete all', ['gc-kept']],
      ['Files that belong to nobody', ['orphans-unsupported', 'orphans-all']],
    ],
  ],
  [
    'Old experiments that are moved',
    '`relocate`, in a pod or in the Job of `Relocation`, says this.',
    [
      ['A move that does not begin', ['relocate-direct', 'relocate-unsupported', 'relocate-tables', 'relocate-undo']],
      ['A move that is not whole', ['relocate-taken', 'relocate-copy', 'relocate-absent', 'relocate-verify']],
    ],
  ],
  [
    'Backups, and the way back',
    'The Jobs of the CronJobs `mlflow-backup` and `mlflow-restore` say this in the log of the container that failed.',
    [
      ['A backup that fails', ['backup-destination', 'backup-store', 'backup-objects', 'backup-damaged']],
      ['A backup of an empty database', ['backup-empty']],
      ['A restore that does not begin', ['restore-none', 'restore-revision', 'restore-taken']],
      ['A restore that is not whole', ['restore-objects', 'restore-rows']],
    ],
  ],
];

// the texts and commands of the catalogue, with the values that the default stack has
const CATALOGUE = `
import json, re
from preflight.causes import USUAL
from preflight.problem import Problem
from mlflow_backup import causes
causes.register()
CAUSES = Problem.causes
from preflight.commands import COMMANDS, OTHERS
from preflight import exits
texts = "".join(cause.title + cause.why + cause.fix for cause in CAUSES.values())
usual = {"kubectl": "kubectl --namespace mlflow", "deployment": "mlflow", "secret": "NAME"}
shown = {"form": "what is wrong", "answer_code": "code of the answer", "actual": "what is there", "source": "Secret and key", "secret_source": "Secret and key",
    "login_source": "Secret and key", "password_source": "Secret and key", "elsewhere": "variable", "reads": "what MLflow reads", "state": "what was left", "what": "variable", "roots": "places", "inner": "what the store says", "mend": "what mends it", "known": "their names"}
names = {name: usual.get(name, USUAL.get(name, f"<{shown.get(name, name)}>")) for name in re.findall(r"\\{(\\w+)\\}", texts)}
plain = lambda text: re.sub(r": \\.$", ".", text.format(**names))
print(json.dumps({name: {"code": cause.code, "title": plain(cause.title), "why": plain(cause.why), "fix": plain(cause.fix),
    "commands": [command.format(**usual) for command in COMMANDS.get(name, OTHERS)]} for name, cause in CAUSES.items()}))
`;
const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: ['preflight', 'backup'].map((room) => join(root, 'lib', room)).join(delimiter) };
const catalogue = JSON.parse(execFileSync('python3', ['-c', CATALOGUE], { encoding: 'utf8', env }));

const placed = SYMPTOMS.flatMap(([, , texts]) => texts.flatMap(([, causes]) => causes));
const wrong = [
  ...Object.keys(catalogue).filter((name) => !placed.includes(name)),
  ...placed.filter((name, index) => catalogue[name] === undefined || placed.indexOf(name) !== index),
];
if (wrong.length > 0) throw new Error(`scripts/causes.mjs: each cause of the catalogue stands in SYMPTOMS, once: ${wrong.join(', ')}`);

// what is no code, in a text that is Markdown
const prose = (text) => text.replace(/[<>*_|]/g, (character) => ({ '<': '&lt;', '>': '&gt;' })[character] ?? `\\${character}`).replace(/\bhttps?:\/\/\S*[^\s.,;:)]/g, (url) => `\`${url.replaceAll('\\', '').replaceAll('&lt;', '<').replaceAll('&gt;', '>')}\``);

function entry(name) {
  const { code, title, why, fix, commands } = catalogue[name];
  return [`**${prose(title)}** (exit code ${code})`, '', `- Cause: ${prose(why)}`, `- Fix: ${prose(fix)}`, '', '```sh', ...commands, '```', ''].join('\n');
}

/** The anchor that GitHub gives to a heading. */
const anchor = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');

const CODES = {
  1: 'credentials are missing',
  2: 'a command was called in a wrong way',
  3: 'a variable or a flag has a wrong form',
  4: 'the artifact store refuses',
  5: 'the artifact store is not there, or has no room',
  6: 'the database refuses',
  7: 'the database is not there',
  8: 'the schema of the database',
  9: 'a client does not reach the server, or is refused',
  10: 'a client or an experiment is set up for S3',
  11: 'done, but for what is named',
  12: 'a backup failed',
  13: 'a restore failed',
};
for (const { code } of Object.values(catalogue)) if (CODES[code] === undefined) throw new Error(`scripts/causes.mjs: say what exit code ${code} is in CODES`);

const page = [
  '# Causes and exit codes',
  '',
  'Everything that the preflight, the doctor, the monitor, the clean-up and the backups name, by what one sees. A tracking server that cannot store an artifact does not start: `kubectl describe pod` and the log have what was tried, what came',
  'back, the cause and the fix. For one that runs, ask the doctor:',
  '',
  '```sh',
  'kubectl exec --namespace mlflow deployment/mlflow -- python3 /app/start-mlflow.py doctor',
  '```',
  '',
  'On the other side, [one file](../how-to/doctor-for-clients.md) tells a notebook whether it is the environment, the server or the experiment. The commands are for the namespace and the names of the default stack; what a pod says has its own.',
  '',
  ...SYMPTOMS.map(([symptom]) => `- [${symptom}](#${anchor(symptom)})`),
  '- [Exit codes](#exit-codes)',
  '',
  ...SYMPTOMS.flatMap(([symptom, intro, texts]) => [`## ${symptom}`, '', intro, '', ...texts.flatMap(([text, causes]) => [`### ${text}`, '', ...causes.map(entry)])]),
  '## Exit codes',
  '',
  'The doctor exits with the code of the first cause that it finds, and so does a pod that does not start.',
  '',
  '| Exit code | What it is about |',
  '| --- | --- |',
  ...Object.entries(CODES).map(([code, text]) => `| ${code} | ${text} |`),
  '',
].join('\n');
writeFileSync(join(docs, 'reference/causes.md'), page);

// for who is on call: the alerts of the guide, and of the causes those that a server has which serves
const cell = (text) => text.replaceAll('|', '\\|');
const changes = (text) => /\b(delete|apply|rollout|create)\b/.test(text);
const command = (text) => `${changes(text) ? '⚠ ' : ''}\`${cell(text)}\``;
/** The first; where it takes something away, with the ones that bring it back. */
function first(commands) {
  const end = commands.findIndex((text) => !changes(text));
  return / delete /.test(commands[0]) ? commands.slice(0, end < 0 ? undefined : end).join('; ') : commands[0];
}
const table = (...rows) => ['| What one sees | Cause | First command |', '| --- | --- | --- |', ...rows, ''].join('\n');
const monitor = readFileSync(join(root, 'docs/how-to/monitor.md'), 'utf8');
const alerts = [...monitor.matchAll(/^\| (Mlflow\w+) \| (critical|warning) \| (.*) \|$/gm)].map(([, name, severity, when]) => {
  const chapter = monitor.slice(monitor.indexOf(`### ${name}`)).split(/\n##/)[0];
  const [, run] = /^```\w+\n(.*)$/m.exec(chapter) ?? [undefined, 'kubectl --namespace mlflow get pvc'];
  return `| [${name}](how-to/monitor.md#${anchor(name)}), ${severity} | ${when} | ${command(run)} |`;
});
const messages = SYMPTOMS.slice(0, 4).flatMap(([, , texts]) =>
  texts.map(([text, causes]) => {
    const titles = causes.map((name) => catalogue[name].title).join('; or ');
    return `| [${cell(text)}](reference/causes.md#${anchor(text)}) | ${cell(prose(titles))} | ${command(first(catalogue[causes[0]].commands))} |`;
  }),
);
let text = readFileSync(join(root, 'docs/on-call.md'), 'utf8');
for (const [name, rows] of [['alerts', alerts], ['causes', messages]]) {
  const begin = `<!-- ${name} -->\n`;
  const from = text.indexOf(begin) + begin.length;
  text = text.slice(0, from) + table(...rows) + text.slice(text.indexOf('<!-- end -->', from));
}
writeFileSync(join(docs, 'on-call.md'), text);
