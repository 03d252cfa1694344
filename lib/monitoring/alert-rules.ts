import { Monitored, Scraped } from './grafana-dashboard';
import { PrometheusRuleSpecGroupsRules, PrometheusRuleSpecGroupsRulesExpr } from '../../imports/prometheusrule-monitoring.coreos.com';

const RUNBOOK = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs/how-to/monitor.md';

/** Labels that each alert has, besides those of the user. */
export const ALERT_LABELS = ['alertname', 'severity', 'namespace', 'tracking_server'];

/**
 * The alerts of a stack. Their texts have no templates: Helm would take the braces for its own, and an alert is shown with its
 * labels anyway.
 */
export function alertRules(scraped: Scraped, further: { [label: string]: string }): PrometheusRuleSpecGroupsRules[] {
  const { name, namespace, server, monitor, volumes, errorRatePercent, volumeFullPercent } = scraped;
  const log = (deployment: string) => `"kubectl --namespace ${namespace} logs deployment/${deployment} --tail=20"`;
  const pods = `"kubectl --namespace ${namespace} get pods"`;

  const alert = (
    title: string,
    severity: 'critical' | 'warning',
    wait: string,
    expr: string,
    summary: string,
    description: string,
  ): PrometheusRuleSpecGroupsRules => ({
    alert: title,
    expr: PrometheusRuleSpecGroupsRulesExpr.fromString(expr),
    for: wait,
    labels: { ...further, severity, namespace, tracking_server: name },
    annotations: { summary: `MLflow ${name} in ${namespace}: ${summary}`, description, runbook_url: `${RUNBOOK}#${title.toLowerCase()}` },
  });
  const down = (title: string, severity: 'critical' | 'warning', selector: string, summary: string, description: string) =>
    alert(title, severity, '5m', `absent(up{${selector}} == 1)`, summary, description);
  const broken = ({ selector, name: deployment }: Monitored, title: string, gauge: string, summary: string, consequence: string) =>
    alert(
      title,
      'critical',
      '2m',
      `max by (namespace, job) (${gauge}{${selector}}) == 0`,
      summary,
      `${consequence} The cause and the fix are in ${log(deployment)}.`,
    );
  const full = (title: string, free: string, all: string, summary: string) =>
    alert(
      title,
      'warning',
      '10m',
      `100 * max by (namespace, persistentvolumeclaim) (1 - ${free}{${volumes}} / ${all}{${volumes}}) > ${volumeFullPercent}`,
      summary,
      'The label persistentvolumeclaim names the claim. Run "mlflow gc" to remove what users deleted, or enlarge the claim.',
    );
  const requests = (selector: string) => `sum(rate(mlflow_http_request_total{${selector}}[5m]))`;

  return [
    down(
      'MlflowTrackingServerDown',
      'critical',
      server,
      'no pod of the tracking server answers',
      `Prometheus has reached no pod of the server for 5 minutes. See ${pods} and ${log(name)}.`,
    ),
    alert(
      'MlflowHighErrorRate',
      'warning',
      '5m',
      `100 * ${requests(`${server},status=~"5.."`)} / ${requests(server)} > ${errorRatePercent}`,
      `more than ${errorRatePercent} % of the requests fail`,
      `For 5 minutes that many were answered with a 5xx status. The reasons are in ${log(name)}, and the doctor looks for causes.`,
    ),
    ...(monitor === undefined
      ? []
      : [
          broken(monitor, 'MlflowArtifactStoreNotWritable', 'mlflow_artifact_store_writable', 'the artifact store takes no files', 'Models, plots and files cannot be logged.'),
          broken(monitor, 'MlflowDatabaseNotReachable', 'mlflow_database_reachable', 'the database does not answer', 'Experiments, runs and models can be neither read nor logged.'),
          down(
            'MlflowStoreMonitorDown',
            'warning',
            monitor.selector,
            'nobody watches the stores',
            `Prometheus has not reached the store monitor for 5 minutes: a store that fails would not be noticed. See ${pods} and ${log(monitor.name)}.`,
          ),
        ]),
    ...(volumes === undefined
      ? []
      : [
          full(
            'MlflowVolumeNearlyFull',
            'kubelet_volume_stats_available_bytes',
            'kubelet_volume_stats_capacity_bytes',
            `more than ${volumeFullPercent} % of the space of a volume is in use`,
          ),
          full(
            'MlflowVolumeNearlyOutOfInodes',
            'kubelet_volume_stats_inodes_free',
            'kubelet_volume_stats_inodes',
            `more than ${volumeFullPercent} % of the inodes of a volume are in use: small files fill it before its space is in use`,
          ),
        ]),
  ];
}
