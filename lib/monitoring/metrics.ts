import { ApiObject, Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { ALERT_LABELS, alertRules } from './alert-rules';
import { Scraped, grafanaDashboard } from './grafana-dashboard';
import { Part, labels, selectorLabels } from '../kube/labels';
import { ConfigMap, PrometheusRule, ServiceMonitor } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { ICredentials } from '../secrets/credentials';
import { k8s } from '../../imports/k8s';
import { ServiceMonitorSpecEndpoints, ServiceMonitorSpecEndpointsRelabelingsAction } from '../../imports/servicemonitor-monitoring.coreos.com';

/**
 * Longest time between two scrapes: alerts look at 5 minutes, in which a rate needs two samples, and Prometheus forgets a
 * sample after 5 minutes.
 */
const MAX_INTERVAL_SECONDS = 120;

/**
 * Metrics of the tracking server, and what the Prometheus operator and Grafana need to work with them. `{}` is all of it
 * with defaults.
 *
 * Without `metrics` the server has no page `/metrics`. The store monitor has one in any case.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
 */
export interface MetricsOptions {
  /**
   * Whether there are ServiceMonitors, one for the server and one for the store monitor. They need the Prometheus operator
   * in the cluster.
   *
   * @default true
   * @see https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.ServiceMonitor
   */
  readonly serviceMonitor?: boolean;

  /**
   * Time between two scrapes, in whole seconds, 2 minutes at the most.
   *
   * @default Duration.seconds(30)
   */
  readonly scrapeInterval?: Duration;

  /**
   * Further labels of the ServiceMonitors and the PrometheusRule, by which a Prometheus chooses what is for it, such as
   * `release: kube-prometheus-stack`.
   *
   * @default - none
   * @see https://prometheus-operator.dev/docs/platform/troubleshooting/
   */
  readonly labels?: { [key: string]: string };

  /**
   * Whether there is a PrometheusRule with alerts. They count on the labels that the ServiceMonitors give to metrics: `job`
   * is the name of the Service, `namespace` that of the stack.
   *
   * @default true
   * @see https://prometheus-operator.dev/docs/developer/alerting/
   */
  readonly alerts?: boolean;

  /**
   * Further labels of each alert, by which an Alertmanager finds who is to be told, such as `team: vision`. Each alert has
   * the labels `severity` (`critical` or `warning`), `namespace` and `tracking_server` (the name of the server) in any case.
   *
   * @default - none
   * @see https://prometheus.io/docs/alerting/latest/configuration/#route
   */
  readonly alertLabels?: { [name: string]: string };

  /**
   * Percentage of requests answered with a 5xx status above which the alert MlflowHighErrorRate fires.
   *
   * @default 5
   */
  readonly errorRatePercent?: number;

  /**
   * Percentage of space, or of files, in use above which an alert fires for a volume of the stores. For stores that have
   * their volumes in this stack.
   *
   * @default 90
   */
  readonly volumeFullPercent?: number;

  /**
   * Whether there is a ConfigMap with a dashboard for Grafana, which the sidecar of Grafana's chart loads.
   *
   * @default true
   * @see https://grafana.com/docs/grafana/latest/dashboards/
   */
  readonly dashboard?: boolean;

  /**
   * Labels of the ConfigMap with the dashboard, by which the sidecar finds it.
   *
   * @default { grafana_dashboard: "1" }
   * @see https://github.com/grafana/helm-charts/tree/main/charts/grafana#sidecar-for-dashboards
   */
  readonly dashboardLabels?: { [key: string]: string };

  /**
   * Annotations of the ConfigMap with the dashboard, such as the folder in Grafana: `grafana_folder: MLflow`, where this is
   * the `folderAnnotation` of the sidecar.
   *
   * @default - none
   */
  readonly dashboardAnnotations?: { [key: string]: string };
}

const SHAPE: Shape<MetricsOptions> = {
  serviceMonitor: 'value',
  scrapeInterval: 'value',
  labels: 'labels',
  alerts: 'value',
  alertLabels: {},
  errorRatePercent: 'value',
  volumeFullPercent: 'value',
  dashboard: 'value',
  dashboardLabels: 'labels',
  dashboardAnnotations: {},
};

export interface MetricsProps {
  /** The checks of the construct to which the user gave the options. */
  readonly checks: PropChecks;
  /** The tracking server. */
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  readonly options: MetricsOptions;
  /** The Service by which the pods of the server are found. */
  readonly serviceName: string;
  /** Name of its port. */
  readonly portName: string;
  /** Name of the store monitor and of its Service. */
  readonly monitorName: string;
  readonly monitorPortName: string;
  /** User who may see the page `/metrics` of the server. */
  readonly login?: Pick<ICredentials, 'secretName' | 'usernameKey' | 'passwordKey'>;
  /** Names of the PersistentVolumeClaims of the stores, in the same namespace. */
  readonly volumeClaims: string[];
}

/** The page `/metrics` of the tracking server and of its store monitor, in Prometheus and in Grafana. */
export class Metrics extends Construct {
  public readonly serviceMonitor?: ApiObject;
  public readonly monitorServiceMonitor?: ApiObject;
  public readonly prometheusRule?: ApiObject;
  public readonly dashboard?: k8s.KubeConfigMap;

  public constructor(scope: Construct, id: string, props: MetricsProps) {
    super(scope, id);
    const { checks, part, namespace } = props;
    const options = checks.props(props.options, SHAPE, 'metrics.');
    const monitored = checks.flag('metrics.serviceMonitor', options.serviceMonitor ?? true);
    const alerts = checks.flag('metrics.alerts', options.alerts ?? true);
    const dashboard = checks.flag('metrics.dashboard', options.dashboard ?? true);
    checkUse(checks, options, { serviceMonitor: monitored, alerts, dashboard });

    const own = labels(part);
    const operatorLabels = furtherLabels(checks, 'metrics.labels', options.labels, own);
    const dashboardLabels = furtherLabels(checks, 'metrics.dashboardLabels', options.dashboardLabels ?? { grafana_dashboard: '1' }, own);
    const annotations = checks.annotations('metrics.dashboardAnnotations', options.dashboardAnnotations, '{ grafana_folder: "MLflow" }');
    const alertLabels = checkedAlertLabels(checks, options.alertLabels ?? {});
    const scraped: Scraped = {
      name: props.name,
      namespace,
      intervalSeconds: checkedInterval(checks, options.scrapeInterval ?? Duration.seconds(30)),
      errorRatePercent: checkedPercent(checks, 'metrics.errorRatePercent', options.errorRatePercent ?? 5),
      volumeFullPercent: checkedPercent(checks, 'metrics.volumeFullPercent', options.volumeFullPercent ?? 90),
      server: `namespace="${namespace}",job="${props.serviceName}"`,
      monitor: `namespace="${namespace}",job="${props.monitorName}"`,
      volumes: props.volumeClaims.length === 0 ? undefined : `namespace="${namespace}",persistentvolumeclaim=~"${props.volumeClaims.join('|')}"`,
    };

    if (monitored) {
      const serviceMonitor = (constructId: string, target: Part, name: string, service: string, endpoint: ServiceMonitorSpecEndpoints) =>
        new ServiceMonitor(this, constructId, {
          metadata: { name, namespace, labels: { ...operatorLabels, ...labels(target) } },
          spec: {
            selector: { matchLabels: selectorLabels(target) },
            endpoints: [
              {
                path: '/metrics',
                interval: `${scraped.intervalSeconds}s`,
                // the server has several Services with the same labels, and each pod is scraped once
                relabelings: [{ sourceLabels: ['__meta_kubernetes_service_name'], regex: service, action: ServiceMonitorSpecEndpointsRelabelingsAction.KEEP }],
                ...endpoint,
              },
            ],
          },
        });
      this.serviceMonitor = serviceMonitor('ServiceMonitor', part, props.name, props.serviceName, {
        port: props.portName,
        basicAuth: props.login && {
          username: { name: props.login.secretName, key: props.login.usernameKey },
          password: { name: props.login.secretName, key: props.login.passwordKey },
        },
      });
      const monitor: Part = { ...part, component: 'store-monitor' };
      this.monitorServiceMonitor = serviceMonitor('MonitorServiceMonitor', monitor, props.monitorName, props.monitorName, { port: props.monitorPortName });
      this.node.defaultChild = this.serviceMonitor;
    }
    if (alerts) {
      this.prometheusRule = new PrometheusRule(this, 'PrometheusRule', {
        metadata: { name: props.name, namespace, labels: { ...operatorLabels, ...own } },
        spec: { groups: [{ name: props.name, rules: alertRules(scraped, props.monitorName, alertLabels) }] },
      });
    }
    if (dashboard) {
      this.dashboard = new ConfigMap(this, 'Dashboard', {
        metadata: { name: `${props.name}-dashboard`, namespace, labels: { ...dashboardLabels, ...own }, annotations },
        data: { [`${namespace}-${props.name}.json`]: `${JSON.stringify(grafanaDashboard(scraped), undefined, 2)}\n` },
      });
    }
  }
}

/** Faults where an option is given for objects that there shall be none of. */
function checkUse(checks: PropChecks, options: MetricsOptions, made: { serviceMonitor: boolean; alerts: boolean; dashboard: boolean }): void {
  const users: { [option: string]: (keyof typeof made)[] } = {
    scrapeInterval: ['serviceMonitor', 'dashboard'],
    labels: ['serviceMonitor', 'alerts'],
    alertLabels: ['alerts'],
    errorRatePercent: ['alerts', 'dashboard'],
    volumeFullPercent: ['alerts', 'dashboard'],
    dashboardLabels: ['dashboard'],
    dashboardAnnotations: ['dashboard'],
  };
  for (const [option, needs] of Object.entries(users)) {
    const value = options[option as keyof MetricsOptions];
    if (value === undefined || needs.some((need) => made[need])) continue;
    const off = needs.map((need) => `metrics.${need} = false`).join(' and ');
    checks.fault({
      prop: `metrics.${option}`,
      value,
      hidden: typeof value === 'object',
      rule: `with ${off} nothing is made that it could be for`,
      fix: `leave metrics.${option} out, or ${needs.map((need) => `metrics.${need}`).join(' or ')}`,
    });
  }
}

function furtherLabels(checks: PropChecks, prop: string, given: { [key: string]: string } = {}, own: { [key: string]: string }): { [key: string]: string } {
  for (const key of Object.keys(given).filter((label) => label in own)) {
    checks.fault({
      prop: `${prop}[${JSON.stringify(key)}]`,
      value: given[key],
      rule: 'the construct sets this label (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/)',
      fix: 'leave it out, or take a label of your own such as "example.com/team"',
    });
  }
  return given;
}

function checkedAlertLabels(checks: PropChecks, given: { [name: string]: string }): { [name: string]: string } {
  for (const [name, value] of Object.entries(given)) {
    const taken = ALERT_LABELS.includes(name);
    if (taken || typeof value !== 'string' || !/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      checks.fault({
        prop: `metrics.alertLabels[${JSON.stringify(name)}]`,
        value,
        rule: taken
          ? 'each alert has a label of this name already'
          : 'a label of an alert has a name of letters, digits and "_", no digit and no "__" first, and a text as value ' +
            '(https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels)',
        fix: taken ? 'take another name, such as "team"' : 'pass labels such as { team: "vision" }',
      });
    }
  }
  return given;
}

function checkedInterval(checks: PropChecks, value: Duration): number {
  const seconds = checks.seconds('metrics.scrapeInterval', value);
  if (seconds > MAX_INTERVAL_SECONDS) {
    checks.fault({
      prop: 'metrics.scrapeInterval',
      value: `${seconds} s`,
      rule:
        'between two scrapes there are 2 minutes at the most: the alerts look back 5 minutes, after which Prometheus forgets a sample, too ' +
        '(https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness)',
      fix: 'pass a time span such as Duration.seconds(30)',
    });
  }
  return seconds;
}

function checkedPercent(checks: PropChecks, prop: string, value: number): number {
  if (typeof value !== 'number' || !(value > 0 && value < 100)) {
    checks.fault({ prop, value, rule: 'a percentage is a number above 0 and below 100', fix: 'pass a number such as 5 or 90' });
  }
  return Number(value);
}
