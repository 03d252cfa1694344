// Writes docs/reference/capacity.md between its comments: what `cdk8s-mlflow capacity` says of some sizes, and the figures on which it
// rests. With a folder as argument it writes the page there.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = 'docs/reference/capacity.md';
const program = join(root, 'build/capacity.js');
const measured = JSON.parse(readFileSync(join(root, 'cli/capacity/measured.json'), 'utf8'));

bundle(program);
const sizes = [10, 1000, 100_000].flatMap((runs) =>
  [1, 100, 10_000].map((artifacts) => JSON.parse(execFileSync(process.execPath, [program, 'capacity', `--runs=${runs}`, `--artifacts=${artifacts}`, '--format=json'], { encoding: 'utf8' }))),
);

function digits(value) {
  if (value === null) return 'never';
  if (value > 0 && value < 0.01) return '< 0.01';
  return (value >= 100 ? Math.round(value) : Number(value.toPrecision(2))).toLocaleString('en-GB', { maximumFractionDigits: 2 });
}
const gibibytes = (value) => `${digits(value)} GiB`;
const cores = (value) => (Number.isInteger(value) ? value : `${Math.round(value * 1000)}m`);
const memory = (value) => (value % 1024 === 0 ? `${value / 1024} GiB` : `${value} MiB`);
const times = (value) => (value === null || value > 1000 ? '> 1,000 ×' : `${digits(value)} ×`);
const many = (pods, of) => (pods === 1 ? of : `${pods} × ${of}`);
const requests = ({ cpuRequest, memoryRequest }) => `${cores(cpuRequest)}, ${memory(memoryRequest)}`;
const table = (heads, rows) => [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const bySize = (heads, cells) =>
  table(
    ['Runs a day', 'GiB a day', ...heads],
    sizes.map((size) => [size.traffic.runs.toLocaleString('en-GB'), size.traffic.artifacts.toLocaleString('en-GB'), ...cells(size)]),
  );

const parts = [
  '### What it has to be',
  'Requests of CPU and memory of each pod, and its volume.',
  bySize(['Tracking server', 'PostgreSQL', 'MinIO'], ({ trackingServer, postgres, minio }) => [
    `${many(trackingServer.pods, `${trackingServer.workers} worker${trackingServer.workers === 1 ? '' : 's'}`)}: ${requests(trackingServer.resources)}`,
    `${requests(postgres.resources)}, ${gibibytes(postgres.volume)}`,
    `${minio.pods} server${minio.pods === 1 ? '' : 's'}: ${requests(minio.resources)}, ${gibibytes(minio.volume)}`,
  ]),
  '### What it does in the busiest hour',
  'Cores that are in use together; how often in a second PostgreSQL waits for its disk, and a server of MinIO changes its file system, which is what to ask of volumes in IOPS; MiB that a server of MinIO writes in a second; the network of the pod that has most.',
  bySize(['Tracking server', 'PostgreSQL', 'MinIO', 'Disk of PostgreSQL', 'Disk of MinIO', 'Network'], ({ trackingServer, postgres, minio }) => [
    ...[trackingServer, postgres, minio].map((part) => digits(part.cores)),
    `${digits(postgres.syncsPerSecond)} syncs/s, ${digits(postgres.logMebibytesPerSecond)} MiB/s`,
    `${digits(minio.fileChangesPerSecond)}/s, ${digits(minio.writtenMebibytesPerSecond)} MiB/s`,
    `${digits(Math.max(trackingServer.network, minio.network))} Gbit/s`,
  ]),
  '### What is full first',
  'How many times the traffic it takes, with what comes next; and after how many days the alert of the volumes fires, where nothing is deleted.',
  bySize(['First', 'Then', 'Volume of PostgreSQL', 'Volumes of MinIO'], ({ rooms: [first, second], postgres, minio }) => [
    ...[first, second].map((room) => `${room.part}, at ${times(room.times)}`),
    ...[postgres, minio].map(({ daysUntilAlert }) => `after ${digits(Math.floor(daysUntilAlert))} days`),
  ]),
  '### What it costs',
  'Requests and volumes of all pods together, and what goes in and out of the tracking server. Prices are those of your cloud.',
  bySize(['Cores', 'Memory', 'Volumes', 'Of these, artifacts', 'Traffic a day'], ({ totals, minio, traffic }) => [
    digits(totals.cores),
    gibibytes(totals.mebibytes / 1024),
    gibibytes(totals.volumes),
    `${Math.round((100 * minio.pods * minio.volume) / totals.volumes)} %`,
    gibibytes(2 * traffic.artifacts * (1 + traffic.reads)),
  ]),
  '### How one sees it coming',
  'Panels of the [dashboard](../how-to/monitor.md) and its alerts.',
  table(
    ['Full is', 'The sign', 'Panels', 'Alert', 'What helps'],
    [...sizes[0].rooms]
      .sort((one, other) => (one.part < other.part ? -1 : 1))
      .map(({ part, sign, panels, alerts, then }) => [part, sign, panels.join(', '), alerts.map((alert) => `[${alert}](../how-to/monitor.md#${alert.toLowerCase()})`).join(', ') || 'none of this library', then])
      .concat([['a volume', 'it fills by as much each day', 'Volumes: space in use, Volumes: inodes in use', '[MlflowVolumeNearlyFull](../how-to/monitor.md#mlflowvolumenearlyfull), [MlflowVolumeNearlyOutOfInodes](../how-to/monitor.md#mlflowvolumenearlyoutofinodes)', '[a larger volume](../how-to/operate.md#a-larger-volume), or fewer days']]),
  ),
  '### What was measured',
  `On ${measured.date}, on ${measured.machine}, by \`${measured.command}\`. Medians; CPU is that of all processes of the part.`,
  table(
    ['What', 'Of', 'Figure'],
    Object.values(measured.figures).map(({ what, with: who, value, unit }) => [what, who, `${value.toLocaleString('en-GB', { maximumFractionDigits: 3 })} ${unit}`]),
  ),
];

const [before, rest] = readFileSync(join(root, page), 'utf8').split('<!-- capacity -->\n');
writeFileSync(process.argv[2] === undefined ? join(root, page) : join(process.argv[2], 'capacity.md'), `${before}<!-- capacity -->\n${parts.join('\n\n')}\n\n${rest.slice(rest.indexOf('<!-- end -->'))}`);
