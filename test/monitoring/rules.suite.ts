// What the alerts do with time series, by Prometheus' own test of rules. Needs promtool.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Testing } from 'cdk8s';
import { MlflowStack } from '../../lib';
import { ofKind } from '../helpers';
import { program } from '../processes';
import { scratch } from '../run-script';
import { GET_PROMETHEUS, rulesOf } from './metrics';

const PROMTOOL = program('PROMTOOL', 'promtool', GET_PROMETHEUS, ['--version']);

type Series = Record<string, string | undefined>;

const chart = Testing.chart();
new MlflowStack(chart, 'Stack', { metrics: { alertLabels: { team: 'vision' } } });
const objects = Testing.synth(chart);
const rules = JSON.stringify(ofKind(objects, 'PrometheusRule')[0].spec);

// the labels that metrics have by a ServiceMonitor, or by the kubelet's
const target = (service: string, pod: string, more = '', namespace = 'mlflow') =>
  `{namespace="${namespace}",job="${service}",service="${service}",endpoint="http",pod="${pod}",instance="${pod}:1",container="x"${more}}`;
const server = (pod: string, more?: string, namespace?: string) => target('mlflow-service', pod, more, namespace);
const monitor = (pod: string, namespace?: string) => target('mlflow-monitor', pod, '', namespace);
const requests = (status: number, method = 'GET', pod = 'a') => `mlflow_http_request_total${server(pod, `,status="${status}",method="${method}"`)}`;
const volume = (metric: string, claim: string, namespace = 'mlflow') =>
  `kubelet_volume_stats_${metric}{namespace="${namespace}",persistentvolumeclaim="${claim}",job="kubelet",node="n",instance="n:10250",metrics_path="/metrics"}`;

/** A sample each 30 seconds, for 30 minutes. */
const HEALTHY: Series = {
  [`up${server('a')}`]: '1x60',
  [`up${server('b')}`]: '1x60',
  [`up${monitor('m')}`]: '1x60',
  [`mlflow_artifact_store_writable${monitor('m')}`]: '1x60',
  [`mlflow_database_reachable${monitor('m')}`]: '1x60',
  [requests(200)]: '0+97x60',
  [requests(404)]: '0+50x60',
  ...Object.fromEntries(
    ['data-postgres-0', 'data-minio-0'].flatMap((claim) => [
      [volume('capacity_bytes', claim), '1000x60'],
      [volume('available_bytes', claim), '500x60'],
      [volume('inodes', claim), '1000x60'],
      [volume('inodes_free', claim), '500x60'],
    ]),
  ),
};

/** What alerts fire, with the labels that the rule itself does not give them. */
type Firing = Record<string, Record<string, string>>;

/** Fails where other alerts than these fire at these times, in minutes. */
function expectAlerts(change: Series, ...timeline: [minutes: number, firing: Firing][]): void {
  const series = Object.entries({ ...HEALTHY, ...change }).flatMap(([name, values]) => (values === undefined ? [] : [{ series: name, values }]));
  const expected = timeline.flatMap(([minutes, firing]) =>
    rulesOf(objects).map(({ alert, labels, annotations }) => ({
      alertname: alert,
      eval_time: `${minutes * 60}s`,
      exp_alerts: alert in firing ? [{ exp_labels: { ...labels, ...firing[alert] }, exp_annotations: annotations }] : [],
    })),
  );
  const tests = [{ interval: '30s', input_series: series, alert_rule_test: expected }];
  const directory = scratch({ 'rules.yaml': rules, 'tests.yaml': JSON.stringify({ rule_files: ['rules.yaml'], evaluation_interval: '30s', tests }) });
  const { status, stdout, stderr } = spawnSync(PROMTOOL, ['test', 'rules', join(directory, 'tests.yaml')], { encoding: 'utf8' });
  expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
}

const never = (change: Series) => () => expectAlerts(change, ...Array.from({ length: 61 }, (_, sample): [number, Firing] => [sample / 2, {}]));

test('the rules are well-formed, none of them twice', () => {
  const file = join(scratch({ 'rules.yaml': rules }), 'rules.yaml');
  const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'rules', '--lint-fatal', file], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toContain('SUCCESS: 9 rules found');
});

test('nothing fires on a healthy stack', never({}));

describe.each([
  ['MlflowTrackingServerDown', [`up${server('a')}`, `up${server('b')}`], 'mlflow-service'],
  ['MlflowStoreMonitorDown', [`up${monitor('m')}`], 'mlflow-monitor'],
])('%s', (alert, up, service) => {
  const all = (values: string | undefined) => Object.fromEntries(up.map((series) => [series, values]));

  test('fires after 5 minutes in which no pod answers', () => {
    expectAlerts(all('0x60'), [4.5, {}], [5, { [alert]: {} }]);
  });

  test('fires when there is no pod at all, and never was one', () => {
    expectAlerts(all(undefined), [4.5, {}], [5, { [alert]: {} }]);
  });

  test('fires when the pods are gone', () => {
    expectAlerts(all('1x10 stale _x50'), [10, {}], [11, { [alert]: {} }]);
  });

  test('ends when one pod answers', () => {
    expectAlerts(all('0x19 1x40'), [9.5, { [alert]: {} }], [10, {}]);
  });

  test('does not fire for a restart of 4 minutes', never(all('1x10 0x8 1x40')));

  test('is not held off by another stack', () => {
    const others = { [`up${target(service, 'o', '', 'other')}`]: '1x60', [`up${target(`other-${service}`, 'o')}`]: '1x60' };
    expectAlerts({ ...all(undefined), ...others }, [6, { [alert]: {} }]);
  });
});

test('MlflowTrackingServerDown does not fire while one of two pods answers', never({ [`up${server('a')}`]: '0x60' }));

describe('MlflowHighErrorRate', () => {
  const alert = { MlflowHighErrorRate: {} };

  test('fires after 5 minutes with more than 5 % of 5xx', () => {
    expectAlerts({ [requests(503)]: '0+8x60' }, [5, {}], [6, alert], [30, alert]);
  });

  test('counts all 5xx, of all methods and pods', () => {
    const change = { [requests(500)]: '0+3x60', [requests(503, 'POST')]: '0+3x60', [requests(502, 'GET', 'b')]: '0+3x60' };
    expectAlerts(change, [10, alert]);
    for (const one of Object.keys(change)) expectAlerts({ ...change, [one]: undefined }, [10, {}]);
  });

  test('fires when all requests fail', () => {
    expectAlerts({ [requests(200)]: undefined, [requests(404)]: undefined, [requests(500)]: '0+1x60' }, [10, alert]);
  });

  test('ends when the errors do', () => {
    expectAlerts({ [requests(503)]: '0+20x20 400x40' }, [10, alert], [20, {}]);
  });

  test('does not fire at 4 %', never({ [requests(503)]: '0+6x60' }));
  test('does not fire for what clients do wrong', never({ [requests(404)]: '0+1000x60' }));
  test('does not fire without requests', never({ [requests(200)]: '97x60', [requests(404)]: '50x60', [requests(503)]: '20x60' }));
  test('does not fire before the first request', never({ [requests(200)]: undefined, [requests(404)]: undefined }));
  test('does not fire for one failed request on a quiet server', never({ [requests(200)]: '97x60', [requests(404)]: '50x60', [requests(500)]: '0x20 1x40' }));
  test('does not fire when a restart resets the counters', never({ [requests(200)]: '0+97x20 0+97x40', [requests(503)]: '500+1x20 0+1x40' }));
});

describe.each([
  ['MlflowArtifactStoreNotWritable', 'mlflow_artifact_store_writable'],
  ['MlflowDatabaseNotReachable', 'mlflow_database_reachable'],
])('%s', (alert, gauge) => {
  const series = `${gauge}${monitor('m')}`;
  const fires = { [alert]: { job: 'mlflow-monitor' } };

  test('fires after 2 minutes', () => {
    expectAlerts({ [series]: '1x9 0x50' }, [6.5, {}], [7, fires]);
  });

  test('is not put off by a new pod of the monitor', () => {
    expectAlerts({ [series]: '0x3 stale', [`${gauge}${monitor('n')}`]: '_x3 0x50' }, [3, fires]);
  });

  test('ends when the store works', () => {
    expectAlerts({ [series]: '0x19 1x40' }, [9.5, fires], [10, {}]);
  });

  test('does not fire for a restart of 90 seconds', never({ [series]: '1x10 0x2 1x40' }));
  test('does not fire for another stack', never({ [`${gauge}${monitor('o', 'other')}`]: '0x60', [`${gauge}${target('other-monitor', 'o')}`]: '0x60' }));
});

describe('MlflowPodEvicted', () => {
  const status = (pod: string, reason = 'Evicted', namespace = 'mlflow') => `kube_pod_status_reason{namespace="${namespace}",pod="${pod}",reason="${reason}",job="kube-state-metrics"}`;
  const pod = 'mlflow-5b8bbdf55-9jfvz';

  test('fires at once, and ends when the pod is deleted', () => {
    expectAlerts({ [status(pod)]: '0x19 1x19 _x20' }, [9.5, {}], [10, { MlflowPodEvicted: { pod } }], [26, {}]);
  });

  test('does not fire for pods of others', never(Object.fromEntries([status('mlflow-monitor-5b8bbdf55-9jfvz'), status('postgres-0'), status('mlflow-other-5b8bbdf55-9jfvz'), status(pod, 'NodeLost'), status(pod, 'Evicted', 'other')].map((series) => [series, '1x60']))));
});

describe('MlflowCleanUpFailed', () => {
  const cron = (what: string, name = 'mlflow-gc', namespace = 'mlflow') => `kube_cronjob_status_${what}{namespace="${namespace}",cronjob="${name}",job="kube-state-metrics"}`;
  const state = (scheduled: string, successful: string | undefined, active: string, ...of: string[]): Series => ({
    [cron('last_schedule_time', ...of)]: scheduled,
    [cron('last_successful_time', ...of)]: successful,
    [cron('active', ...of)]: active,
  });
  const fires = { MlflowCleanUpFailed: { cronjob: 'mlflow-gc' } };

  test('fires 5 minutes after a Job failed', () => {
    expectAlerts(state('1000x9 2000x50', '1100x60', '0x9 1x9 0x40'), [9, {}], [14.5, {}], [15, fires]);
  });

  test('fires where the first Job ever failed', () => {
    expectAlerts(state('1000x60', undefined, '0x60'), [6, fires]);
  });

  test('ends when a Job succeeds', () => {
    expectAlerts(state('1000x19 2000x40', '500x20 2100x40', '0x60'), [9.5, fires], [12, {}]);
  });

  test('does not fire while a Job runs, or after one that succeeded', never(state('1000x19 2000x40', '1100x40 2100x20', '0x19 1x21 0x20')));
  test('does not fire for the clean-up of others', never({ ...state('1000x60', '500x60', '0x60', 'other-gc'), ...state('1000x60', '500x60', '0x60', 'mlflow-gc', 'other') }));
});

describe.each([
  ['MlflowVolumeNearlyFull', 'available_bytes', 'capacity_bytes'],
  ['MlflowVolumeNearlyOutOfInodes', 'inodes_free', 'inodes'],
])('%s', (alert, free, all) => {
  test.each(['data-postgres-0', 'data-minio-0'])('fires for %s at more than 90 %, after 10 minutes', (claim) => {
    expectAlerts({ [volume(free, claim)]: '99x60' }, [9.5, {}], [10, { [alert]: { persistentvolumeclaim: claim } }]);
  });

  test('ends when space was made', () => {
    expectAlerts({ [volume(free, 'data-minio-0')]: '50x29 400x30' }, [14.5, { [alert]: { persistentvolumeclaim: 'data-minio-0' } }], [15, {}]);
  });

  test('does not fire at 90 %', never({ [volume(free, 'data-minio-0')]: '100x60' }));
  test('does not fire where the file system does not count', never({ [volume(free, 'data-minio-0')]: '0x60', [volume(all, 'data-minio-0')]: '0x60' }));
  test(
    'does not fire for the volumes of others',
    never({
      [volume(free, 'data-minio-0', 'other')]: '1x60',
      [volume(all, 'data-minio-0', 'other')]: '1000x60',
      [volume(free, 'data-minio-01')]: '1x60',
      [volume(all, 'data-minio-01')]: '1000x60',
    }),
  );
});
