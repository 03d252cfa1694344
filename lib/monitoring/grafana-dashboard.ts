import { fingerprint } from '../kube/hash';

/** What Prometheus has of a stack, for the alerts and the dashboard. */
export interface Scraped {
  readonly name: string;
  readonly namespace: string;
  readonly intervalSeconds: number;
  readonly errorRatePercent: number;
  readonly volumeFullPercent: number;
  /** Selectors, without braces: of the metrics of the server and of the volumes of the stores. */
  readonly server: string;
  /** The store monitor, where there is one. */
  readonly monitor?: Monitored;
  readonly volumes?: string;
}

/** A Deployment, and the selector of its metrics, without braces. */
export interface Monitored {
  readonly name: string;
  readonly selector: string;
}

/** The colour that begins at a value. */
interface Step {
  readonly color: string;
  readonly value: number | null;
}

/** A panel of the dashboard. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'timeseries' | 'state-timeline';
  readonly unit?: string;
  readonly steps?: Step[];
  readonly mappings?: object[];
  /** Text where there is no data. */
  readonly noValue?: string;
  readonly max?: number;
  readonly stacked?: boolean;
  /** Queries by what is shown in the legend. */
  readonly queries: { readonly [legend: string]: string };
}

/** The legend shows by which label the series differ. Templates have braces, which Helm would take for its own. */
const BY_LABEL = '__auto';
const GRID_WIDTH = 24;
/** Without braces, too: Flux substitutes variables that have them. */
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

export const GREEN: Step = { color: 'green', value: null };
/** Of a query that answers 1 for yes. */
export const YES_OR_NO: Pick<Panel, 'steps' | 'mappings'> = {
  steps: [
    { color: 'red', value: null },
    { color: 'green', value: 1 },
  ],
  mappings: [{ type: 'value', options: { '0': { text: 'no', color: 'red', index: 0 }, '1': { text: 'yes', color: 'green', index: 1 } } }],
};

/**
 * The dashboard of a stack, as Grafana keeps it in JSON, with rows of panels of its add-ons at the end.
 *
 * @see https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
 */
export function grafanaDashboard(scraped: Scraped, further: Panel[][]): object {
  return {
    uid: `mlflow-${fingerprint([scraped.namespace, scraped.name])}`,
    title: `MLflow ${scraped.name} in ${scraped.namespace}`,
    tags: ['mlflow'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [],
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Data source',
          type: 'datasource',
          query: 'prometheus',
          options: [],
          refresh: 1,
          regex: '',
          hide: 0,
          multi: false,
          includeAll: false,
        },
      ],
    },
    panels: rows(scraped, further).flatMap((row, index) => row.panels.map((panel, column) => laidOut(scraped, panel, row, index, column))),
  };
}

/** Panels side by side, all of one width. */
interface Row {
  readonly y: number;
  readonly height: number;
  readonly panels: Panel[];
}

const ofType = (type: Panel['type'], panels: Omit<Panel, 'type'>[]): Panel[] => panels.map((panel) => ({ ...panel, type }));

function rows(scraped: Scraped, further: Panel[][]): Row[] {
  const { server, monitor, volumes, namespace, name, errorRatePercent, volumeFullPercent } = scraped;
  const requests = (selector: string, range: string) => `sum(rate(mlflow_http_request_total{${selector}}[${range}]))`;
  const failed = (range: string) => `100 * (${requests(`${server},status=~"5.."`, range)} or vector(0)) / (${requests(server, range)} > 0)`;
  const latency = (quantile: number, range: string) =>
    `histogram_quantile(${quantile}, sum by (le) (rate(mlflow_http_request_duration_seconds_bucket{${server}}[${range}])))`;
  const container = `namespace="${namespace}",pod=~"${name}(-artifacts)?-[a-z0-9]+-[a-z0-9]+",container="mlflow"`;
  const writable = `max(mlflow_artifact_store_writable{${monitor?.selector}})`;
  const reachable = `max(mlflow_database_reachable{${monitor?.selector}})`;
  const used = (free: string, all: string) => `100 * max by (persistentvolumeclaim) (1 - ${free}{${volumes}} / ${all}{${volumes}})`;
  const above = (percent: number): Step[] => [GREEN, { color: 'red', value: percent }];
  const notCounted = 'Without a static prefix MLflow does not count transfers of artifacts.';

  const now = ofType('stat', [
    {
      title: 'Pods that answer',
      description: 'Pods of the tracking server that Prometheus reaches.',
      unit: 'none',
      steps: YES_OR_NO.steps,
      queries: { pods: `sum(up{${server}}) or vector(0)` },
    },
    ...(monitor === undefined
      ? []
      : [
          {
            title: 'Artifact store takes files',
            description: 'The store monitor writes and deletes a small file.',
            ...YES_OR_NO,
            noValue: 'not known',
            queries: { 'artifact store': writable },
          },
          {
            title: 'Database answers',
            description: 'The store monitor logs in to the database.',
            ...YES_OR_NO,
            noValue: 'not known',
            queries: { database: reachable },
          },
        ]),
    { title: 'Requests', description: `Requests of the last 5 minutes. ${notCounted}`, unit: 'reqps', queries: { requests: requests(server, '5m') } },
    {
      title: 'Failed requests',
      description: 'Requests of the last 5 minutes that were answered with a 5xx status.',
      unit: 'percent',
      steps: above(errorRatePercent),
      noValue: 'no requests',
      queries: { failed: failed('5m') },
    },
    {
      title: 'Latency, 95 %',
      description: 'In the last 5 minutes 95 % of the requests were answered within this time.',
      unit: 's',
      noValue: 'no requests',
      queries: { p95: latency(0.95, '5m') },
    },
  ]);

  const traffic = ofType('timeseries', [
    {
      title: 'Requests by status',
      description: notCounted,
      unit: 'reqps',
      stacked: true,
      queries: { [BY_LABEL]: `sum by (status) (rate(mlflow_http_request_total{${server}}[$__rate_interval]))` },
    },
    {
      title: 'Failed requests',
      description: 'Share of the requests that were answered with a 5xx status.',
      unit: 'percent',
      max: 100,
      steps: above(errorRatePercent),
      queries: { failed: failed('$__rate_interval') },
    },
    {
      title: 'Latency',
      description: 'The longest that is measured is 10 s.',
      unit: 's',
      queries: { p50: latency(0.5, '$__rate_interval'), p95: latency(0.95, '$__rate_interval'), p99: latency(0.99, '$__rate_interval') },
    },
  ]);

  const pods: Panel[] = [
    ...(monitor === undefined
      ? []
      : ofType('state-timeline', [
          { title: 'Stores', description: 'What the store monitor found.', ...YES_OR_NO, queries: { 'artifact store takes files': writable, 'database answers': reachable } },
        ])),
    {
      title: 'Memory',
      description: 'Memory that the pods of the tracking server use, without caches that can be dropped.',
      type: 'timeseries',
      unit: 'bytes',
      queries: { [BY_LABEL]: `sum by (pod) (container_memory_working_set_bytes{${container}})` },
    },
    {
      title: 'CPU',
      description: 'Cores that the pods of the tracking server use.',
      type: 'timeseries',
      unit: 'none',
      queries: { [BY_LABEL]: `sum by (pod) (rate(container_cpu_usage_seconds_total{${container}}[$__rate_interval]))` },
    },
  ];

  const share = { unit: 'percent', max: 100, steps: above(volumeFullPercent) };
  const disks = ofType('timeseries', [
    {
      title: 'Volumes: space in use',
      description: 'Of what the pods may use.',
      ...share,
      queries: { [BY_LABEL]: used('kubelet_volume_stats_available_bytes', 'kubelet_volume_stats_capacity_bytes') },
    },
    {
      title: 'Volumes: inodes in use',
      description: 'Each file and each folder takes one.',
      ...share,
      queries: { [BY_LABEL]: used('kubelet_volume_stats_inodes_free', 'kubelet_volume_stats_inodes') },
    },
  ]);

  return below([now, traffic, pods, ...(volumes === undefined ? [] : [disks]), ...further]);
}

/** Rows one below the other. A single value takes less height. */
function below(panels: Panel[][]): Row[] {
  let y = 0;
  return panels.map((row) => {
    const height = row.every(({ type }) => type === 'stat') ? 4 : 8;
    y += height;
    return { y: y - height, height, panels: row };
  });
}

function laidOut(scraped: Scraped, panel: Panel, row: Row, index: number, column: number): object {
  const width = GRID_WIDTH / row.panels.length;
  const { title, description, type, unit, noValue, max, mappings = [], steps = [GREEN], stacked } = panel;
  const custom = {
    stat: undefined,
    timeseries: {
      fillOpacity: stacked ? 40 : 10,
      lineWidth: 1,
      showPoints: 'never',
      stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
      thresholdsStyle: { mode: steps.length > 1 ? 'line' : 'off' },
    },
    'state-timeline': { fillOpacity: 70, lineWidth: 0 },
  }[type];
  const options = {
    stat: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value', graphMode: 'none', textMode: 'value' },
    timeseries: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] }, tooltip: { mode: 'multi', sort: 'desc' } },
    'state-timeline': {
      showValue: 'never',
      mergeValues: true,
      rowHeight: 0.8,
      legend: { displayMode: 'list', placement: 'bottom', showLegend: false, calcs: [] },
      tooltip: { mode: 'single', sort: 'none' },
    },
  }[type];
  const color = type === 'timeseries' ? 'palette-classic' : 'thresholds';
  return {
    id: index * 10 + column + 1,
    title,
    description,
    type,
    datasource: DATASOURCE,
    gridPos: { x: column * width, y: row.y, w: width, h: row.height },
    fieldConfig: {
      defaults: { unit, noValue, mappings, color: { mode: color }, thresholds: { mode: 'absolute', steps }, custom, ...(max && { min: 0, max }) },
      overrides: [],
    },
    options,
    targets: Object.entries(panel.queries).map(([legendFormat, expr], position) => ({
      refId: 'ABC'[position],
      datasource: DATASOURCE,
      expr,
      legendFormat,
      editorMode: 'code',
      range: true,
      // from this Grafana takes how long a rate has to look back
      interval: `${scraped.intervalSeconds}s`,
    })),
  };
}
