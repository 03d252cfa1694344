import { BackedUp } from './backup-alerts';
import { GREEN, Panel, YES_OR_NO } from '../monitoring/grafana-dashboard';

/** What the dashboard shows of the backups of a server. */
export function backupPanels({ namespace, monitor, maxAgeSeconds }: BackedUp): Panel[][] {
  const newest = (metric: string) => `max(mlflow_backup${metric}{namespace="${namespace}",job="${monitor}"})`;
  return [
    [
      {
        title: 'Backup: last good one',
        description: 'How long ago the last backup was restored on trial, and was as it should be.',
        type: 'stat',
        unit: 's',
        steps: [GREEN, { color: 'red', value: maxAgeSeconds }],
        noValue: 'not known',
        queries: { age: `time() - ${newest('_last_verified_timestamp_seconds')}` },
      },
      { title: 'Backup: last run ended well', description: 'Where it did not, the backups before it are kept.', type: 'stat', ...YES_OR_NO, noValue: 'not known', queries: { well: `1 - ${newest('_last_run_failed')}` } },
      { title: 'Backup: place answers', description: 'The bucket to which backups go.', type: 'stat', ...YES_OR_NO, noValue: 'not known', queries: { place: newest('_destination_readable') } },
      { title: 'Backups kept', description: 'As long as the retention says.', type: 'stat', unit: 'none', noValue: 'none yet', queries: { kept: newest('s') } },
    ],
    [
      {
        title: 'Backup: size',
        description: 'Of the last backup. Artifacts that did not change are there once for all backups.',
        type: 'timeseries',
        unit: 'bytes',
        stacked: true,
        queries: { artifacts: newest('_objects_bytes'), database: newest('_database_bytes') },
      },
      { title: 'Backup: what was new', description: 'Artifacts that the last run copied.', type: 'timeseries', unit: 'bytes', queries: { copied: newest('_copied_bytes') } },
      { title: 'Backup: duration', description: 'Of the last run, with the trial.', type: 'timeseries', unit: 's', queries: { duration: newest('_duration_seconds') } },
    ],
  ];
}
