import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Chart, Duration, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { MlflowStack } from '../../lib';
import { PropChecks } from '../../lib/validation/prop-checks';
import { Metrics, MetricsOptions, MetricsProps } from '../../lib/monitoring/metrics';
import { Manifests, faults, get, ofKind } from '../helpers';
import { dashboardOf, rulesOf } from './metrics';

const RUNBOOK = readFileSync(join(__dirname, '../../docs/how-to/monitor.md'), 'utf8');
const LABELS = {
  'app.kubernetes.io/name': 'mlflow',
  'app.kubernetes.io/instance': 'mlflow',
  'app.kubernetes.io/component': 'tracking-server',
  'app.kubernetes.io/part-of': 'mlflow',
  'app.kubernetes.io/managed-by': 'cdk8s',
};
const MONITOR_LABELS = { ...LABELS, 'app.kubernetes.io/component': 'store-monitor' };

/** Metrics as a tracking server on PostgreSQL and MinIO has them. */
function addMetrics(chart: Chart, options: MetricsOptions = {}, props: Partial<MetricsProps> = {}): Metrics {
  const server = new Construct(chart, 'TrackingServer');
  const name = props.name ?? 'mlflow';
  return new Metrics(server, 'Metrics', {
    checks: new PropChecks(server),
    part: { name: 'mlflow', instance: name, component: 'tracking-server', image: 'example.com/mlflow:v1' },
    name,
    namespace: 'mlflow',
    options,
    serviceName: `${name}-service`,
    portName: 'http',
    monitorName: `${name}-monitor`,
    monitorPortName: 'metrics',
    volumeClaims: ['data-postgres-0', 'data-minio-0'],
    ...props,
  });
}

function synth(options: MetricsOptions = {}, props: Partial<MetricsProps> = {}): Manifests {
  const chart = Testing.chart();
  addMetrics(chart, options, props);
  return Testing.synth(chart);
}

/** What is wrong with these options. */
function wrong(options: object): string[] {
  const chart = Testing.chart();
  addMetrics(chart, options);
  return faults(chart);
}

const idsOf = (objects: Manifests) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
const alert = (objects: Manifests, name: string) => rulesOf(objects).find((rule) => rule.alert === name);
const panelsOf = (objects: Manifests): Manifests => dashboardOf(objects).panels;
const expressions = (objects: Manifests): string[] => panelsOf(objects).flatMap(({ targets }) => targets.map(({ expr }: { expr: string }) => expr));

describe('the objects', () => {
  test('are all there when nothing is said', () => {
    expect(idsOf(synth())).toEqual(['ServiceMonitor mlflow', 'ServiceMonitor mlflow-monitor', 'PrometheusRule mlflow', 'ConfigMap mlflow-dashboard']);
  });

  test.each([
    [{ serviceMonitor: false }, ['PrometheusRule mlflow', 'ConfigMap mlflow-dashboard']],
    [{ alerts: false }, ['ServiceMonitor mlflow', 'ServiceMonitor mlflow-monitor', 'ConfigMap mlflow-dashboard']],
    [{ dashboard: false }, ['ServiceMonitor mlflow', 'ServiceMonitor mlflow-monitor', 'PrometheusRule mlflow']],
    [{ serviceMonitor: false, alerts: false, dashboard: false }, []],
  ])('%j', (options, expected) => {
    expect(idsOf(synth(options))).toEqual(expected);
  });

  test('have the namespace and the labels of the stack', () => {
    for (const { metadata, kind } of synth({}, { namespace: 'shared' })) {
      expect(metadata.namespace).toBe('shared');
      const own = metadata.name === 'mlflow-monitor' ? MONITOR_LABELS : LABELS;
      expect(metadata.labels).toEqual(kind === 'ConfigMap' ? { ...own, grafana_dashboard: '1' } : own);
    }
  });

  test('are handed out, to be patched', () => {
    const chart = Testing.chart();
    const metrics = addMetrics(chart, {});
    for (const object of [metrics.serviceMonitor, metrics.monitorServiceMonitor, metrics.prometheusRule, metrics.dashboard]) {
      object!.metadata.addAnnotation('team', 'a');
    }
    expect(metrics.node.defaultChild).toBe(metrics.serviceMonitor);
    expect(Testing.synth(chart).map(({ metadata }) => metadata.annotations)).toEqual([{ team: 'a' }, { team: 'a' }, { team: 'a' }, { team: 'a' }]);
  });

  test('of no stack are those of another', () => {
    const [one, other] = [synth(), synth({}, { name: 'blue' })];
    expect(idsOf(one).filter((id) => idsOf(other).includes(id))).toEqual([]);
    expect(dashboardOf(one).uid).not.toBe(dashboardOf(other).uid);
    expect(dashboardOf(one).uid).not.toBe(dashboardOf(synth({}, { namespace: 'shared' })).uid);
    // Grafana's sidecar puts all files into one folder
    const [file, otherFile] = [one, synth({}, { namespace: 'shared' })].map((objects) => Object.keys(get(objects, 'ConfigMap', 'mlflow-dashboard').data)[0]);
    expect(file).not.toBe(otherFile);
    // an Alertmanager takes two alerts with the same labels for one
    const identity = (objects: Manifests) => rulesOf(objects).map((rule) => JSON.stringify([rule.alert, rule.labels]));
    expect(new Set([...identity(one), ...identity(other), ...identity(synth({}, { namespace: 'shared' }))]).size).toBe(3 * rulesOf(one).length);
  });

  test('have nothing that Helm takes for a template, or Flux for a variable', () => {
    expect(JSON.stringify(synth({ labels: { release: 'prometheus' } }))).not.toMatch(/\{\{|\$\{/);
  });

  test('are the same in each synth', () => {
    expect(synth()).toEqual(synth());
  });
});

describe('the ServiceMonitors', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { trackingServer: { metrics: {} } });
  const stack = Testing.synth(chart);
  const serviceMonitors = ofKind(stack, 'ServiceMonitor');
  const services = ofKind(stack, 'Service');
  /** The Services that a ServiceMonitor of the Prometheus operator finds. */
  const found = (spec: { selector: { matchLabels: object }; endpoints: Manifests }) =>
    services
      .filter(({ metadata }) => Object.entries(spec.selector.matchLabels).every(([key, value]) => metadata.labels[key] === value))
      .filter(({ metadata }) =>
        spec.endpoints[0].relabelings.every(({ sourceLabels, regex, action }: { sourceLabels: string[]; regex: string; action: string }) => {
          expect([sourceLabels, action]).toEqual([['__meta_kubernetes_service_name'], 'keep']);
          return new RegExp(`^(?:${regex})$`).test(metadata.name);
        }),
      );

  test.each([
    ['mlflow', 'mlflow-service'],
    ['mlflow-monitor', 'mlflow-monitor'],
  ])('%s finds each pod once, by Service %s, at a port that it has', (name, service) => {
    const { spec } = get(serviceMonitors, 'ServiceMonitor', name);
    expect(found(spec).map(({ metadata }) => metadata.name)).toEqual([service]);
    expect(spec.endpoints).toHaveLength(1);
    expect(found(spec)[0].spec.ports.map((port: { name: string }) => port.name)).toContain(spec.endpoints[0].port);
  });

  test('ask for the page of the metrics, every 30 seconds or as often as the user wants', () => {
    const endpoints = (options: MetricsOptions) =>
      ofKind(synth(options), 'ServiceMonitor').map(({ spec }) => [spec.endpoints[0].path, spec.endpoints[0].interval]);
    expect(endpoints({})).toEqual([
      ['/metrics', '30s'],
      ['/metrics', '30s'],
    ]);
    expect(endpoints({ scrapeInterval: Duration.minutes(1) })).toEqual([
      ['/metrics', '60s'],
      ['/metrics', '60s'],
    ]);
  });

  test('log in to the server where it wants it, by the Secret, and never to the store monitor', () => {
    const login = { secretName: 'mlflow-admin', usernameKey: 'user', passwordKey: 'pass' };
    const [server, monitor] = ofKind(synth({}, { login }), 'ServiceMonitor').map(({ spec }) => spec.endpoints[0]);
    expect(server.basicAuth).toEqual({ username: { name: 'mlflow-admin', key: 'user' }, password: { name: 'mlflow-admin', key: 'pass' } });
    expect(monitor).not.toHaveProperty('basicAuth');
    expect(serviceMonitors[0].spec.endpoints[0]).not.toHaveProperty('basicAuth');
  });

  test('and the PrometheusRule have the labels by which a Prometheus chooses them; the dashboard has not', () => {
    const objects = synth({ labels: { release: 'kube-prometheus-stack' } });
    expect(objects.filter(({ metadata }) => metadata.labels.release === 'kube-prometheus-stack').map(({ kind }) => kind)).toEqual([
      'ServiceMonitor',
      'ServiceMonitor',
      'PrometheusRule',
    ]);
  });
});

describe('the alerts', () => {
  const NAMES = [
    'MlflowTrackingServerDown',
    'MlflowHighErrorRate',
    'MlflowArtifactStoreNotWritable',
    'MlflowDatabaseNotReachable',
    'MlflowStoreMonitorDown',
    'MlflowVolumeNearlyFull',
    'MlflowVolumeNearlyOutOfInodes',
  ];

  test('each with what Alertmanager routes by, and what a person needs', () => {
    expect(rulesOf(synth()).map((rule) => rule.alert)).toEqual(NAMES);
    for (const rule of rulesOf(synth())) {
      expect(rule.for).toMatch(/^\d+m$/);
      expect(rule.labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/), namespace: 'mlflow', tracking_server: 'mlflow' });
      expect(rule.annotations.summary).toMatch(/^MLflow mlflow in mlflow: .*[^.]$/);
      expect(rule.annotations.description).toMatch(/\.$/);
    }
  });

  test('lead to their chapter of the runbook', () => {
    const chapters = [...RUNBOOK.matchAll(/^### (\w+)$/gm)].map(([, title]) => title);
    expect(chapters).toEqual(NAMES);
    for (const rule of rulesOf(synth())) expect(rule.annotations.runbook_url).toMatch(new RegExp(`/docs/how-to/monitor\\.md#${rule.alert.toLowerCase()}$`));
  });

  test('name the Deployments and the namespace in their commands', () => {
    const rules = rulesOf(synth({}, { name: 'blue', namespace: 'shared' }));
    const logs = Object.fromEntries(rules.map((rule) => [rule.alert, /"(kubectl [^"]* logs [^"]*)"/.exec(rule.annotations.description)?.[1]]));
    const [server, monitor] = ['blue', 'blue-monitor'].map((name) => `kubectl --namespace shared logs deployment/${name} --tail=20`);
    expect(logs).toEqual({
      MlflowTrackingServerDown: server,
      MlflowHighErrorRate: server,
      MlflowArtifactStoreNotWritable: monitor,
      MlflowDatabaseNotReachable: monitor,
      MlflowStoreMonitorDown: monitor,
      MlflowVolumeNearlyFull: undefined,
      MlflowVolumeNearlyOutOfInodes: undefined,
    });
  });

  test('are for the metrics of this stack only', () => {
    for (const { expr } of rulesOf(synth({}, { name: 'blue', namespace: 'shared' }))) {
      for (const [selector] of expr.matchAll(/\{[^}]*\}/g)) {
        expect(selector).toMatch(/^\{namespace="shared",(job="blue-(service|monitor)"|persistentvolumeclaim=~"data-postgres-0\|data-minio-0")/);
      }
    }
  });

  test('of volumes are there where volumes are', () => {
    const objects = synth({}, { volumeClaims: [] });
    expect(rulesOf(objects).map((rule) => rule.alert)).toEqual(NAMES.slice(0, 5));
    expect(expressions(objects).join()).not.toContain('kubelet');
  });

  test('have the thresholds that the user wants, 5 and 90 % otherwise', () => {
    const threshold = (options: MetricsOptions, name: string) => [
      / > (\S+)$/.exec(alert(synth(options), name).expr)?.[1],
      /(\S+) %/.exec(alert(synth(options), name).annotations.summary)?.[1],
    ];
    expect(threshold({}, 'MlflowHighErrorRate')).toEqual(['5', '5']);
    expect(threshold({ errorRatePercent: 0.5 }, 'MlflowHighErrorRate')).toEqual(['0.5', '0.5']);
    for (const name of ['MlflowVolumeNearlyFull', 'MlflowVolumeNearlyOutOfInodes']) {
      expect(threshold({}, name)).toEqual(['90', '90']);
      expect(threshold({ volumeFullPercent: 75 }, name)).toEqual(['75', '75']);
    }
  });

  test('have the labels of the user, too', () => {
    for (const rule of rulesOf(synth({ alertLabels: { team: 'vision', page: 'at once' } }))) {
      expect(rule.labels).toMatchObject({ team: 'vision', page: 'at once', namespace: 'mlflow' });
    }
  });
});

describe('the dashboard', () => {
  const objects = synth();
  const panels = panelsOf(objects);

  test('has panels that do not overlap, in rows without gaps', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`));
    const bottom = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
    expect(new Set(cells).size).toBe(cells.length);
    expect(cells).toHaveLength(24 * bottom);
  });

  test('has panels with numbers and explanations of their own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, description } of panels) expect([title, description]).toEqual([expect.stringMatching(/^[A-Z]/), expect.stringMatching(/\.$/)]);
  });

  test('asks the Prometheus that is chosen at its top', () => {
    expect(dashboardOf(objects).templating.list).toEqual([expect.objectContaining({ name: 'datasource', type: 'datasource', query: 'prometheus' })]);
    for (const { datasource, targets } of panels) {
      expect(datasource).toEqual({ type: 'prometheus', uid: '$datasource' });
      for (const target of targets) expect(target.datasource).toEqual(datasource);
    }
  });

  test('shows requests, errors, latency, both stores, volumes and pods', () => {
    const metrics = [
      ...expressions(objects)
        .join()
        .matchAll(/(\w+)\{/g),
    ].map(([, metric]) => metric);
    expect([...new Set(metrics)].sort()).toEqual([
      'container_cpu_usage_seconds_total',
      'container_memory_working_set_bytes',
      'kubelet_volume_stats_available_bytes',
      'kubelet_volume_stats_capacity_bytes',
      'kubelet_volume_stats_inodes',
      'kubelet_volume_stats_inodes_free',
      'mlflow_artifact_store_writable',
      'mlflow_database_reachable',
      'mlflow_http_request_duration_seconds_bucket',
      'mlflow_http_request_total',
      'up',
    ]);
    expect(
      expressions(objects)
        .filter((expr) => expr.startsWith('histogram_quantile'))
        .map((expr) => /\((.*?),/.exec(expr)?.[1]),
    ).toEqual(['0.95', '0.5', '0.95', '0.99']);
  });

  test('is about this stack only', () => {
    for (const expr of expressions(synth({}, { name: 'blue', namespace: 'shared' }))) {
      for (const [selector] of expr.matchAll(/\{[^}]*\}/g)) {
        expect(selector).toMatch(/^\{namespace="shared",(job="blue-(service|monitor)"|persistentvolumeclaim=~"data-postgres-0\|data-minio-0"|pod=~"blue-\[)/);
      }
    }
  });

  test('counts the pods of the server, and not those of its monitor or of another stack', () => {
    const regex = /pod=~"(.*?)"/.exec(expressions(objects).find((expr) => expr.includes('pod=~'))!)![1];
    const matches = (pod: string) => new RegExp(`^(?:${regex})$`).test(pod);
    expect(['mlflow-7d9f8b6c5-x2x8z', 'mlflow-monitor-7d9f8b6c5-x2x8z', 'mlflow-blue-7d9f8b6c5-x2x8z', 'minio-0'].map(matches)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test('asks for the container of the server', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { trackingServer: { metrics: {} } });
    const stack = Testing.synth(chart);
    const [container] = get(stack, 'Deployment', 'mlflow').spec.template.spec.containers;
    const selectors = expressions([get(stack, 'ConfigMap', 'mlflow-dashboard')]).filter((expr) => expr.includes('pod=~'));
    expect(selectors).toHaveLength(2);
    for (const expr of selectors) expect(expr).toContain(`container="${container.name}"`);
  });

  test('looks back as far as the time between two scrapes needs', () => {
    const intervals = (options: MetricsOptions) =>
      new Set(panelsOf(synth(options)).flatMap(({ targets }) => targets.map(({ interval }: { interval: string }) => interval)));
    expect(intervals({})).toEqual(new Set(['30s']));
    expect(intervals({ scrapeInterval: Duration.minutes(2) })).toEqual(new Set(['120s']));
  });

  test('turns red where the alerts fire', () => {
    const limits = (options: MetricsOptions) =>
      panelsOf(synth(options))
        .filter(({ fieldConfig }) => fieldConfig.defaults.unit === 'percent')
        .map(({ title, fieldConfig }) => [title, fieldConfig.defaults.thresholds.steps.at(-1)]);
    expect(limits({ errorRatePercent: 1, volumeFullPercent: 70 })).toEqual([
      ['Failed requests', { color: 'red', value: 1 }],
      ['Failed requests', { color: 'red', value: 1 }],
      ['Volumes: space in use', { color: 'red', value: 70 }],
      ['Volumes: inodes in use', { color: 'red', value: 70 }],
    ]);
  });

  test('has the labels and annotations by which the sidecar finds and files it', () => {
    const metadata = (options: MetricsOptions) => ofKind(synth(options), 'ConfigMap')[0].metadata;
    expect(metadata({})).not.toHaveProperty('annotations');
    expect(metadata({ dashboardLabels: { dashboards: 'mlops' } }).labels).toEqual({ ...LABELS, dashboards: 'mlops' });
    expect(metadata({ dashboardAnnotations: { grafana_folder: 'ML platform' } }).annotations).toEqual({ grafana_folder: 'ML platform' });
  });
});

describe('wrong props', () => {
  const fault = (prop: string, got: string) => [expect.stringMatching(new RegExp(`^\\[test/TrackingServer\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`))];

  test.each<[object, string, string]>([
    [{ serviceMonitor: 'false' }, 'metrics.serviceMonitor', '"false"'],
    [{ alerts: 1 }, 'metrics.alerts', '1'],
    [{ dashboard: 'yes' }, 'metrics.dashboard', '"yes"'],
    [{ scrapeInterval: 30 }, 'metrics.scrapeInterval', '30'],
    [{ scrapeInterval: Duration.seconds(0) }, 'metrics.scrapeInterval', '"0 s"'],
    [{ scrapeInterval: Duration.seconds(121) }, 'metrics.scrapeInterval', '"121 s"'],
    [{ errorRatePercent: 0 }, 'metrics.errorRatePercent', '0'],
    [{ errorRatePercent: '5' }, 'metrics.errorRatePercent', '"5"'],
    [{ errorRatePercent: NaN }, 'metrics.errorRatePercent', 'NaN'],
    [{ volumeFullPercent: 100 }, 'metrics.volumeFullPercent', '100'],
    [{ volumeFullPercent: -1 }, 'metrics.volumeFullPercent', '-1'],
    [{ labels: { release: 1 } }, 'metrics.labels', '{"release":1}'],
    [{ labels: { 'app.kubernetes.io/name': 'mine' } }, 'metrics.labels\\["app.kubernetes.io/name"\\]', '"mine"'],
    [{ dashboardLabels: { 'not a key': '1' } }, 'metrics.dashboardLabels', '{"not a key":"1"}'],
    [{ dashboardLabels: { 'app.kubernetes.io/part-of': 'me' } }, 'metrics.dashboardLabels\\["app.kubernetes.io/part-of"\\]', '"me"'],
    [{ dashboardAnnotations: { grafana_folder: 7 } }, 'metrics.dashboardAnnotations\\["grafana_folder"\\]', '7'],
    [{ dashboardAnnotations: { 'my folder': 'x' } }, 'metrics.dashboardAnnotations\\["my folder"\\]', '"x"'],
    [{ dashboardAnnotations: 'x' }, 'metrics.dashboardAnnotations', 'a string'],
    [{ alertLabels: { team: 1 } }, 'metrics.alertLabels\\["team"\\]', '1'],
    [{ alertLabels: { 'example.com/team': 'a' } }, 'metrics.alertLabels\\["example.com/team"\\]', '"a"'],
    [{ alertLabels: { __team: 'a' } }, 'metrics.alertLabels\\["__team"\\]', '"a"'],
    [{ alertLabels: { severity: 'page' } }, 'metrics.alertLabels\\["severity"\\]', '"page"'],
    [{ alertLabels: ['a'] }, 'metrics.alertLabels', 'a list of 1'],
  ])('%j', (options, prop, got) => {
    expect(wrong(options)).toEqual(fault(prop, got.replace(/[{}]/g, '\\$&')));
  });

  test('a name that is nearly right', () => {
    expect(wrong({ scrapeIntervall: Duration.minutes(1) })).toEqual([
      expect.stringMatching(/ metrics\.scrapeIntervall: got .* Fix: did you mean metrics\.scrapeInterval\?\.$/),
    ]);
  });

  test.each<[MetricsOptions, string, string]>([
    [
      { serviceMonitor: false, dashboard: false, scrapeInterval: Duration.minutes(1) },
      'scrapeInterval',
      'metrics.serviceMonitor = false and metrics.dashboard = false',
    ],
    [{ serviceMonitor: false, alerts: false, labels: { release: 'x' } }, 'labels', 'metrics.serviceMonitor = false and metrics.alerts = false'],
    [{ alerts: false, alertLabels: { team: 'a' } }, 'alertLabels', 'metrics.alerts = false'],
    [{ alerts: false, dashboard: false, errorRatePercent: 1 }, 'errorRatePercent', 'metrics.alerts = false and metrics.dashboard = false'],
    [{ alerts: false, dashboard: false, volumeFullPercent: 80 }, 'volumeFullPercent', 'metrics.alerts = false and metrics.dashboard = false'],
    [{ dashboard: false, dashboardLabels: { a: 'b' } }, 'dashboardLabels', 'metrics.dashboard = false'],
    [{ dashboard: false, dashboardAnnotations: { a: 'b' } }, 'dashboardAnnotations', 'metrics.dashboard = false'],
  ])('that contradict each other: %j', (options, prop, off) => {
    expect(wrong(options)).toEqual([expect.stringContaining(` metrics.${prop}: got `)]);
    expect(wrong(options)[0]).toContain(`Rule: with ${off} nothing is made`);
  });

  test.each<MetricsOptions>([
    { serviceMonitor: false, scrapeInterval: Duration.minutes(1), labels: { release: 'x' } },
    { dashboard: false, scrapeInterval: Duration.minutes(1) },
    { alerts: false, errorRatePercent: 1, volumeFullPercent: 80, labels: { release: 'x' } },
  ])('but not where one of its users is there: %j', (options) => {
    expect(wrong(options)).toEqual([]);
  });
});
