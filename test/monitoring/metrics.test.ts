import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Testing } from 'cdk8s';
import { IpFamily, Metrics, MetricsOptions, MlflowStack } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, containers, faults, get, ofKind } from '../helpers';
import { artifactStore, backendStore, server, told, valueOf } from '../tracking-server/server';
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

const addOn = new AddOn(Metrics, 'Metrics');
/** Stores with volumes, as PostgreSQL and MinIO of the stack have them. */
const STORES = { backendStore: { ...backendStore, volumeClaims: ['data-postgres-0'] }, artifactStore: { ...artifactStore, volumeClaims: ['data-minio-0'] } };
const isMade = ({ kind, metadata }: Manifests[number]) => ['ServiceMonitor', 'PrometheusRule'].includes(kind) || /-dashboard$/.test(metadata.name);

/** The objects of the metrics, without those of the server. */
function synth(options: MetricsOptions = {}, props: object = {}): Manifests {
  return addOn.synth(options, { ...STORES, ...props }).filter(isMade);
}

/** What is wrong with these options. */
function wrong(options: object): string[] {
  return addOn.wrong(options, STORES);
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
    const { chart, made } = addOn.add();
    for (const object of [made.serviceMonitor, made.monitorServiceMonitor, made.prometheusRule, made.dashboard]) {
      object!.metadata.addAnnotation('team', 'a');
    }
    expect(made.node.defaultChild).toBe(made.serviceMonitor);
    expect(Testing.synth(chart).filter(isMade).map(({ metadata }) => metadata.annotations)).toEqual([{ team: 'a' }, { team: 'a' }, { team: 'a' }, { team: 'a' }]);
  });

  test('of a second Metrics for one server are a fault', () => {
    const { chart, server: tracking } = addOn.add();
    addOn.to(chart, tracking, {}, 'Second');
    expect(faults(chart)).toEqual([
      told('addVariable', '"MLFLOW_EXPOSE_PROMETHEUS"', '[test/Metrics] sets this one', 'leave it to [test/Metrics], or leave that one out', 'Second'),
      told('addVolume', '"volume metrics"', 'and [test/Metrics] has this one', 'leave it to [test/Metrics]', 'Second'),
      told('addVolume', '"mount /tmp/metrics"', 'and [test/Metrics] has this one', 'leave it to [test/Metrics]', 'Second'),
      told('addVariable', '"GUARD_METRICS_TOKEN_FILE"', '[test/Metrics] sets this one', 'leave it to [test/Metrics], or leave that one out', 'Second'),
      told('addVolume', '"volume metrics-token"', 'and [test/Metrics] has this one', 'leave it to [test/Metrics]', 'Second'),
      told('addVolume', '"mount /etc/metrics-token"', 'and [test/Metrics] has this one', 'leave it to [test/Metrics]', 'Second'),
      told('server', 'Secret "mlflow-metrics" in namespace "mlflow", ServiceMonitor "mlflow" in namespace "mlflow", ServiceMonitor "mlflow-monitor" in namespace "mlflow", PrometheusRule "mlflow" in namespace "mlflow", ConfigMap "mlflow-dashboard" in namespace "mlflow", which [test/Metrics/Secret] makes already', 'each kind has a name once', 'make one Metrics for each tracking server', 'Second'),
    ]);
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
  new MlflowStack(chart, 'Stack', { metrics: {} });
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
    const { chart, server: tracking } = addOn.add();
    tracking.addLogin(tracking, { secretName: 'mlflow-admin', namespace: 'mlflow', usernameKey: 'user', passwordKey: 'pass', generated: false });
    const [page, monitor] = ofKind(Testing.synth(chart), 'ServiceMonitor').map(({ spec }) => spec.endpoints[0]);
    expect(page.authorization).toEqual({ type: 'Bearer', credentials: { name: 'mlflow-metrics', key: 'token' } });
    for (const endpoint of [page, monitor, serviceMonitors[0].spec.endpoints[0]]) expect(endpoint).not.toHaveProperty('basicAuth');
    for (const endpoint of [monitor, serviceMonitors[0].spec.endpoints[0]]) expect(endpoint).not.toHaveProperty('authorization');
  });

  test('log in as the administrator where there is no guard that knows them by a token', () => {
    const { chart, server: tracking } = addOn.add({}, { guard: { enabled: false } });
    tracking.addLogin(tracking, { secretName: 'mlflow-admin', namespace: 'mlflow', usernameKey: 'user', passwordKey: 'pass', generated: false });
    const objects = Testing.synth(chart);
    const [page] = ofKind(objects, 'ServiceMonitor').map(({ spec }) => spec.endpoints[0]);
    expect(page.basicAuth).toEqual({ username: { name: 'mlflow-admin', key: 'user' }, password: { name: 'mlflow-admin', key: 'pass' } });
    expect(page).not.toHaveProperty('authorization');
    expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).not.toContain('mlflow-metrics');
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
    'MlflowPodEvicted',
    'MlflowCleanUpFailed',
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
    // those of the backups and of the artifact servers are looked at beside their constructs
    expect(chapters.filter((title) => !/^Mlflow(Backup|ArtifactServers)/.test(title))).toEqual(NAMES);
    for (const rule of rulesOf(synth())) expect(rule.annotations.runbook_url).toMatch(new RegExp(`/docs/how-to/monitor\\.md#${rule.alert.toLowerCase()}$`));
  });

  test('name the Deployments and the namespace in their commands', () => {
    const rules = rulesOf(synth({}, { name: 'blue', namespace: 'shared' }));
    const logs = Object.fromEntries(rules.map((rule) => [rule.alert, /"(kubectl [^"]* logs [^"]*)"/.exec(rule.annotations.description)?.[1]]));
    const [page, monitor] = ['tracking-server', 'store-monitor'].map((part) => `kubectl --namespace shared logs --selector app.kubernetes.io/instance=blue,app.kubernetes.io/component=${part} --prefix --tail=20`);
    expect(logs).toEqual({
      MlflowTrackingServerDown: page,
      MlflowHighErrorRate: page,
      MlflowArtifactStoreNotWritable: monitor,
      MlflowDatabaseNotReachable: monitor,
      MlflowStoreMonitorDown: monitor,
      MlflowPodEvicted: undefined,
      MlflowCleanUpFailed: 'kubectl --namespace shared logs --selector app.kubernetes.io/component=garbage-collection --tail=30',
      MlflowVolumeNearlyFull: undefined,
      MlflowVolumeNearlyOutOfInodes: undefined,
    });
  });

  test('are for the metrics of this stack only', () => {
    for (const { expr } of rulesOf(synth({}, { name: 'blue', namespace: 'shared' }))) {
      for (const [selector] of expr.matchAll(/\{[^}]*\}/g)) {
        expect(selector).toMatch(/^\{namespace="shared",(job="blue-(service|monitor)"|cronjob="blue-gc"|pod=~"blue\(-artifacts\)\?-\[a-z0-9\]\+-\[a-z0-9\]\{5|persistentvolumeclaim=~"data-postgres-0\|data-minio-0")/);
      }
    }
  });

  test('of volumes are there where volumes are', () => {
    const objects = synth({}, { backendStore, artifactStore });
    expect(rulesOf(objects).map((rule) => rule.alert)).toEqual(NAMES.slice(0, 7));
    expect(expressions(objects).join()).not.toContain('kubelet');
  });

  test('of volumes are about those that there are', () => {
    const { expr } = alert(synth({}, { artifactStore }), 'MlflowVolumeNearlyFull');
    expect(expr).toContain('persistentvolumeclaim=~"data-postgres-0"');
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
        expect(selector).toMatch(/^\{namespace="shared",(job="blue-(service|monitor)"|cronjob="blue-gc"|persistentvolumeclaim=~"data-postgres-0\|data-minio-0"|pod=~"blue\(-artifacts\)\?-\[)/);
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
    new MlflowStack(chart, 'Stack', { metrics: {} });
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
  const fault = (prop: string, got: string) => [expect.stringMatching(new RegExp(`^\\[test/Metrics\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`))];

  test.each<[object, string, string]>([
    [{ serviceMonitor: 'false' }, 'serviceMonitor', '"false"'],
    [{ alerts: 1 }, 'alerts', '1'],
    [{ dashboard: 'yes' }, 'dashboard', '"yes"'],
    [{ scrapeInterval: 30 }, 'scrapeInterval', '30'],
    [{ scrapeInterval: Duration.seconds(0) }, 'scrapeInterval', '"0 s"'],
    [{ scrapeInterval: Duration.seconds(121) }, 'scrapeInterval', '"121 s"'],
    [{ errorRatePercent: 0 }, 'errorRatePercent', '0'],
    [{ errorRatePercent: '5' }, 'errorRatePercent', '"5"'],
    [{ errorRatePercent: NaN }, 'errorRatePercent', 'NaN'],
    [{ volumeFullPercent: 100 }, 'volumeFullPercent', '100'],
    [{ volumeFullPercent: -1 }, 'volumeFullPercent', '-1'],
    [{ labels: { release: 1 } }, 'labels', '{"release":1}'],
    [{ labels: { 'app.kubernetes.io/name': 'mine' } }, 'labels\\["app.kubernetes.io/name"\\]', '"mine"'],
    [{ dashboardLabels: { 'not a key': '1' } }, 'dashboardLabels', '{"not a key":"1"}'],
    [{ dashboardLabels: { 'app.kubernetes.io/part-of': 'me' } }, 'dashboardLabels\\["app.kubernetes.io/part-of"\\]', '"me"'],
    [{ dashboardAnnotations: { grafana_folder: 7 } }, 'dashboardAnnotations\\["grafana_folder"\\]', '7'],
    [{ dashboardAnnotations: { 'my folder': 'x' } }, 'dashboardAnnotations\\["my folder"\\]', '"x"'],
    [{ dashboardAnnotations: 'x' }, 'dashboardAnnotations', 'a string'],
    [{ alertLabels: { team: 1 } }, 'alertLabels\\["team"\\]', '1'],
    [{ alertLabels: { 'example.com/team': 'a' } }, 'alertLabels\\["example.com/team"\\]', '"a"'],
    [{ alertLabels: { __team: 'a' } }, 'alertLabels\\["__team"\\]', '"a"'],
    [{ alertLabels: { severity: 'page' } }, 'alertLabels\\["severity"\\]', '"page"'],
    [{ alertLabels: ['a'] }, 'alertLabels', 'a list of 1'],
  ])('%j', (options, prop, got) => {
    expect(wrong(options)).toEqual(fault(prop, got.replace(/[{}]/g, '\\$&')));
  });

  test('a name that is nearly right', () => {
    expect(wrong({ scrapeIntervall: Duration.minutes(1) })).toEqual([
      expect.stringMatching(/ scrapeIntervall: got .* Fix: did you mean scrapeInterval\?\.$/),
    ]);
  });

  test.each<[MetricsOptions, string, string]>([
    [
      { serviceMonitor: false, dashboard: false, scrapeInterval: Duration.minutes(1) },
      'scrapeInterval',
      'serviceMonitor = false and dashboard = false',
    ],
    [{ serviceMonitor: false, alerts: false, labels: { release: 'x' } }, 'labels', 'serviceMonitor = false and alerts = false'],
    [{ alerts: false, alertLabels: { team: 'a' } }, 'alertLabels', 'alerts = false'],
    [{ alerts: false, dashboard: false, errorRatePercent: 1 }, 'errorRatePercent', 'alerts = false and dashboard = false'],
    [{ alerts: false, dashboard: false, volumeFullPercent: 80 }, 'volumeFullPercent', 'alerts = false and dashboard = false'],
    [{ dashboard: false, dashboardLabels: { a: 'b' } }, 'dashboardLabels', 'dashboard = false'],
    [{ dashboard: false, dashboardAnnotations: { a: 'b' } }, 'dashboardAnnotations', 'dashboard = false'],
  ])('that contradict each other: %j', (options, prop, off) => {
    expect(wrong(options)).toEqual([expect.stringContaining(` ${prop}: got `)]);
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

describe('a server without monitor', () => {
  const objects = addOn.synth({}, { ...STORES, preflight: { monitor: false } });

  test('has nothing of it: no ServiceMonitor, no alert that would always fire, no panel that would always be empty', () => {
    expect(idsOf(objects.filter(isMade))).toEqual(['ServiceMonitor mlflow', 'PrometheusRule mlflow', 'ConfigMap mlflow-dashboard']);
    expect(rulesOf(objects).map((rule) => rule.alert)).toEqual(['MlflowTrackingServerDown', 'MlflowHighErrorRate', 'MlflowPodEvicted', 'MlflowCleanUpFailed', 'MlflowVolumeNearlyFull', 'MlflowVolumeNearlyOutOfInodes']);
    expect(JSON.stringify([rulesOf(objects), dashboardOf(objects)])).not.toMatch(/monitor"|mlflow_artifact_store_writable|mlflow_database_reachable/);
    expect(addOn.add({}, { preflight: { monitor: false } }).made.monitorServiceMonitor).toBeUndefined();
  });

  test('has a dashboard without gaps, too', () => {
    const panels = panelsOf(objects);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`));
    expect(new Set(cells).size).toBe(cells.length);
    expect(cells).toHaveLength(24 * Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)));
  });
});

describe('the server', () => {
  const mlflow = (props: object = {}, options: object = {}) => containers(get(addOn.synth(options, props), 'Deployment', 'mlflow'))[0];
  const allowed = (container: Manifests[number]): string[] => container.args.find((arg: string) => arg.startsWith('--allowed-hosts=')).split('=')[1].split(',');

  test('has the page of the metrics with this add-on only, whatever else it makes', () => {
    expect(valueOf(mlflow(), 'MLFLOW_EXPOSE_PROMETHEUS')).toBe('/tmp/metrics');
    expect(mlflow().volumeMounts).toContainEqual({ name: 'metrics', mountPath: '/tmp/metrics' });
    expect(valueOf(mlflow({}, { serviceMonitor: false, alerts: false, dashboard: false }), 'MLFLOW_EXPOSE_PROMETHEUS')).toBe('/tmp/metrics');
    const chart = Testing.chart();
    server({}, chart);
    expect(JSON.stringify(Testing.synth(chart))).not.toContain('MLFLOW_EXPOSE_PROMETHEUS');
  });

  test('answers Prometheus, which asks pods by their addresses, where it does not answer for all hosts', () => {
    const address = { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } };
    for (const settings of [{ deriveAllowedHosts: true }, { allowedHosts: ['mlflow.example.com'] }]) {
      expect(mlflow({ settings }).env).toContainEqual(address);
      expect(allowed(mlflow({ settings }))).toContain('$(POD_IP):5000');
    }
    expect(mlflow().env).not.toContainEqual(address);
    expect(allowed(mlflow())).toEqual(['*']);
  });

  test('and at addresses of IPv6, as they stand before a port', () => {
    const cluster = { ipFamily: IpFamily.IPV6, domain: 'k8s.example.org' };
    const hosts = allowed(mlflow({ settings: { deriveAllowedHosts: true }, cluster }));
    expect(hosts).toContain('[$(POD_IP)]:5000');
    expect(hosts).toContain('mlflow-service.mlflow.svc.k8s.example.org:5000');
  });
});

test('a managed variable that the user has set', () => {
  expect(addOn.wrong({}, { extraEnv: [{ name: 'MLFLOW_EXPOSE_PROMETHEUS', value: '/elsewhere' }] })).toEqual([
    told('addVariable', '"MLFLOW_EXPOSE_PROMETHEUS"', 'the prop extraEnv sets this one', 'leave it to the prop extraEnv, or leave that one out', 'Metrics'),
  ]);
});

describe('who may scrape the server', () => {
  const PROMETHEUS = { namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } };
  const from = (props: object, options: object, isolate = true) => {
    const { chart, server: tracking } = addOn.add(options, props);
    if (isolate) tracking.connections.isolate(chart);
    return get(Testing.synth(chart), 'NetworkPolicy', 'mlflow').spec.ingress?.[0].from;
  };

  test('are the pods of Prometheus, where something isolates it, be it later', () => {
    expect(from({}, {})).toEqual([PROMETHEUS]);
  });

  test('is everybody, where everybody may connect', () => {
    expect(from({}, {}, false)).toBeUndefined();
  });

  test('are those that are named, beside the clients of the server', () => {
    const [monitoring, notebooks] = ['monitoring', 'notebooks'].map((name) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } }));
    expect(from({ networkPolicy: { clients: [notebooks] } }, { scrapers: [monitoring] })).toEqual([monitoring, notebooks]);
  });

  test('is nobody without a ServiceMonitor', () => {
    expect(from({}, { serviceMonitor: false })).toBeUndefined();
  });

  test('is told where it is no peer, or for nothing', () => {
    const wrong = (options: object) => faults(addOn.add(options).chart);
    expect(wrong({ scrapers: [{}] })).toEqual([told('scrapers[0]', 'an object with nothing in it', 'a peer has ipBlock, podSelector or namespaceSelector', 'pass a peer', 'Metrics')]);
    expect(wrong({ scrapers: [], serviceMonitor: false })).toEqual([told('scrapers', 'a list of 0', 'with serviceMonitor = false nothing is made that it could be for', 'leave scrapers out', 'Metrics')]);
  });
});
