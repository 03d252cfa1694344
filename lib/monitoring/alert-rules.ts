import { Monitored, Scraped } from './grafana-dashboard';
import { PrometheusRuleSpecGroupsRules, PrometheusRuleSpecGroupsRulesExpr } from '../../imports/prometheusrule-monitoring.coreos.com';

const RUNBOOK = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs/how-to/monitor.md';

/** Labels that each alert has, besides those of the user. */
export const ALERT_LABELS = ['alertname', 'severity', 'namespace', 'tracking_server'];

/** The server that an alert is about. */
export interface Alerted {
  readonly name: string;
  readonly namespace: string;
}

export interface Labels { [label: string]: string }
export type Severity = 'critical' | 'warning';

/** An alert with the labels and the link that each of them has. */
export function alertOf({ name, namespace }: Alerted, further: Labels, title: string, severity: Severity, wait: string, expr: string, summary: string, description: string): PrometheusRuleSpecGroupsRules {
  return {
    alert: title,
    expr: PrometheusRuleSpecGroupsRulesExpr.fromString(expr),
    for: wait,
    labels: { ...further, severity, namespace, tracking_server: name },
    annotations: { summary: `MLflow ${name} in ${namespace}: ${summary}`, description, runbook_url: `${RUNBOOK}#${title.toLowerCase()}` },
  };
}

/** The alert that fires where Prometheus reaches nobody of those that the selector names. */
export function downAlert(of: Alerted, further: Labels, title: string, severity: Severity, selector: string, summary: string, description: string): PrometheusRuleSpecGroupsRules {
  return alertOf(of, further, title, severity, '5m', `absent(up{${selector}} == 1)`, summary, description);
}

/**
 * The alerts of a stack. Their texts have no templates: Helm would take the braces for its own, and an alert is shown with its
 * labels anyway.
 */
export function alertRules(scraped: Scraped, further: Labels): PrometheusRuleSpecGroupsRules[] {
  const { name, namespace, server, monitor, volumes, errorRatePercent, volumeFullPercent } = scraped;
  // by label: deployment/NAME is the old pod, where a new one does not start
  const log = (component: string) => `"kubectl --namespace ${namespace} logs --selector app.kubernetes.io/instance=${name},app.kubernetes.io/component=${component} --prefix --tail=20"`;
  const pods = `"kubectl --namespace ${namespace} get pods"`;

  const alert = (title: string, severity: Severity, wait: string, expr: string, summary: string, description: string) => alertOf(scraped, further, title, severity, wait, expr, summary, description);
  const down = (title: string, severity: Severity, selector: string, summary: string, description: string) => downAlert(scraped, further, title, severity, selector, summary, description);
  const broken = ({ selector }: Monitored, title: string, gauge: string, summary: string, consequence: string) =>
    alert(
      title,
      'critical',
      '2m',
      `max by (namespace, job) (${gauge}{${selector}}) == 0`,
      summary,
      `${consequence} The cause and the fix are in ${log('store-monitor')}.`,
    );
  const full = (title: string, free: string, all: string, summary: string) =>
    alert(
      title,
      'warning',
      '10m',
      `100 * max by (namespace, persistentvolumeclaim) (1 - ${free}{${volumes}} / ${all}{${volumes}}) > ${volumeFullPercent}`,
      summary,
      `The label persistentvolumeclaim names the claim. Enlarge it, or remove the artifacts of what users deleted: "kubectl --namespace ${namespace} exec deployment/${name} -- python3 /app/start-mlflow.py gc --older-than=30d".`,
    );
  const ofCleanUp = (what: string) => `max by (namespace, cronjob) (kube_cronjob_status_${what}{namespace="${namespace}",cronjob="${name}-gc"})`;
  const requests = (selector: string) => `sum(rate(mlflow_http_request_total{${selector}}[5m]))`;

  return [
    down(
      'MlflowTrackingServerDown',
      'critical',
      server,
      'no pod of the tracking server answers',
      `Prometheus has reached no pod of the server for 5 minutes. See ${pods} and ${log('tracking-server')}.`,
    ),
    alert(
      'MlflowHighErrorRate',
      'warning',
      '5m',
      `100 * ${requests(`${server},status=~"5.."`)} / ${requests(server)} > ${errorRatePercent}`,
      `more than ${errorRatePercent} % of the requests fail`,
      `For 5 minutes that many were answered with a 5xx status. The reasons are in ${log('tracking-server')}, and the doctor looks for causes.`,
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
            `Prometheus has not reached the store monitor for 5 minutes: a store that fails would not be noticed. See ${pods} and ${log('store-monitor')}.`,
          ),
        ]),
    alert(
      'MlflowPodEvicted',
      'warning',
      '0m',
      // of kube-state-metrics, by the name that a ReplicaSet gives its pods
      `max by (namespace, pod) (kube_pod_status_reason{namespace="${namespace}",pod=~"${name}(-artifacts)?-[a-z0-9]+-[a-z0-9]{5}",reason="Evicted"}) > 0`,
      'a node has thrown out a pod of the tracking server, with the transfers that were under way',
      `The label pod names it, and "kubectl --namespace ${namespace} describe pod" says why. Where it is the volume tmp, raise scratchSize, or pass ScratchVolume.ephemeral(). It fires until that pod is deleted.`,
    ),
    alert(
      'MlflowCleanUpFailed',
      'warning',
      '5m',
      // of kube-state-metrics: the last Job has ended, and not well
      `(${ofCleanUp('last_schedule_time')} > (${ofCleanUp('last_successful_time')} or 0 * ${ofCleanUp('last_schedule_time')})) and ${ofCleanUp('active')} == 0`,
      'the clean-up did not remove everything',
      `The last Job of the CronJob ${name}-gc failed. What it kept, and why, is in "kubectl --namespace ${namespace} logs --selector app.kubernetes.io/component=garbage-collection --tail=30".`,
    ),
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
