import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as cdk8s from 'cdk8s';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { Demand } from '../../cli/capacity/demand';
import { FIGURES, FigureName, figure } from '../../cli/capacity/figures';
import { cpu, programOf } from '../../cli/capacity/program';
import { json, markdown, text } from '../../cli/capacity/render';
import { roomsOf } from '../../cli/capacity/rooms';
import { Sizes } from '../../cli/capacity/sizes';
import { INPUTS, Traffic, trafficOf } from '../../cli/capacity/traffic';
import { erasureSet } from '../../lib/artifact-store/minio-servers';
import * as library from '../../lib';
import { Manifests, get } from '../helpers';
import { ROOT, scratch } from '../run-script';
import { cdk8sMlflow } from './program';

const traffic = (runs: number, artifacts: number, more: Partial<Traffic> = {}): Traffic => ({ ...trafficOf({ runs: String(runs), artifacts: String(artifacts) }), ...more });
const sizes = (runs: number, artifacts: number, more?: Partial<Traffic>) => new Sizes(new Demand(traffic(runs, artifacts, more)));

const OF_THE_PAGE = [10, 1000, 100_000].flatMap((runs) => [1, 100, 10_000].map((artifacts) => [runs, artifacts] as const));
const OTHERS = [[0, 0], [0.5, 0.001], [1_000_000, 0], [0, 5000]] as const;

/** The objects of a program that the command gives. */
function synthesized(program: string): Manifests {
  const outdir = scratch();
  const { outputText } = transpileModule(program, { compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 } });
  const modules: { [name: string]: object } = { cdk8s: { ...cdk8s, App: class extends cdk8s.App { public constructor() { super({ outdir }); } } }, 'cdk8s-mlflow': library };
  new Function('require', 'exports', outputText)((name: string) => modules[name], {});
  return cdk8s.Yaml.load(join(outdir, 'mlflow.k8s.yaml')) as Manifests;
}

describe.each([...OF_THE_PAGE, ...OTHERS])('%d runs and %d GiB a day', (runs, artifacts) => {
  const size = sizes(runs, artifacts);
  const { server, database, minio } = size;

  test('the program synthesizes to what is printed', () => {
    const objects = synthesized(programOf(size));
    const deployment = get(objects, 'Deployment', 'mlflow');
    expect(deployment.spec.replicas).toBe(server.pods);
    const [mlflow] = deployment.spec.template.spec.containers;
    expect(mlflow.env).toContainEqual({ name: 'MLFLOW_WORKERS', value: String(server.workers) });
    const stores = [get(objects, 'StatefulSet', 'postgres'), get(objects, 'StatefulSet', 'minio')];
    expect(stores.map(({ spec }) => spec.replicas)).toEqual([1, minio.pods]);
    expect(stores.map(({ spec }) => spec.volumeClaimTemplates[0].spec.resources.requests.storage)).toEqual([`${database.volume}Gi`, `${minio.volume}Gi`]);
    for (const [{ resources }, given] of [[mlflow, server], [stores[0].spec.template.spec.containers[0], database], [stores[1].spec.template.spec.containers[0], minio]]) {
      const { cpuRequest, cpuLimit, memoryRequest, memoryLimit } = given.resources;
      expect([resources.requests.cpu, resources.limits.cpu]).toEqual([cpu(cpuRequest), cpu(cpuLimit)]);
      expect(mebibytes(resources.requests.memory)).toBe(memoryRequest);
      // that of PostgreSQL follows from the connections
      if (given !== database) expect(mebibytes(resources.limits.memory)).toBe(memoryLimit);
      expect(mebibytes(resources.limits.memory)).toBeGreaterThanOrEqual(memoryRequest);
    }
  });

  test('the busiest hour is within what the parts have', () => {
    for (const { times } of roomsOf(size)) expect(times).toBeGreaterThanOrEqual(1 / (size.demand.traffic.load / 100) - 1e-9);
    for (const { used, volume } of [database, minio]) expect(used).toBeLessThan(0.9 * volume);
    expect(minio.volume).toBeLessThanOrEqual(size.demand.traffic.volume);
  });
});

function mebibytes(quantity: string): number {
  const [, number, unit] = /^(\d+)([MG]i)$/.exec(quantity)!;
  return Number(number) * (unit === 'Gi' ? 1024 : 1);
}

test('the programs compile', () => {
  // of the sources, where an app has the package
  const folder = mkdtempSync(join(ROOT, 'build/capacity-'));
  try {
    OF_THE_PAGE.forEach(([runs, artifacts], index) => writeFileSync(join(folder, `${index}.ts`), programOf(sizes(runs, artifacts))));
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../examples/tsconfig.json', compilerOptions: { paths: { 'cdk8s-mlflow': ['../../lib/index.ts'] } }, include: ['*.ts'] }));
    execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '--project', folder], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

test('more of anything never takes less', () => {
  const steps = [0, 0.3, 1, 7, 50, 333, 1000, 4000, 9000, 30_000, 99_000];
  const taken = (size: Sizes) => {
    const { server, database, minio, demand } = size;
    // of all volumes, which are rounded up each
    const usable = minio.pods * minio.used * erasureSet(minio.pods).usableShare;
    return [server.pods, server.pods * server.workers, server.cores, server.pods * server.resources.memoryRequest, database.cores, database.resources.cpuLimit, database.volume, minio.pods, minio.cores, usable, demand.syncs, demand.walMebibytes, demand.fileChanges, demand.inodeGrowth];
  };
  const grows = (of: (step: number) => Sizes) => {
    let before = taken(of(steps[0]));
    for (const step of steps.slice(1)) {
      const now = taken(of(step));
      now.forEach((value, index) => expect([step, index, value]).toEqual([step, index, Math.max(value, before[index] * (1 - 1e-12))]));
      before = now;
    }
  };
  for (const other of [0, 10, 10_000]) {
    grows((step) => sizes(step, other));
    grows((step) => sizes(other, step, { days: 9 }));
    grows((step) => sizes(1000, 100, { metrics: step * 10 }));
    grows((step) => sizes(1000, other, { reads: step / 10_000 }));
    grows((step) => sizes(1000, other, { searches: step / 10 }));
    grows((step) => sizes(1000, other, { days: 1 + step / 1000 }));
  }
});

test('a run takes what its calls take', () => {
  const demand = new Demand(traffic(7200, 0, { metrics: 0, searches: 0, peak: 50 }));
  // one a second
  expect(demand.serverCores).toBeCloseTo((figure('createRun.server') + figure('logParams.server') + figure('updateRun.server')) / 1000, 10);
  expect(demand.databaseCores).toBeCloseTo((figure('createRun.postgres') + figure('logParams.postgres') + figure('updateRun.postgres')) / 1000, 10);
  expect(demand.databaseGrowth).toBeCloseTo((7200 * (figure('createRun.rows') + figure('logParams.rows') + figure('updateRun.rows'))) / 1024 ** 3, 10);
  expect([demand.transferCores, demand.minioCores(1), demand.artifactGrowth]).toEqual([0, 0, 0]);
});

test('calls of 1 and of 100 metrics take what was measured of them', () => {
  for (const [batch, name] of [[1, 'logMetric'], [100, 'logMetrics']] as const) {
    const [without, together] = [0, batch].map((metrics) => new Demand(traffic(7200, 0, { metrics, batch, searches: 0, peak: 50 })));
    expect(1000 * (together.serverCores - without.serverCores)).toBeCloseTo(figure(`${name}.server`), 6);
    expect(together.syncs - without.syncs).toBeCloseTo(Math.max(figure('logMetric.syncs'), figure(`${name}.syncs`)), 6);
  }
});

test('a GiB takes what it and its files take, and a read of it as well', () => {
  const given = { fileSize: 1024, peak: 50 };
  const [logged, read] = [0, 1].map((reads) => new Demand(traffic(0, 7200, { ...given, reads })));
  expect(1000 * logged.transferCores).toBeCloseTo(figure('upGib.server') + figure('upFile.server'), 6);
  expect(1000 * (read.minioCores(1) - logged.minioCores(1))).toBeCloseTo(figure('downGib.minio') + figure('downFile.minio'), 6);
  expect(logged.artifactGrowth).toBeCloseTo(7200 * (figure('upGib.minioBytes') + figure('upFile.minioBytes') - figure('upGib.minioBytes') / 4096) / 1024 ** 2, 6);
});

test('parts of one object are sent on, and fetched, between the servers of MinIO', () => {
  // 0.2 GiB up in a second, each in 4 parts of 1/2 of it, of which one stays
  const { minio } = sizes(0, 1440, { reads: 0, peak: 50, days: 1, volume: 1000 });
  expect([minio.pods, erasureSet(4)]).toEqual([4, { drives: 4, usableShare: 0.5 }]);
  expect(minio.network).toBeCloseTo(((0.2 * (1 + 1.5)) / 4) * 8.589934592, 6);
});

test('the figures are of all parts, and as many bytes lie on four drives as the share of objects says', () => {
  const names = Object.keys(FIGURES) as FigureName[];
  for (const name of names) expect([name, FIGURES[name].value >= 0, FIGURES[name].what !== '', FIGURES[name].unit !== '']).toEqual([name, true, true, true]);
  for (const name of ['createRun', 'logParams', 'logMetric', 'logMetrics', 'updateRun', 'searchRuns'] as const) {
    expect([name, figure(`${name}.server`) > 0, figure(`${name}.postgres`) > 0]).toEqual([name, true, true]);
  }
  for (const name of ['createRun', 'logParams', 'logMetrics'] as const) expect([name, figure(`${name}.rows`) > 0, figure(`${name}.wal`) > 0, figure(`${name}.syncs`) > 0]).toEqual([name, true, true, true]);
  expect(figure('upGib.fourMiniosBytes') * erasureSet(4).usableShare).toBeCloseTo(figure('upGib.minioBytes'), -4);
});

test('the panels and alerts that show it coming are there', () => {
  const objects = synthesized(programOf(sizes(10, 1)));
  const alerts = get(objects, 'PrometheusRule', 'mlflow').spec.groups.flatMap(({ rules }: { rules: { alert: string }[] }) => rules.map(({ alert }) => alert));
  const programs = new library.MlflowStack(cdk8s.Testing.chart(), 'Stack', { metrics: {} });
  const [dashboard] = programs.node.findAll().flatMap((construct) => (construct instanceof cdk8s.ApiObject && construct.name === 'mlflow-dashboard' ? [construct.toJson() as { data: { [file: string]: string } }] : []));
  const panels = Object.values(dashboard.data).flatMap((content) => (JSON.parse(content) as { panels: { title: string }[] }).panels.map(({ title }) => title));
  const rooms = roomsOf(sizes(10, 1));
  expect(rooms.length).toBe(4);
  for (const room of rooms) {
    for (const panel of room.panels) expect(panels).toContain(panel);
    for (const alert of room.alerts) expect(alerts).toContain(alert);
  }
  expect(alerts).toEqual(expect.arrayContaining(['MlflowVolumeNearlyFull', 'MlflowVolumeNearlyOutOfInodes']));
  expect(panels).toEqual(expect.arrayContaining(['Volumes: space in use', 'Volumes: inodes in use']));
});

describe('the command', () => {
  const ask = (...args: string[]) => cdk8sMlflow(['capacity', ...args]);

  test('says the same in all formats', () => {
    const size = sizes(1000, 100, { fileSize: 5.5, days: 30 });
    const args = ['--runs=1000', '--artifacts', '100', '--file-size=5.5', '--days=30'];
    expect(ask(...args)).toEqual({ status: 0, stdout: text(size, false), stderr: '' });
    expect(ask(...args, '--format=markdown').stdout).toBe(markdown(size));
    expect(ask(...args, '--format=json').stdout).toBe(json(size));
    expect(ask(...args, '--format=typescript').stdout).toBe(programOf(size));
    expect(markdown(size)).toContain(programOf(size));
    expect((JSON.parse(json(size)) as { program: string }).program).toBe(programOf(size));
  });

  test('has colours in a terminal only', () => {
    const size = sizes(10, 1);
    expect(text(size, false)).not.toContain('\x1b');
    expect(text(size, true).replace(/\x1b\[\d+m/g, '')).toBe(text(size, false));
    expect(text(size, true)).toContain('\x1b[1mPostgreSQL\x1b[0m');
  });

  test('has a help that names each option, and what is assumed', () => {
    const { stdout } = ask('--help');
    for (const { option, otherwise } of Object.values(INPUTS)) expect(stdout).toMatch(new RegExp(`^  --${option} .*${otherwise === undefined ? '' : `\\(${otherwise}\\)`}$`, 'm'));
  });

  test.each([
    [['--artifacts=1'], '--runs is not given: runs a day'],
    [['--runs=1'], '--artifacts is not given'],
    [['--runs=1,000', '--artifacts=1'], '--runs (runs a day) is a number from 0 to 10000000, written like 1000, and not "1,000"'],
    [['--runs=NaN', '--artifacts=1'], 'and not "NaN"'],
    [['--runs=Infinity', '--artifacts=1'], 'and not "Infinity"'],
    [['--runs=-1', '--artifacts=1'], 'and not "-1"'],
    [['--runs=1e9', '--artifacts=1'], 'and not "1e9"'],
    [['--runs=', '--artifacts=1'], 'and not ""'],
    [['--runs=1', '--artifacts=99999999999999999999'], '--artifacts (GiB of artifacts that they log in a day) is a number from 0 to 100000'],
    [['--runs=1', '--artifacts=1', '--batch=2.5'], '--batch (of these, in one call) is a whole number from 1 to 1000, written like 20'],
    [['--runs=1', '--artifacts=1', '--file-size=0'], '--file-size'],
    [['--runs=1', '--artifacts=1', '--peak=4'], '--peak (percent of the traffic of a day in its busiest hour) is a number from 4.17 to 100'],
    [['--runs=1', '--artifacts=1', '--load=0'], '--load'],
    [['--runs=1', '--artifacts=1', '--days=0'], '--days'],
    [['--runs=1', '--artifacts=1', '--format=yaml'], '--format is one of text, markdown, json, typescript, and not "yaml"'],
    [['--runs=1', '--artifacts=1', 'more'], 'more'],
    [['--runs=1', '--artifacts=100000', '--days=36500', '--volume=10'], 'this takes more than 1024 servers of MinIO with volumes of 10 GiB'],
  ])('%j is told in one sentence', (args, sentence) => {
    const { status, stdout, stderr } = ask(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(sentence);
    expect(stderr).toMatch(/^cdk8s-mlflow capacity: .*\. See: cdk8s-mlflow capacity --help\n$/);
  });

  test('numbers at the bounds are reckoned with', () => {
    expect(ask('--runs=10000000', '--artifacts=0', '--metrics=0').status).toBe(0);
    expect(ask('--runs=0', '--artifacts=0', `--peak=${100 / 24}1`).status).toBe(0);
  });
});
