// What the alerts of the backups do with time series, by Prometheus' own test of rules. Needs promtool.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Testing } from 'cdk8s';
import { Credentials, ExternalS3, MlflowStack } from '../../lib';
import { get } from '../helpers';
import { program } from '../processes';
import { scratch } from '../run-script';
import { GET_PROMETHEUS } from './metrics';

const PROMTOOL = program('PROMTOOL', 'promtool', GET_PROMETHEUS, ['--version']);

const chart = Testing.chart();
const credentials = Credentials.fromSecretName(chart, 'Key', 'vault');
const destination = new ExternalS3(chart, 'Vault', { bucket: 'vault', endpointUrl: 'https://vault.example.com', credentials });
new MlflowStack(chart, 'Stack', { metrics: { alertLabels: { team: 'vision' } }, backup: { destination } });
const { spec } = get(Testing.synth(chart), 'PrometheusRule', 'mlflow-backup-monitor');
const rules: { alert: string; labels: object; annotations: object }[] = spec.groups[0].rules;

const monitor = (metric: string, job = 'mlflow-backup-monitor') => `${metric}{namespace="mlflow",job="${job}",pod="m",instance="m:1"}`;
const cron = (what: string, name = 'mlflow-backup') => `kube_cronjob_status_${what}{namespace="mlflow",cronjob="${name}",job="kube-state-metrics"}`;
const VERIFIED = monitor('mlflow_backup_last_verified_timestamp_seconds');
const FAILED = monitor('mlflow_backup_last_run_failed');
const READABLE = monitor('mlflow_backup_destination_readable');

/** A sample each 10 minutes for 36 hours, of a backup at the beginning and one after a day. */
const HEALTHY: Record<string, string | undefined> = {
  [monitor('up')]: '1x216',
  [VERIFIED]: '0x144 87000x72',
  [FAILED]: '0x216',
  [READABLE]: '1x216',
  [cron('last_schedule_time')]: '0x144 86400x72',
  [cron('last_successful_time')]: '0x144 87000x72',
  [cron('active')]: '0x216',
};
const LABELS = { MlflowBackupTooOld: { job: 'mlflow-backup-monitor' }, MlflowBackupFailed: { job: 'mlflow-backup-monitor' }, MlflowBackupDestinationDown: { job: 'mlflow-backup-monitor' }, MlflowBackupMonitorDown: {} };
type Alert = keyof typeof LABELS;

/** Fails where other alerts than these fire after so many hours. */
function expectAlerts(change: Record<string, string | undefined>, ...timeline: [hours: number, firing: Partial<Record<Alert, object>>][]): void {
  const series = Object.entries({ ...HEALTHY, ...change }).flatMap(([name, values]) => (values === undefined ? [] : [{ series: name, values }]));
  const expected = timeline.flatMap(([hours, firing]) =>
    rules.map(({ alert, labels, annotations }) => ({
      alertname: alert,
      eval_time: `${hours * 3600}s`,
      exp_alerts: alert in firing ? [{ exp_labels: { ...labels, ...firing[alert as Alert] }, exp_annotations: annotations }] : [],
    })),
  );
  const tests = [{ interval: '10m', input_series: series, alert_rule_test: expected }];
  const directory = scratch({ 'rules.yaml': JSON.stringify(spec), 'tests.yaml': JSON.stringify({ rule_files: ['rules.yaml'], evaluation_interval: '10m', tests }) });
  const { status, stdout, stderr } = spawnSync(PROMTOOL, ['test', 'rules', join(directory, 'tests.yaml')], { encoding: 'utf8' });
  expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
}
const firing = (alert: Alert, labels: object = LABELS[alert]) => ({ [alert]: labels });

test('the rules are well-formed, none of them twice', () => {
  const file = join(scratch({ 'rules.yaml': JSON.stringify(spec) }), 'rules.yaml');
  const { status, stdout } = spawnSync(PROMTOOL, ['check', 'rules', '--lint-fatal', file], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('SUCCESS: 4 rules found') });
});

test('nothing fires where a backup is good each night', () => {
  expectAlerts({}, ...Array.from({ length: 37 }, (_, hour): [number, object] => [hour, {}]));
});

test('MlflowBackupTooOld fires where none was good for a day and two hours, and ends with the next good one', () => {
  expectAlerts({ [VERIFIED]: '0x180 108600x36' }, [26, {}], [27, firing('MlflowBackupTooOld')], [30, firing('MlflowBackupTooOld')], [31, {}]);
});

test('MlflowBackupFailed fires by what the run has noted', () => {
  expectAlerts({ [FAILED]: '0x144 1x72' }, [24, {}], [25, firing('MlflowBackupFailed')]);
});

test('MlflowBackupFailed fires by the Job where the run could note nothing, and not while one runs', () => {
  const failed = { [cron('last_successful_time')]: '0x216' };
  expectAlerts(failed, [23, {}], [25, firing('MlflowBackupFailed', { cronjob: 'mlflow-backup' })]);
  expectAlerts({ ...failed, [cron('active')]: '0x143 1x73' }, [25, {}]);
});

test('MlflowBackupDestinationDown fires where the destination does not answer', () => {
  expectAlerts({ [READABLE]: '1x60 0x156' }, [10, {}], [11, firing('MlflowBackupDestinationDown')]);
});

test('MlflowBackupMonitorDown fires where nobody tells', () => {
  const gone = Object.fromEntries([monitor('up'), VERIFIED, FAILED, READABLE].map((series) => [series, undefined]));
  expectAlerts(gone, [1, firing('MlflowBackupMonitorDown')]);
});
