import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GET_PROMETHEUS, dashboardOf } from '../monitoring/metrics';
import { consoleOf } from '../monitoring/console';
import { freePort, program, start, until } from '../processes';
import { ROOT, Result, scratch, startScript } from '../run-script';
import { Browser } from './browser';
import { PYTHON } from './servers';
import { ServedStack, Stores } from './stack';

// The pictures of the documentation, taken of the real thing: PICTURES=docs/images writes them, and without it they are
// taken all the same, and compared with the committed ones by size.

const FOLDER = join(ROOT, 'docs/images');
const LIMIT_BYTES = 150_000;

jest.setTimeout(180_000);

let stores: Stores;
let mlflow: ServedStack;
let browser: Browser;

beforeAll(async () => {
  stores = await Stores.start();
  await stores.makeDatabase('pictures');
  mlflow = await ServedStack.of(stores, 'pictures', { metrics: {} });
  [browser] = await Promise.all([Browser.start(1200, 640), mlflow.start()]);
}, 180_000);

afterAll(() => browser.end());

/** Width and height, from the head of a PNG. */
function size(png: Buffer): [number, number] {
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
}

function keep(name: string, png: Buffer): void {
  if (process.env.PICTURES !== undefined) writeFileSync(join(ROOT, process.env.PICTURES, name), png);
  expect(png.length).toBeLessThan(LIMIT_BYTES);
  expect(size(readFileSync(join(FOLDER, name)))).toEqual(size(png));
  // a page that is empty is a tenth of that
  expect(png.length).toBeGreaterThan(statSync(join(FOLDER, name)).size / 2);
}

test("MLflow's pages have the model that a client without keys has logged", async () => {
  const logged = await mlflow.client(
    `import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
mlflow.set_experiment("iris")
rows, labels = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=500).fit(rows, labels)
with mlflow.start_run(run_name="logistic-regression") as run:
    mlflow.log_params({"max_iter": 500, "solver": "lbfgs"})
    mlflow.log_metric("accuracy", model.score(rows, labels))
    info = mlflow.sklearn.log_model(model, name="model", registered_model_name="iris-classifier")
print(run.info.experiment_id, run.info.run_id, info.model_id, run.info.artifact_uri)`,
    { MLFLOW_DISABLE_TELEMETRY: 'true' },
  );
  const [experiment, run, model, place] = logged.split('\n').at(-1)!.split(' ');
  expect(place).toMatch(/^mlflow-artifacts:\//);
  expect(await stores.objects()).toContainEqual(expect.stringContaining(`${model}/artifacts/MLmodel`));

  await browser.open(`${mlflow.url}/#/experiments/${experiment}/runs/${run}/artifacts`);
  await until('the files of the run', async () => ((await browser.text()).includes('MLmodel') ? true : undefined), 60_000);
  await browser.click('MLmodel');
  await until('the text of a file', async () => ((await browser.text()).includes('artifact_path') ? true : undefined), 60_000);
  // the assistant, which the guard keeps closed, opens its advertisement
  await browser.click('Close');
  await sleep(1_000);
  keep('mlflow.png', await browser.picture());
});

/** What a terminal shows of a command, with the names that a cluster has for what is on loopback here. */
function terminal(command: string, { stdout, stderr }: Result): string {
  const names: [string, string][] = [
    [stores.minio.url, 'http://minio.mlflow.svc.cluster.local:9000'],
    [`127.0.0.1:${stores.postgres.port}`, 'postgres.mlflow.svc.cluster.local:5432'],
    [`pod ${hostname()}`, 'pod mlflow-5466746d64-wfpkb'],
    ['NAMESPACE', 'mlflow'],
  ];
  const printed = names.reduce((text, [here, there]) => text.replaceAll(here, there), `${stdout}${stderr}`);
  const text = `$ ${command}\n${printed}`.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const coloured = text.replace(/^✓/gm, '<b style="color:#7ee787">✓</b>').replace(/^✗/gm, '<b style="color:#ff7b72">✗</b>');
  return `<body style="margin:0;background:#0d1117"><pre style="margin:0;padding:20px;color:#e6edf3;font:14px/1.5 'DejaVu Sans Mono',monospace;white-space:pre-wrap">${coloured}</pre></body>`;
}

test('the doctor names the cause that clients see as 500', async () => {
  const command = 'kubectl exec --namespace mlflow deployment/mlflow -- python3 /app/start-mlflow.py doctor';
  const found = await mlflow.run('doctor', mlflow.args, { AWS_ACCESS_KEY_ID: 'AKIA0123456789OFBEFORE' });
  expect(found.code).toBe(4);
  expect(found.stdout).toContain('the artifact store does not know the access key id (InvalidAccessKeyId)');
  await browser.open(`data:text/html;charset=utf-8;base64,${Buffer.from(terminal(command, found)).toString('base64')}`);
  expect(await browser.text()).toContain('InvalidAccessKeyId');
  await browser.resize(1200, await browser.run<number>('return document.querySelector("pre").offsetHeight'));
  keep('doctor.png', await browser.picture());
});

test('the panels of the dashboard, as Prometheus shows them', async () => {
  const [monitorPort, port] = [await freePort(), await freePort()];
  start([PYTHON, startScript(), 'monitor', ...mlflow.args.filter((arg) => /^--(backend-store-uri|artifacts-destination)=/.test(arg))], { ...mlflow.env, STARTUP_MONITOR_PORT: String(monitorPort) });
  const target = (at: number, service: string) => ({ targets: [`127.0.0.1:${at}`], labels: { namespace: 'mlflow', job: service, service, pod: service } });
  const config = { global: { scrape_interval: '1s' }, scrape_configs: [{ job_name: 'stack', static_configs: [target(mlflow.port, 'mlflow-service'), target(monitorPort, 'mlflow-monitor')] }] };
  // what kubelet, cAdvisor and kube-state-metrics tell is not here
  const dashboard = dashboardOf(mlflow.manifests) as { title: string; panels: (Parameters<typeof consoleOf>[0]['panels'][number])[] };
  const panels = dashboard.panels.filter(({ targets }) => targets.every(({ expr }) => /(mlflow|up)[\w]*\{/.test(expr) && !/\b(kubelet|container|kube)_/.test(expr)));
  expect(panels.map(({ title }) => title)).toEqual(expect.arrayContaining(['Artifact store takes files', 'Requests by status', 'Latency', 'Stores']));
  const seconds = 60;
  const consoles = scratch({ 'mlflow.html': consoleOf({ ...dashboard, panels }, seconds) });
  const folder = scratch({ 'prometheus.yml': JSON.stringify(config) });
  const libraries = '/usr/share/doc/prometheus/examples/console_libraries';
  start([program('PROMETHEUS', 'prometheus', GET_PROMETHEUS, ['--version']), `--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${scratch()}`, `--web.listen-address=127.0.0.1:${port}`, `--web.console.templates=${consoles}`, `--web.console.libraries=${libraries}`], { HOME: scratch() });
  const prometheus = `http://127.0.0.1:${port}`;
  await until('Prometheus', async () => (await fetch(`${prometheus}/-/ready`)).ok || undefined, 60_000);
  // people at work, one of whom asks for what is not there
  const end = Date.now() + seconds * 1_000 + 10_000;
  for (let count = 0; Date.now() < end; count++) {
    const id = count % 7 === 0 ? '404404' : '0';
    await mlflow.ask(`/api/2.0/mlflow/experiments/get?experiment_id=${id}`);
    if (count % 3 === 0) await mlflow.ask('/api/2.0/mlflow/runs/create', 'POST', { experiment_id: '0' });
    await sleep(100 + 200 * Math.abs(Math.sin(count / 20)));
  }
  await browser.resize(1200, 640);
  await browser.open(`${prometheus}/consoles/mlflow.html`);
  const graphs = panels.filter(({ type }) => type !== 'stat').length;
  await until('the graphs', async () => (await browser.run<number>('return document.querySelectorAll("svg path").length')) >= graphs || undefined, 60_000);
  const text = await browser.text();
  for (const { title } of panels) expect(text).toContain(title);
  expect(text).toMatch(/Artifact store takes files\s+yes/);
  await browser.resize(1200, await browser.run<number>('return document.body.scrollHeight + 16'));
  await sleep(1_000);
  keep('dashboard.png', await browser.picture());
});
