import { MACHINE, MEASURED_ON } from './figures';
import { cpu, programOf } from './program';
import { Room, daysUntilAlert, notesOf, roomsOf } from './rooms';
import { Sizes } from './sizes';

const PAGE = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs/reference/capacity.md';

/** Three digits, and no more than are known. */
export function digits(value: number): string {
  if (value === 0) return '0';
  if (value < 0.01) return '< 0.01';
  const rounded = value >= 100 ? Math.round(value) : Number(value.toPrecision(value >= 10 ? 3 : 2));
  return rounded.toLocaleString('en-GB', { maximumFractionDigits: 2 });
}

const mebibytes = (value: number) => (value % 1024 === 0 ? `${value / 1024} GiB` : `${value} MiB`);
const gibibytes = (value: number) => `${digits(value)} GiB`;
const days = (value: number) => (value > 36_500 ? 'more than a century' : `${Math.floor(value)} days`);
const times = ({ times: value }: Room) => (value > 1000 ? '> 1,000 ×' : `${digits(value)} ×`);

/** Rows of what each part is, and what it does in the busiest hour. */
function rowsOf(sizes: Sizes): string[][] {
  const { server, database, minio, demand } = sizes;
  const pod = ({ resources }: Sizes['server' | 'minio']) => [
    `${cpu(resources.cpuRequest)} to ${cpu(resources.cpuLimit)}`,
    `${mebibytes(resources.memoryRequest)} to ${mebibytes(resources.memoryLimit)}`,
  ];
  const [databaseCpu] = pod(database);
  const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`;
  return [
    ['', 'Pods', 'CPU of each', 'Memory of each', 'Volume of each', 'Cores in use', 'Network of each', 'Disk of each'],
    ['Tracking server', `${server.pods} of ${count(server.workers, 'worker')}`, ...pod(server), '–', digits(server.cores), `${digits(server.network)} Gbit/s`, '–'],
    [
      'PostgreSQL',
      '1',
      databaseCpu,
      `${mebibytes(database.resources.memoryRequest)} to what its connections need`,
      gibibytes(database.volume),
      digits(database.cores),
      '–',
      `${digits(demand.syncs)} syncs/s, ${digits(demand.walMebibytes)} MiB/s of log`,
    ],
    ['MinIO', String(minio.pods), ...pod(minio), gibibytes(minio.volume), digits(minio.cores), `${digits(minio.network)} Gbit/s`, `${digits(demand.fileChanges)} changes of files/s, ${digits(writtenMebibytes(sizes))} MiB/s written`],
  ];
}

/** MiB that each server of MinIO writes in a second of the busiest hour. */
function writtenMebibytes({ minio, demand }: Sizes): number {
  const { days: kept } = demand.traffic;
  return (minio.used / kept) * 1024 * demand.second;
}

function asked({ demand: { traffic } }: Sizes): string {
  const { runs, artifacts, metrics, fileSize, reads, searches, peak, days: kept } = traffic;
  return `${digits(runs)} runs and ${gibibytes(artifacts)} of artifacts a day; ${digits(metrics)} metrics a run, files of ${digits(fileSize)} MiB, ${digits(reads)} GiB read for each that is logged, ${digits(searches)} searches a run, ${digits(peak)} % in the busiest hour, kept for ${digits(kept)} days`;
}

function bottleneck(sizes: Sizes): string[] {
  const rooms = roomsOf(sizes);
  const [first, ...others] = rooms;
  const alerts = first.alerts.length === 0 ? 'no alert of this library' : `alert ${first.alerts.join(', ')}`;
  return [
    `First full: ${first.part}, at ${times(first)} this traffic (then ${others.map((room) => `${room.part} at ${times(room)}`).join(', ')}).`,
    `To see it coming: ${first.sign} (panels ${first.panels.map((panel) => `"${panel}"`).join(' and ')} of the dashboard; ${alerts}). What helps: ${first.then}.`,
    `Volumes: MlflowVolumeNearlyFull fires for PostgreSQL after ${days(daysUntilAlert(sizes.database))}, for MinIO after ${days(daysUntilAlert(sizes.minio))}, where nothing is deleted; panel "Volumes: space in use".`,
  ];
}

function costs({ totals, demand, minio }: Sizes): string {
  const { up, down } = demand.rates;
  const [share, traffic] = [(minio.pods * minio.volume) / totals.volumes, ((up + down) * 2) / demand.second];
  return `What it costs: requests of ${digits(totals.cores)} cores and ${gibibytes(totals.mebibytes / 1024)} of memory, volumes of ${gibibytes(totals.volumes)} (${Math.round(100 * share)} % for artifacts), ${gibibytes(traffic)} a day in and out of the tracking server.`;
}

const measured = `Rests on what was measured on ${MEASURED_ON} (${MACHINE}), which says nothing of larger nodes, of your network and of your disks: ${PAGE}`;

export function text(sizes: Sizes, colours: boolean): string {
  const paint = (code: number, line: string) => (colours ? `\x1b[${code}m${line}\x1b[0m` : line);
  const rows = rowsOf(sizes);
  const [heads, ...parts] = rows;
  const blocks = parts.map(([name, ...cells]) => [paint(1, name), ...cells.flatMap((cell, index) => (cell === '–' ? [] : [`  ${heads[index + 1].padEnd(16)} ${cell}`]))].join('\n'));
  const [first, ...more] = bottleneck(sizes);
  const notes = notesOf(sizes).map(({ text: words, link }) => paint(2, `· ${words} (${link})`));
  return `${[`For ${asked(sizes)}:`, ...blocks, [paint(33, first), ...more, costs(sizes), ...notes].join('\n'), measured, 'The program: the same command with --format typescript'].join('\n\n')}\n`;
}

export function markdown(sizes: Sizes): string {
  const [heads, ...rows] = rowsOf(sizes).map((row) => `| ${row.join(' | ')} |`);
  const table = [heads, `|${' --- |'.repeat(8)}`, ...rows].join('\n');
  const notes = notesOf(sizes).map(({ text: words, link }) => `- ${words}: [more](${link}).`);
  return `For ${asked(sizes)}:\n\n${table}\n\n${[...bottleneck(sizes), costs(sizes)].map((line) => `- ${line}`).join('\n')}\n${notes.join('\n')}\n\n\`\`\`ts\n${programOf(sizes)}\`\`\`\n\n${measured}\n`;
}

export function json(sizes: Sizes): string {
  const { server, database, minio, demand, totals } = sizes;
  const result = {
    traffic: demand.traffic,
    measured: { date: MEASURED_ON, machine: MACHINE },
    trackingServer: server,
    postgres: { ...database, syncsPerSecond: demand.syncs, logMebibytesPerSecond: demand.walMebibytes, daysUntilAlert: daysUntilAlert(database) },
    minio: { ...minio, fileChangesPerSecond: demand.fileChanges, writtenMebibytesPerSecond: writtenMebibytes(sizes), inodesPerDay: demand.inodeGrowth, daysUntilAlert: daysUntilAlert(minio) },
    totals,
    rooms: roomsOf(sizes),
    notes: notesOf(sizes),
    program: programOf(sizes),
  };
  return `${JSON.stringify(result, undefined, 2)}\n`;
}
