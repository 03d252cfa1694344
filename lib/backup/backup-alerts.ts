import { PrometheusRuleSpecGroupsRules } from '../../imports/prometheusrule-monitoring.coreos.com';
import { Alerted, Labels, Severity, alertOf, downAlert } from '../monitoring/alert-rules';

/** What the alerts of backups are about. */
export interface BackedUp extends Alerted {
  /** Name of the Service of the exporter. */
  readonly monitor: string;
  /** How old the last verified backup may be. */
  readonly maxAgeSeconds: number;
}

/** The alerts of the backups of a server. Their texts have no templates, as those of the server. */
export function backupAlerts(of: BackedUp, further: Labels): PrometheusRuleSpecGroupsRules[] {
  const { name, namespace, monitor, maxAgeSeconds } = of;
  const selector = `namespace="${namespace}",job="${monitor}"`;
  const log = (component: string) => `"kubectl --namespace ${namespace} logs --selector app.kubernetes.io/instance=${name},app.kubernetes.io/component=${component} --all-containers --ignore-errors --prefix --tail=20"`;
  const ofJob = (what: string) => `max by (namespace, cronjob) (kube_cronjob_status_${what}{namespace="${namespace}",cronjob="${name}-backup"})`;
  const start = `"kubectl --namespace ${namespace} create job backup-$(date +%s) --from=cronjob/${name}-backup"`;
  const alert = (title: string, severity: Severity, wait: string, expr: string, summary: string, description: string) => alertOf(of, further, title, severity, wait, expr, summary, description);
  return [
    alert(
      'MlflowBackupTooOld',
      'critical',
      '15m',
      `time() - max by (namespace, job) (mlflow_backup_last_verified_timestamp_seconds{${selector}}) > ${maxAgeSeconds}`,
      'there is no recent backup that is known to be good',
      `For ${duration(maxAgeSeconds)} no backup was made and restored on trial. Why the last run did not is in ${log('backup')}; ${start} starts another one, also the first.`,
    ),
    alert(
      'MlflowBackupFailed',
      'warning',
      '5m',
      // of the exporter, and of kube-state-metrics: the last Job has ended, and not well
      `max by (namespace, job) (mlflow_backup_last_run_failed{${selector}}) == 1 or ((${ofJob('last_schedule_time')} > (${ofJob('last_successful_time')} or 0 * ${ofJob('last_schedule_time')})) and ${ofJob('active')} == 0)`,
      'the last backup failed',
      `It is not whole, or was not good when it was tried. The backups before it are kept. The cause and the fix are in ${log('backup')}.`,
    ),
    alert(
      'MlflowBackupDestinationDown',
      'warning',
      '15m',
      `max by (namespace, job) (mlflow_backup_destination_readable{${selector}}) == 0`,
      'the place of the backups does not answer',
      `Nobody could restore one now, and none will be made. See ${log('backup-monitor')}, and the store itself.`,
    ),
    downAlert(
      of,
      further,
      'MlflowBackupMonitorDown',
      'warning',
      selector,
      'nobody watches the backups',
      `Prometheus has not reached the monitor of the backups for 5 minutes. See "kubectl --namespace ${namespace} get pods" and ${log('backup-monitor')}.`,
    ),
  ];
}

function duration(seconds: number): string {
  return seconds % 3600 === 0 ? `${seconds / 3600} hours` : `${seconds} seconds`;
}
