// What MLflow offers besides tracking, with the arguments, variables and files that the constructs give, on real stores.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Duration, Testing } from 'cdk8s';
import { ExternalDatabase } from '../../lib';
import { get } from '../helpers';
import { until } from '../processes';
import { Environment, ROOT, lines, scratch } from '../run-script';
import { ServedStack, Stores } from './stack';

const START_MS = 180_000;
const HOUR_NS = 3_600_000_000_000n;

jest.setTimeout(START_MS);

let stores: Stores;

beforeAll(async () => {
  stores = await Stores.start();
}, START_MS);

/** The program for clients in a guide, as it stands there. */
function programOf(guide: string): string {
  const { stdout } = spawnSync('python3', [join(ROOT, 'test/docs/walkthrough.py'), join(ROOT, 'docs/how-to', guide), '--list'], { encoding: 'utf8' });
  const { blocks } = JSON.parse(stdout) as { blocks: { file: string; text: string }[] };
  return blocks.find(({ file }) => file === 'client.py')!.text;
}

interface Job {
  readonly job_id: string;
  readonly status: string;
}

/** A job of the test in place of one that calls a model: it writes down each of its starts, and does not end. */
const JOBS = `
import os, time
from mlflow.server.jobs import job

@job(name="take_long", max_workers=2)
def take_long(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(3600)

@job(name="ask_server", max_workers=1)
def ask_server():
    import mlflow
    return [experiment.name for experiment in mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"]).search_experiments()]
`;
const JOB_NAMES: Environment = { _MLFLOW_SUPPORTED_JOB_FUNCTION_LIST: 'long_jobs.take_long,long_jobs.ask_server', _MLFLOW_ALLOWED_JOB_NAME_LIST: 'take_long,ask_server' };

/** A trace of an hour ago, which is old enough to leave the database. */
const OLD_TRACE = `
import os, time
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

url = os.environ["MLFLOW_TRACKING_URI"] + "/v1/traces"
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(url, headers={"x-mlflow-experiment-id": "0"})))
start = time.time_ns() - ${HOUR_NS}
provider.get_tracer("test").start_span("an hour ago", start_time=start).end(start + 1)
`;

/** A model in the cluster, that speaks OpenAI's API. */
async function model(): Promise<{ url: string; asked: string[]; stop: () => void }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    request.resume().on('end', () => {
      const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello from the cluster' }, finish_reason: 'stop' }];
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ id: '1', object: 'chat.completion', created: 1, model: 'small', choices, usage }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked, stop: () => (server.closeAllConnections(), server.close()) };
}

describe('a server with all of it, under a path', () => {
  const modules = scratch({ 'long_jobs.py': JOBS });
  const starts = join(modules, 'starts');
  let mlflow: ServedStack;
  let upstream: Awaited<ReturnType<typeof model>>;
  let job: Job;
  const started = () => (existsSync(starts) ? lines(readFileSync(starts, 'utf8')) : []);

  beforeAll(async () => {
    upstream = await model();
    await stores.makeDatabase('features');
    mlflow = await ServedStack.of(
      stores,
      'features',
      {
        trackingServer: {
          settings: { staticPrefix: '/mlflow' },
          workspaces: true,
          traceArchival: { retention: Duration.minutes(1), interval: Duration.seconds(1) },
          gateway: { privateUpstreams: [{ peer: { podSelector: {} }, port: 8000 }] },
        },
        garbageCollection: { olderThan: Duration.seconds(1) },
      },
      { modules },
    );
    Object.assign(mlflow.env, JOB_NAMES);
    await mlflow.start();
    // what takes its time goes on while others are looked at
    const submitted = await mlflow.ask('/ajax-api/3.0/jobs/', 'POST', { job_name: 'take_long', params: { path: starts } });
    job = submitted.json as Job;
    await mlflow.client(OLD_TRACE);
  }, START_MS);

  afterAll(() => upstream.stop());

  test('a job asks the server, which it looks for without the path', async () => {
    const { json } = await mlflow.ask('/ajax-api/3.0/jobs/', 'POST', { job_name: 'ask_server', params: {} });
    const ended = await until('the job', async () => {
      const { json: now } = await mlflow.ask(`/ajax-api/3.0/jobs/${(json as Job).job_id}`);
      return /PENDING|RUNNING/.test((now as Job).status) ? undefined : (now as Job);
    }, 120_000);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', result: expect.arrayContaining(['Default']) });
  });

  test('a program with the exporter of OpenTelemetry, and without MLflow, logs a trace', async () => {
    const experiment = lines(await mlflow.client(programOf('opentelemetry.md'))).at(-1)!;

    const spans = await mlflow.client(`
import mlflow
[trace] = mlflow.search_traces(return_type="list", locations=["${experiment}"])
print(sorted((span.name, span.attributes.get("items")) for span in trace.data.spans))
`);
    expect(lines(spans).at(-1)).toBe("[('checkout', 3), ('payment', None)]");
  });

  test('a trace without experiment is refused', async () => {
    expect(await mlflow.ask('/v1/traces', 'POST', {})).toMatchObject({ status: 422, json: { detail: [{ loc: ['header', 'x-mlflow-experiment-id'] }] } });
  });

  test('the gateway hands a request on to a model in the cluster, on all its paths', async () => {
    expect(lines(await mlflow.client(programOf('gateway.md'), { MODEL: upstream.url })).at(-1)).toBe('Hello from the cluster');

    const messages = [{ role: 'user', content: 'Hello' }];
    for (const [path, body] of Object.entries({ 'chat/mlflow/invocations': {}, 'openai/v1/chat/completions': { model: 'chat' }, 'proxy/chat/v1/chat/completions': { model: 'small' } })) {
      expect(await mlflow.ask(`/gateway/${path}`, 'POST', { ...body, messages })).toMatchObject({ status: 200, json: { choices: [{ message: { content: 'Hello from the cluster' } }] } });
    }
    // what the guide says of paths that already say which model
    expect((await mlflow.ask('/gateway/chat/mlflow/invocations', 'POST', { model: 'chat', messages })).status).toBe(422);
    expect(upstream.asked).toEqual(Array(4).fill('/v1/chat/completions'));
    expect((await mlflow.ask('/gateway/anthropic/v1/messages', 'POST', { model: 'chat', messages, max_tokens: 1 })).status).toBe(400);
  });

  test('a pod that is asked to stop ends its jobs, before the next one starts', async () => {
    await until('the job to run', () => started().length > 0 || undefined, 90_000);
    expect(await mlflow.ask(`/ajax-api/3.0/jobs/${job.job_id}`)).toMatchObject({ status: 200, json: { status: 'RUNNING' } });
    const { preStop } = get(mlflow.manifests, 'Deployment', 'mlflow').spec.template.spec.containers[0].lifecycle;

    expect(await mlflow.exec(preStop.exec.command)).toMatchObject({ code: 0, stderr: '' });

    const { stdout } = await mlflow.exec(['ps', 'ax']);
    expect(stdout).toContain('uvicorn');
    expect(stdout).not.toMatch(/_job_runner|huey_consumer|_job_subproc_entry/);
    expect((await mlflow.ask('/health')).status).toBe(200);
    await mlflow.stop();
    await mlflow.start();
  });

  test('two workspaces are apart, and the doctor and the clean-up know both', async () => {
    expect(lines(await mlflow.client(programOf('workspaces.md')))).toEqual(expect.arrayContaining([expect.stringMatching(/^mlflow-artifacts:\/workspaces\/vision\//), 'of the team vision']));
    const deleted = await mlflow.client(`
import mlflow
for workspace in ("default", "vision"):
    mlflow.set_workspace(workspace)
    mlflow.set_experiment("to-delete")
    with mlflow.start_run() as run:
        mlflow.log_text("x", "deleted.txt")
    mlflow.delete_run(run.info.run_id)
    print(workspace, run.info.run_id)
mlflow.MlflowClient().create_experiment("old")
`);
    // of the workspace "vision", which the client was in last
    await stores.postgres.sql('features', ["UPDATE experiments SET artifact_location = 's3://mlflow-bucket/old' WHERE name = 'old'"]);
    const runs = lines(deleted).flatMap((line) => /^(?:default|vision) (\w{32})$/.exec(line)?.[1] ?? []);
    expect(runs).toHaveLength(2);

    const { code, stdout } = await mlflow.run('doctor', mlflow.args);
    expect({ code, stdout }).toEqual({ code: 10, stdout: expect.stringMatching(/✗ experiments are proxied[^]*\d+ "old" at s3:\/\/mlflow-bucket\/old/) });

    await until('what was deleted to be a second old', async () => (await new Promise((resolve) => setTimeout(resolve, 1_100)), true));
    const [container] = get(mlflow.manifests, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec.template.spec.containers;
    const [word, ...args] = (container.args as string[]).map((arg) => arg.replace(/^--backend-store-uri=.*/, mlflow.args.find((own) => own.startsWith('--backend-store-uri='))!));
    // the pod of the clean-up has no variable that tells of workspaces
    delete mlflow.env.MLFLOW_ENABLE_WORKSPACES;
    const gc = await mlflow.run(word, args, { MLFLOW_TRACKING_URI: mlflow.url });
    expect({ code: gc.code, stderr: gc.code === 0 ? '' : gc.stderr }).toEqual({ code: 0, stderr: '' });
    for (const run of runs) expect(gc.stdout).toContain(`Run with ID ${run} has been permanently deleted.`);
    expect((await stores.objects()).filter((object) => object.endsWith('deleted.txt'))).toEqual([]);
  });

  test('the spans of an old trace are in the artifact store, in the folder of its experiment, and clients read them', async () => {
    await until('the trace to leave the database', async () => (await stores.objects()).some((object) => /^(workspaces\/default\/)?0\/traces\//.test(object)) || undefined, 100_000);

    const told = await until('the trace to be listed', async () => lines(await mlflow.client(programOf('trace-archival.md'))).find((line) => line.includes('an hour ago')), 40_000);
    expect(told).toMatch(/\['an hour ago'\]$/);
  });

  test('the next pod has run the job again, once', async () => {
    await until('the job to run again', () => started().length > 1 || undefined, 90_000);
    expect(await mlflow.ask(`/ajax-api/3.0/jobs/${job.job_id}`)).toMatchObject({ status: 200, json: { status: 'RUNNING' } });
    expect(started()).toHaveLength(2);
  });
});

test('a registry store of its own: its models are there, its password in no argument, and the doctor looks at it', async () => {
  const password = 'p@ss/w%rd:NobodyMaySee';
  await stores.postgres.sql('postgres', ['CREATE ROLE registrar LOGIN PASSWORD %s', password], ['CREATE DATABASE registry OWNER registrar']);
  await stores.makeDatabase('runs');
  const registryStore = new ExternalDatabase(Testing.chart(), 'Registry', { secretName: 'registry', port: 5432 });
  const mlflow = await ServedStack.of(stores, 'runs', { trackingServer: { registryStore } });
  const uri = (given: string) => stores.postgres.uri('registry').replace('://', `://registrar:${encodeURIComponent(given)}@`);

  mlflow.env.MLFLOW_REGISTRY_STORE_URI = uri('AnotherThatNobodyMaySee');
  const refused = await mlflow.run('true', mlflow.args.slice(2), { STARTUP_DEADLINE_SECONDS: '1' });
  expect({ code: refused.code, stderr: refused.stderr }).toEqual({ code: 6, stderr: expect.stringMatching(/^ERROR: the database refuses the user\n[^]*key uri of Secret registry \(MLFLOW_REGISTRY_STORE_URI\)/m) });
  expect(refused.stderr).not.toContain('NobodyMaySee');

  mlflow.env.MLFLOW_REGISTRY_STORE_URI = uri(password);
  await mlflow.start();
  const model = 'import mlflow; print(mlflow.MlflowClient().create_registered_model("scorer").name)';
  expect(lines(await mlflow.client(model)).at(-1)).toBe('scorer');
  const found = await mlflow.run('doctor', mlflow.args);
  expect({ code: found.code, stdout: found.stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/✓ the database at .*\n✓ the database of the model registry at /) });

  await expect(stores.postgres.sql('registry', ["SELECT 1 / (SELECT count(*) FROM registered_models WHERE name = 'scorer')"])).resolves.toBe(true);
  await expect(stores.postgres.sql('runs', ["SELECT 1 / (SELECT count(*) FROM registered_models WHERE name = 'scorer')"])).rejects.toThrow(/division by zero/);
  const { stdout } = await mlflow.exec(['ps', '-ww', 'ax']);
  expect(stdout).toMatch(/uvicorn/);
  expect(stdout).not.toMatch(/NobodyMaySee|registrar/);
  await mlflow.stop();
});
