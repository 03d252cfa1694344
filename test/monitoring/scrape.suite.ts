// What a real Prometheus makes of the pages of a real MLflow server and of the store monitor: the rules and the dashboard
// speak of metrics that are there. Needs Prometheus, and a Python with MLflow, its exporter and the drivers of both stores.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { MlflowStack } from '../../lib';
import { ofKind } from '../helpers';
import { freePort, program, start, until } from '../processes';
import { Environment, scratch, startScript } from '../run-script';
import { GET_PROMETHEUS, dashboardOf, rulesOf } from './metrics';

const MODULES = ['mlflow', 'prometheus_flask_exporter', 'boto3', 'psycopg2'];
const FIND_MODULES = `import importlib.util, sys; missing = [m for m in sys.argv[1:] if not importlib.util.find_spec(m)]; sys.exit(missing or None)`;
const PROMETHEUS = program('PROMETHEUS', 'prometheus', GET_PROMETHEUS, ['--version']);
const PYTHON = program('PYTHON', 'python3', 'pip install mlflow prometheus-flask-exporter boto3 psycopg2-binary, or set PYTHON', ['-c', FIND_MODULES, ...MODULES]);

const LIMIT_MS = 120_000;
jest.setTimeout(LIMIT_MS + 30_000);

/** Working; has lost a table, its stores and nearly all its space; is not there at all. */
const NAMESPACES = ['working', 'broken', 'gone'];
const charts = NAMESPACES.map((namespace) => {
  const chart = new Chart(Testing.app(), 'test', { namespace });
  new MlflowStack(chart, 'Stack', { metrics: {} });
  return Testing.synth(chart);
});

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: string;
}
interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: { readonly metric: Record<string, string>; readonly value: [number, string] }[];
    readonly groups: { readonly file: string; readonly rules: Rule[] }[];
  };
}

let kubelet: Server;
let mlflow: { [namespace: string]: string };
let prometheus: string;

/** A program that has a home. */
function serve(command: string[], env: Environment = {}): void {
  start(command, { HOME: scratch(), ...env });
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

const eventually = <T>(what: string, attempt: () => Promise<T | undefined>) => until(what, attempt, LIMIT_MS);
const answers = (url: string) => eventually(url, async () => (await fetch(url)).ok || undefined);
const ask = async (path: string) => (await (await fetch(`${prometheus}/api/v1/${path}`)).json()) as Answer;

/** An MLflow server with a database of its own. */
async function startMlflow(): Promise<{ url: string; database: string }> {
  const [port, directory] = [await freePort(), scratch()];
  const database = join(directory, 'mlflow.db');
  serve(
    [
      PYTHON,
      '-m',
      'mlflow',
      'server',
      '--host=127.0.0.1',
      `--port=${port}`,
      `--backend-store-uri=sqlite:///${database}`,
      `--artifacts-destination=${directory}`,
    ],
    {
      MLFLOW_WORKERS: '1',
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_EXPOSE_PROMETHEUS: scratch(),
    },
  );
  return { url: `http://127.0.0.1:${port}`, database };
}

/** The store monitor. Nothing listens at port 1. */
async function startMonitor(uri: string, destination: string): Promise<string> {
  const port = await freePort();
  serve([PYTHON, startScript(), 'monitor', `--backend-store-uri=${uri}`, `--artifacts-destination=${destination}`], {
    STARTUP_MONITOR_PORT: String(port),
    MLFLOW_S3_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_ACCESS_KEY_ID: 'nobody',
    AWS_SECRET_ACCESS_KEY: 'nothing',
    PGUSER: 'nobody',
    PGPASSWORD: 'nothing',
  });
  return `127.0.0.1:${port}`;
}

/** The metrics of kubelet, cAdvisor and kube-state-metrics that are in use, by the names that Kubernetes gives them. */
function kubeletPage(): string {
  const volumes = [
    ['working', 50],
    ['broken', 5],
  ].flatMap(([namespace, free]) =>
    ['data-postgres-0', 'data-minio-0'].flatMap((claim) =>
      Object.entries({ capacity_bytes: 100, available_bytes: free, inodes: 100, inodes_free: free }).map(
        ([metric, value]) => `kubelet_volume_stats_${metric}{namespace="${namespace}",persistentvolumeclaim="${claim}"} ${value}`,
      ),
    ),
  );
  const cleanUps = [
    ['working', 101],
    ['broken', 99],
  ].flatMap(([namespace, last_successful_time]) =>
    Object.entries({ last_schedule_time: 100, last_successful_time, active: 0 }).map(([metric, value]) => `kube_cronjob_status_${metric}{namespace="${namespace}",cronjob="mlflow-gc"} ${value}`),
  );
  const evicted = ['working', 'broken'].map((namespace) => `kube_pod_status_reason{namespace="${namespace}",pod="mlflow-7d9f8b6c5-k4w9p",reason="Evicted"} ${namespace === 'broken' ? 1 : 0}`);
  const container = '{namespace="working",pod="mlflow-7d9f8b6c5-x2x8z",container="mlflow"}';
  return [...volumes, ...cleanUps, ...evicted, `container_memory_working_set_bytes${container} 4e8`, `container_cpu_usage_seconds_total${container} ${process.uptime() / 10}`, ''].join(
    '\n',
  );
}

beforeAll(async () => {
  kubelet = createServer((_, response) => response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(kubeletPage()));
  const [working, broken] = [await startMlflow(), await startMlflow()];
  const monitors = [await startMonitor('sqlite:///mlflow.db', '/artifacts'), await startMonitor('postgresql://127.0.0.1:1/mlflow', 's3://bucket')];
  mlflow = { working: working.url, broken: broken.url };
  await Promise.all([...Object.values(mlflow).map((url) => answers(`${url}/health`)), ...monitors.map((host) => answers(`http://${host}/metrics`))]);
  execFileSync(PYTHON, ['-c', 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("DROP TABLE experiments")', broken.database]);

  const port = await freePort();
  // the labels that the Prometheus operator makes of a ServiceMonitor
  const pod = (host: string, namespace: string, service: string) => ({ targets: [host], labels: { namespace, job: service, service, pod: host } });
  const targets = ['working', 'broken'].flatMap((namespace, index) => [
    pod(new URL(mlflow[namespace]).host, namespace, 'mlflow-service'),
    pod(monitors[index], namespace, 'mlflow-monitor'),
  ]);
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['*.rules'],
    scrape_configs: [
      { job_name: 'stacks', static_configs: targets },
      { job_name: 'kubelet', honor_labels: true, static_configs: [{ targets: [`127.0.0.1:${await listen(kubelet)}`] }] },
    ],
  };
  const files = charts.map((objects, index) => [`${NAMESPACES[index]}.rules`, JSON.stringify(ofKind(objects, 'PrometheusRule')[0].spec)]);
  const directory = scratch({ 'prometheus.yml': JSON.stringify(config), ...Object.fromEntries(files) });
  serve([PROMETHEUS, `--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${scratch()}`, `--web.listen-address=127.0.0.1:${port}`]);
  prometheus = `http://127.0.0.1:${port}`;
  await answers(`${prometheus}/-/ready`);
});

afterAll(() => {
  kubelet.close();
});

/** Users of both servers, as long as they are needed. */
async function use(): Promise<void> {
  await Promise.all(Object.values(mlflow).map((url) => fetch(`${url}/api/2.0/mlflow/experiments/get?experiment_id=0`).then((response) => response.text())));
}

async function states(namespace: string): Promise<Rule[]> {
  const { data } = await ask('rules?type=alert');
  return data.groups.filter(({ file }) => file.endsWith(`/${namespace}.rules`)).flatMap(({ rules }) => rules);
}

const ALL = rulesOf(charts[0]).map(({ alert }) => alert as string);
const DOWN = ['MlflowTrackingServerDown', 'MlflowStoreMonitorDown'];

// they would fire after their minutes
test.each([
  ['broken', ALL.filter((alert) => !DOWN.includes(alert))],
  ['gone', DOWN],
  ['working', []],
])('alerts of the stack that is %s', async (namespace, expected) => {
  const active = async () => {
    await use();
    const rules = await states(namespace);
    expect(rules.map(({ name, health, lastError }) => [name, health, lastError])).toEqual(ALL.map((name) => [name, 'ok', undefined]));
    return rules.filter(({ state }) => state !== 'inactive').map(({ name }) => name);
  };
  // a machine that does other work too makes a server slow for a moment, which is told as well
  await eventually(`${expected.join()} of ${namespace}`, async () => ((await active()).join() === expected.join() ? true : undefined));
});

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

describe('the dashboard', () => {
  const targets: [string, Target][] = dashboardOf(charts[0]).panels.flatMap(
    ({ title, type, targets: list }: { title: string; type: string; targets: Target[] }) =>
      list.map((target) => [`${title} (${type}), ${target.legendFormat}`, target]),
  );

  test.each(targets)('has data for %s', async (_, { expr, legendFormat }) => {
    const query = `query?query=${encodeURIComponent(expr.replaceAll('$__rate_interval', '10s'))}`;
    const result = await eventually(expr, async () => {
      await use();
      const answer = await ask(query);
      const numbers = answer.data.result.filter(({ value }) => Number.isFinite(Number(value[1])));
      return numbers.length === 0 ? undefined : numbers;
    });
    // one series for a legend, and one label to tell several apart
    if (legendFormat === '__auto') result.forEach(({ metric }) => expect(Object.keys(metric)).toHaveLength(1));
    else expect(result).toHaveLength(1);
  });

  test.each([
    ['working', 1, 0],
    ['broken', 0, 100],
  ])('says of the stack that is %s what is the case', async (namespace, stores, failed) => {
    const { panels } = dashboardOf(charts[NAMESPACES.indexOf(namespace)]);
    const values = async () => {
      await use();
      const stats = panels.filter(({ type }: { type: string }) => type === 'stat') as { title: string; targets: Target[] }[];
      const results = await Promise.all(stats.map(({ targets: [{ expr }] }) => ask(`query?query=${encodeURIComponent(expr)}`)));
      return Object.fromEntries(stats.map(({ title }, index) => [title, Number(results[index].data.result[0]?.value[1])]));
    };
    const wanted = { 'Pods that answer': 1, 'Artifact store takes files': stores, 'Database answers': stores, 'Failed requests': failed };
    await eventually(JSON.stringify(wanted), async () => {
      const found = await values();
      return Object.entries(wanted).every(([title, value]) => found[title] === value) && found.Requests > 0 ? true : undefined;
    });
  });
});
