import { ApiObject, Duration, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { ALERT_LABELS, alertRules } from './alert-rules';
import { Scraped, grafanaDashboard } from './grafana-dashboard';
import { ScrapeTarget, ScrapeTargets } from './scrape-targets';
import { Cluster } from '../kube/cluster';
import { PROMETHEUS, goodPeers } from '../kube/policy-peers';
import { ConfigMap, PrometheusRule, ServiceMonitor } from '../kube/objects';
import { Part } from '../kube/labels';
import { emptyDir } from '../kube/pod';
import { programPlace } from '../kube/programs-chart';
import { Images } from '../options/images';
import { StoreMonitor } from '../preflight/store-monitor';
import { secretFile } from '../store/external-store';
import { generationOf, keyOf } from '../secrets/generation';
import { SecretsJob } from '../server-secrets/secrets-job';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';
import { PrometheusRuleSpecGroupsRules } from '../../imports/prometheusrule-monitoring.coreos.com';
import { ServiceMonitorSpecEndpoints, ServiceMonitorSpecEndpointsAuthorization, ServiceMonitorSpecEndpointsBasicAuth, ServiceMonitorSpecEndpointsRelabelingsAction } from '../../imports/servicemonitor-monitoring.coreos.com';

/**
 * Longest time between two scrapes: alerts look at 5 minutes, in which a rate needs two samples, and Prometheus forgets a
 * sample after 5 minutes.
 */
const MAX_INTERVAL_SECONDS = 120;
/** Where the processes of the server count. */
const FOLDER = '/tmp/metrics';
/** Key of the Secret with which Prometheus passes a login by. */
const TOKEN = 'token';
const TOKEN_FOLDER = '/etc/metrics-token';
const TOKEN_LENGTH = 40;

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
   * Pods of Prometheus, which may ask the store monitor for its metrics, and the server where a NetworkPolicy lets only named
   * clients in, as it does behind a login proxy. Who may label pods so gets past that proxy: name the namespace as well, where that counts.
   *
   * @default - pods with the label `app.kubernetes.io/name: prometheus`, as the operator makes them, in any namespace
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  readonly scrapers?: k8s.NetworkPolicyPeer[];

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

  /**
   * Number of the token that Prometheus shows: raise it by one to rotate it. Pods that are still to be replaced do not know the new
   * one, and refuse a scrape or two.
   *
   * @default 1
   */
  readonly tokenGeneration?: number;
}

const SHAPE: Shape<MetricsOptions> = {
  serviceMonitor: 'value',
  scrapeInterval: 'value',
  scrapers: 'list',
  labels: 'labels',
  alerts: 'value',
  alertLabels: {},
  errorRatePercent: 'value',
  volumeFullPercent: 'value',
  dashboard: 'value',
  dashboardLabels: 'labels',
  dashboardAnnotations: {},
  tokenGeneration: 'value',
};

/** Props of `Metrics`. */
export interface MetricsProps extends MetricsOptions {
  /** The server whose metrics these are. Its monitor and the volumes of its stores are watched, too. */
  readonly server: ITrackingServer;
}

/**
 * The page `/metrics` of a tracking server and of its store monitor, in Prometheus and in Grafana.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
 */
export class Metrics extends Construct {
  /** ServiceMonitor of the server, unless `serviceMonitor` is false. */
  public readonly serviceMonitor?: ApiObject;

  /**
   * Secret `<name of the server>-metrics` with the token that Prometheus shows where the server has a login, so that it need not be
   * its administrator. The guard of the server knows it; without a guard there is none.
   */
  public readonly scrapeSecret?: k8s.KubeSecret;

  /** ServiceMonitor of the monitor of the stores, where the server has one. */
  public readonly monitorServiceMonitor?: ApiObject;

  /** PrometheusRule with the alerts, unless `alerts` is false. */
  public readonly prometheusRule?: ApiObject;

  /** ConfigMap with the dashboard for Grafana, unless `dashboard` is false. */
  public readonly dashboard?: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and what is made for its metrics
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: MetricsProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const options = checks.props(given, SHAPE);
    const monitored = checks.flag('serviceMonitor', options.serviceMonitor ?? true);
    const alerts = checks.flag('alerts', options.alerts ?? true);
    const dashboard = checks.flag('dashboard', options.dashboard ?? true);
    checkUse(checks, options, { serviceMonitor: monitored, alerts, dashboard });

    const { name, namespace, labels: own, podLabels } = server;
    const monitor = StoreMonitor.of(server);
    const operatorLabels = furtherLabels(checks, 'labels', options.labels, own);
    const dashboardLabels = furtherLabels(checks, 'dashboardLabels', options.dashboardLabels ?? { grafana_dashboard: '1' }, own);
    const annotations = checks.annotations('dashboardAnnotations', options.dashboardAnnotations, '{ grafana_folder: "MLflow" }');
    const alertLabels = checkedAlertLabels(checks, options.alertLabels ?? {});
    const claims = [server.backendStore, server.artifactStore].flatMap(({ volumeClaims }) => volumeClaims ?? []);
    const scraped: Scraped = {
      name,
      namespace,
      intervalSeconds: checkedInterval(checks, options.scrapeInterval ?? Duration.seconds(30)),
      errorRatePercent: checkedPercent(checks, 'errorRatePercent', options.errorRatePercent ?? 5),
      volumeFullPercent: checkedPercent(checks, 'volumeFullPercent', options.volumeFullPercent ?? 90),
      server: `namespace="${namespace}",job="${server.service.name}"`,
      monitor: monitor && { name: monitor.service.name, selector: `namespace="${namespace}",job="${monitor.service.name}"` },
      volumes: claims.length === 0 ? undefined : `namespace="${namespace}",persistentvolumeclaim=~"${claims.join('|')}"`,
    };

    server.addVariable(this, { name: 'MLFLOW_EXPOSE_PROMETHEUS', value: FOLDER });
    // apart from the files in transit, which may fill their volume
    server.addVolume(this, emptyDir('metrics', '128Mi'), { name: 'metrics', mountPath: FOLDER });
    if (!server.allowsAllHosts) {
      // Prometheus asks pods by their addresses, which the kubelet puts in
      server.addVariable(this, { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
      server.addAllowedHost(`${new Cluster(new PropChecks(this, [server]), server.options.cluster).address('$(POD_IP)')}:${server.port}`);
    }

    const prometheusRule = (constructId: string, ruleName: string, ownLabels: Labels, rules: PrometheusRuleSpecGroupsRules[]) =>
      new PrometheusRule(this, constructId, { metadata: { name: ruleName, namespace, labels: { ...operatorLabels, ...ownLabels } }, spec: { groups: [{ name: ruleName, rules }] } });
    if (monitored) {
      const scrapers = goodPeers(checks, 'scrapers', options.scrapers ?? [PROMETHEUS]);
      for (const { connections } of monitor ? [server, monitor] : [server]) connections.allowAlsoFrom(...scrapers);
      const serviceMonitor = (constructId: string, target: { name: string; labels: Labels; podLabels: Labels }, service: k8s.KubeService, endpoint: ServiceMonitorSpecEndpoints) =>
        new ServiceMonitor(this, constructId, {
          metadata: { name: target.name, namespace, labels: { ...operatorLabels, ...target.labels } },
          spec: {
            selector: { matchLabels: target.podLabels },
            endpoints: [
              {
                path: '/metrics',
                interval: `${scraped.intervalSeconds}s`,
                // the server has several Services with the same labels, and each pod is scraped once
                relabelings: [{ sourceLabels: ['__meta_kubernetes_service_name'], regex: service.name, action: ServiceMonitorSpecEndpointsRelabelingsAction.KEEP }],
                ...endpoint,
              },
            ],
          },
        });
      const key = keyOf(TOKEN, generationOf(checks, options.tokenGeneration, 'tokenGeneration'));
      this.scrapeSecret = this.tokenFor(server, key);
      const token = this.scrapeSecret && { type: 'Bearer', credentials: { name: this.scrapeSecret.name, key } };
      const ofServer: ServiceMonitorSpecEndpoints = {
        port: 'http',
        authorization: Lazy.any({ produce: () => (server.clientCredentials === undefined ? undefined : token) }) as ServiceMonitorSpecEndpointsAuthorization,
        basicAuth: Lazy.any({ produce: () => (token === undefined ? basicAuth(server) : undefined) }) as ServiceMonitorSpecEndpointsBasicAuth,
      };
      this.serviceMonitor = serviceMonitor('ServiceMonitor', { name, labels: own, podLabels }, server.service, ofServer);
      if (monitor) this.monitorServiceMonitor = serviceMonitor('MonitorServiceMonitor', { ...monitor, name: monitor.service.name }, monitor.service, { port: 'metrics' });
      this.node.defaultChild = this.serviceMonitor;
      ScrapeTargets.of(server).forEach(({ id: targetId, service, connections, asServer, ...target }: ScrapeTarget) => {
        connections.allowAlsoFrom(...scrapers);
        serviceMonitor(`${targetId}ServiceMonitor`, { ...target, name: service.name }, service, asServer ? ofServer : { port: 'metrics' });
      });
    }
    if (options.tokenGeneration !== undefined && this.scrapeSecret === undefined) {
      checks.fault({ prop: 'tokenGeneration', value: options.tokenGeneration, rule: 'Prometheus shows a token where there is a ServiceMonitor, and a guard of the server that knows it; here is none that could be rotated', fix: 'leave tokenGeneration out' });
    }
    if (alerts) {
      ScrapeTargets.of(server).forEach(({ id: targetId, service, labels, rules }: ScrapeTarget) => prometheusRule(`${targetId}PrometheusRule`, service.name, labels, rules(alertLabels)));
      this.prometheusRule = prometheusRule('PrometheusRule', name, own, alertRules(scraped, alertLabels));
    }
    if (dashboard) {
      this.dashboard = new ConfigMap(...programPlace(this, 'Dashboard'), {
        metadata: { name: `${name}-dashboard`, namespace, labels: { ...dashboardLabels, ...own }, annotations },
        data: Lazy.any({ produce: () => ({ [`${namespace}-${name}.json`]: `${JSON.stringify(grafanaDashboard({ ...scraped, server: ofAllPods(server) }, ScrapeTargets.of(server).all.flatMap(({ panels }) => panels ?? [])), undefined, 2)}\n` }) }) as Labels,
      });
    }
    rejectTakenNames(this, 'server', 'make one Metrics for each tracking server');
  }

  /** With it Prometheus passes a login by, of which it would else have to be the administrator. The guard knows it. */
  private tokenFor(server: ITrackingServer, key: string): k8s.KubeSecret | undefined {
    if (server.options.guard?.enabled === false) return undefined;
    const name = `${server.name}-metrics`;
    const part: Part = { name: 'mlflow', instance: server.name, component: 'metrics', image: server.options.image ?? Images.MLFLOW };
    // the kubelet keeps it up to date: Prometheus has what the Secret has, too
    const file = secretFile('metrics-token', TOKEN_FOLDER, { secretName: name, key }, TOKEN, true);
    server.addVariable(this, { name: 'GUARD_METRICS_TOKEN_FILE', value: file.path });
    server.addVolume(this, file.volume, file.mount);
    return SecretsJob._fill(server, this, part, name, { [key]: { length: TOKEN_LENGTH } });
  }
}

interface Labels { [key: string]: string }

/** The selector of the metrics of all pods of a server, also those of which others have the Deployment. */
function ofAllPods(server: ITrackingServer): string {
  const further = ScrapeTargets.of(server).all.filter(({ asServer }) => asServer).map(({ service }) => service.name);
  const jobs = [server.service.name, ...further];
  return `namespace="${server.namespace}",job${jobs.length > 1 ? '=~' : '='}"${jobs.join('|')}"`;
}

/** How Prometheus logs in where the server has a login, and no guard. */
function basicAuth({ clientCredentials }: ITrackingServer): ServiceMonitorSpecEndpointsBasicAuth | undefined {
  if (clientCredentials === undefined) return undefined;
  const { secretName: name, usernameKey, passwordKey } = clientCredentials;
  return { username: { name, key: usernameKey }, password: { name, key: passwordKey } };
}

/** Faults where an option is given for objects that there shall be none of. */
function checkUse(checks: PropChecks, options: MetricsOptions, made: { serviceMonitor: boolean; alerts: boolean; dashboard: boolean }): void {
  const users: { [option: string]: (keyof typeof made)[] } = {
    scrapeInterval: ['serviceMonitor', 'dashboard'],
    scrapers: ['serviceMonitor'],
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
    const off = needs.map((need) => `${need} = false`).join(' and ');
    checks.fault({
      prop: `${option}`,
      value,
      hidden: typeof value === 'object',
      rule: `with ${off} nothing is made that it could be for`,
      fix: `leave ${option} out, or ${needs.join(' or ')}`,
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
        prop: `alertLabels[${JSON.stringify(name)}]`,
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
  const seconds = checks.seconds('scrapeInterval', value);
  if (seconds > MAX_INTERVAL_SECONDS) {
    checks.fault({
      prop: 'scrapeInterval',
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
