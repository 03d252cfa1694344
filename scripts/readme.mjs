// Fills the figures of README.md in, between their comments, from where they are generated or measured. With a folder as
// argument it writes the README there.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path) => readFileSync(join(root, path), 'utf8');

function found(path, pattern) {
  const match = pattern.exec(read(path));
  if (match === null) throw new Error(`scripts/readme.mjs: ${path} has no ${pattern}`);
  return match.slice(1);
}

const reliability = 'docs/reference/reliability.md';
const causes = read('docs/reference/causes.md').match(/^\*\*.+\*\* \(exit code \d+\)$/gm).length;
const manifests = read('dist/mlflow.k8s.yaml').split(/^---$/m);
const secrets = manifests.filter((text) => /^kind: Secret$/m.test(text));
if (secrets.some((text) => /^(data|stringData):/m.test(text))) throw new Error('scripts/readme.mjs: a Secret in dist/mlflow.k8s.yaml has data');
const [times] = found('docs/reference/benchmarks.md', /^\| 1 GiB up \| the stack \| .*? \| ([\d.]+) × .*\|$/m);
const [rows, objects, , all] = found(reliability, /^- backup of (\d+ rows) and (\d+ objects of \d+ MiB) in (\d+ s), back in \d+ s; from nothing to all of it in (\d+ s)/m);
const [places, seconds] = found(reliability, /^- (\d+) places moved in one transaction of ([\d.]+ s), and taken back$/m);
const [writes] = found(reliability, /^(\d+ acknowledged writes were read back at the end, and \d+ were lost\.)$/m);
// a row that has no figures yet says nothing
const replicas = /^\| two and three replicas on an empty database, again and again \(([^|]*)\) \|/m.exec(read(reliability));

const figures = {
  proxied: `1 GiB up in ${times} times the time of boto3 without a server between`,
  causes: `${causes} causes`,
  secrets: `${secrets.length} Secrets`,
  replicas: replicas === null ? '' : `: ${replicas[1]}`,
  backup: `a lost stack of ${rows} and ${objects} was back, compared by SHA-256, in ${all}`,
  old: `${places} places moved from \`s3://\` in one transaction of ${seconds}, and taken back`,
  writes,
};
let readme = read('README.md');
for (const [name, text] of Object.entries(figures)) {
  const pattern = new RegExp(`(<!-- ${name} -->).*?(<!-- end -->)`);
  if (!pattern.test(readme)) throw new Error(`scripts/readme.mjs: README.md has no <!-- ${name} -->…<!-- end -->`);
  readme = readme.replace(pattern, (_, before, after) => before + text + after);
}
writeFileSync(join(process.argv[2] ?? root, 'README.md'), readme);
