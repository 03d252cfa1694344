import { Duration, Testing } from 'cdk8s';
import { TraceArchival } from '../../lib';
import { get, ofKind } from '../helpers';
import { mlflow, server, synth, told, valueOf, wrong } from '../tracking-server/server';

const DAYS = { retention: Duration.days(30) };
const file = (traceArchival: object) => get(synth({ traceArchival }), 'ConfigMap', 'mlflow-trace-archival').data['trace-archival.yaml'];
const wrongOf = (traceArchival: object) => wrong({ traceArchival: { ...DAYS, ...traceArchival } });
const fault = (prop: string, got: string, rule: string, fix: string) => told(prop, got, rule, fix, 'TrackingServer/TraceArchival');

test('there is none unless it is asked for', () => {
  expect(valueOf(mlflow(), 'MLFLOW_TRACE_ARCHIVAL_CONFIG')).toBeUndefined();
  expect(ofKind(synth(), 'ConfigMap').map(({ metadata }) => metadata.name)).not.toContain('mlflow-trace-archival');
});

test('spans of old traces go to the folders of their experiments in the artifact store', () => {
  expect(file(DAYS)).toBe('trace_archival:\n  enabled: true\n  location: "s3://models/team-a"\n  retention: "43200m"\n  interval_seconds: 300\n');
});

test('its options', () => {
  const options = { retention: Duration.hours(1), interval: Duration.seconds(30), maxTracesPerPass: 500, longRetentionExperiments: ['1', '22'], location: 's3://archive/traces' };
  expect(file(options)).toBe(
    'trace_archival:\n  enabled: true\n  location: "s3://archive/traces"\n  retention: "60m"\n  interval_seconds: 30\n  max_traces_per_pass: 500\n  long_retention_allowlist: ["1","22"]\n',
  );
});

test('the server reads it from a folder, so that a change reaches it, and runs its schedule', () => {
  const container = mlflow({ traceArchival: DAYS });
  const mount = container.volumeMounts.find(({ name }: { name: string }) => name === 'trace-archival');
  expect(mount).toEqual({ name: 'trace-archival', mountPath: '/app/trace-archival' });
  expect(valueOf(container, 'MLFLOW_TRACE_ARCHIVAL_CONFIG')).toBe('/app/trace-archival/trace-archival.yaml');
  expect(valueOf(container, 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION')).toBe('true');
});

test('only another location replaces the pod', () => {
  const annotation = (traceArchival: object) => get(synth({ traceArchival }), 'Deployment', 'mlflow').spec.template.metadata.annotations['checksum/trace-archival'];
  expect(annotation({ retention: Duration.days(1) })).toBe(annotation(DAYS));
  expect(annotation({ ...DAYS, location: 's3://archive/traces' })).not.toBe(annotation(DAYS));
});

test('without the job runners nothing would be archived, though the server would say so', () => {
  expect(wrong({ traceArchival: DAYS, settings: { jobExecution: false } })).toEqual([
    told('settings.jobExecution', 'false', '[test/TrackingServer/TraceArchival] needs the job runners of MLflow, which run its schedule', 'leave settings.jobExecution out'),
  ]);
  expect(wrong({ traceArchival: DAYS, replicas: 2 })).toEqual([told('replicas', '2', 'with the job runners, which [test/TrackingServer/TraceArchival] needs, there is one pod', 'pass replicas: 1')]);
});

test('is handed out, to be patched', () => {
  const chart = Testing.chart();
  const made = new TraceArchival(chart, 'TraceArchival', { ...DAYS, server: server({}, chart) });
  expect([made.configMap.name, made.node.defaultChild]).toEqual(['mlflow-trace-archival', made.configMap]);
});

test.each<[object, string, string, string, string]>([
  [{ retention: undefined }, 'retention', 'undefined', 'the age of the traces that leave has to be given', 'pass Duration.days(30)'],
  [{ retention: Duration.seconds(90) }, 'retention', '"90 seconds"', 'it is counted in whole minutes', 'such as Duration.days(30)'],
  [{ retention: Duration.seconds(0) }, 'retention', '"0 s"', 'of whole seconds, 1 or more', 'such as Duration.minutes(5)'],
  [{ interval: Duration.hours(25) }, 'interval', '"90000 seconds"', 'it is a day at most', 'such as Duration.minutes(5)'],
  [{ maxTracesPerPass: 0 }, 'maxTracesPerPass', '0', 'the number of traces is a whole number of 1 or more', 'pass a number'],
  [{ longRetentionExperiments: ['fraud'] }, 'longRetentionExperiments[0]', '"fraud"', 'an experiment is named by its id', 'pass an id such as "1"'],
  [{ location: 'mlflow-artifacts:/traces' }, 'location', '"mlflow-artifacts:/traces"', 'a store that the server reaches by itself', 'leave it out for s3://models/team-a'],
  [{ location: 's3://key:secret@bucket' }, 'location', 'a string', 'without credentials in it', 'leave it out for s3://models/team-a'],
  [{ retentionDays: 3 }, 'retentionDays', 'a number', 'there is no prop of this name', 'did you mean retention?'],
])('%j is told', (options, prop, got, rule, fix) => {
  expect(wrongOf(options)).toEqual([fault(prop, got, rule, fix)]);
});
