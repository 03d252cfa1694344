import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Size, Testing } from 'cdk8s';
import { Backup, Credentials, ExternalDatabase, ExternalS3, Gcs, Images, MlflowStack, S3ServerSideEncryption } from '../../lib';
import { Manifests, faults, get, ofKind } from '../helpers';
import { dashboardOf } from '../monitoring/metrics';
import { ROOT } from '../run-script';

const RUNBOOK = readFileSync(join(ROOT, 'docs/how-to/monitor.md'), 'utf8');
const ENDPOINT = 'https://vault.example.com:9000';

/** A stack with backups to a bucket elsewhere. */
function made(options: object = {}, destination: object = {}, stack: object = {}) {
  const chart = Testing.chart();
  const credentials = Credentials.fromSecretName(chart, 'Key', 'vault');
  const bucket = new ExternalS3(chart, 'Vault', { bucket: 'vault', endpointUrl: ENDPOINT, credentials, ...destination });
  const { backup } = new MlflowStack(chart, 'Stack', { namespace: 'mlflow', ...stack, backup: { destination: bucket, ...options } });
  return { chart, backup: backup! };
}
const synth = (...given: Parameters<typeof made>): Manifests => Testing.synth(made(...given).chart);
const wrong = (...given: Parameters<typeof made>): string[] => faults(made(...given).chart);
const cronJob = (objects: Manifests, name = 'mlflow-backup') => get(objects, 'CronJob', name).spec;
const stepsOf = (objects: Manifests, name?: string) => {
  const { spec } = cronJob(objects, name).jobTemplate.spec.template;
  return [...spec.initContainers, ...spec.containers];
};
const named = (objects: Manifests, step: string, name?: string) => stepsOf(objects, name).find((container) => container.name === step);
const valueOf = (container: { env: { name: string; value?: string }[] }, name: string) => container.env.find((variable) => variable.name === name)?.value;

test('there is none in a stack, unless it is asked for', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack');
  expect(JSON.stringify(Testing.synth(chart))).not.toContain('mlflow-backup');
});

describe('with a destination', () => {
  const objects = synth();

  test('the database comes first, then the objects, then the trial, each by the tools of its image', () => {
    expect(stepsOf(objects).map(({ name, image }) => [name, image])).toEqual([
      ['begin', Images.MLFLOW],
      ['dump', Images.POSTGRES],
      ['compare', Images.MLFLOW],
      ['copy', Images.MINIO],
      ['seal', Images.MLFLOW],
      ['trial', Images.POSTGRES],
      ['finish', Images.MLFLOW],
    ]);
  });

  test('it runs at night, one at a time, and not for ever', () => {
    expect(cronJob(objects)).toMatchObject({ schedule: '0 2 * * *', concurrencyPolicy: 'Forbid', suspend: false });
    expect(cronJob(objects).jobTemplate.spec).toMatchObject({ backoffLimit: 2, activeDeadlineSeconds: 12 * 3600 });
    expect(valueOf(named(objects, 'finish'), 'RETENTION_SECONDS')).toBe(String(30 * 24 * 3600));
  });

  test('each store has its own keys, from its own Secret', () => {
    const of = (variable: string) => named(objects, 'begin').env.find(({ name }: { name: string }) => name === variable).valueFrom.secretKeyRef.name;
    expect([of('AWS_SECRET_ACCESS_KEY'), of('BACKUP_AWS_SECRET_ACCESS_KEY')]).toEqual(['minio-user', 'vault']);
    expect(valueOf(named(objects, 'begin'), 'BACKUP_MLFLOW_S3_ENDPOINT_URL')).toBe(ENDPOINT);
  });

  test('the secrets that encrypt what is in the database are marked, and compared at a restore', () => {
    for (const [step, name] of [['seal', 'mlflow-backup'], ['look', 'mlflow-restore']]) {
      const names = named(objects, step, name).env.map((variable: { name: string }) => variable.name);
      expect(names).toEqual(expect.arrayContaining(['MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'MLFLOW_CRYPTO_KEK_PASSPHRASE']));
    }
  });

  test('the way back never runs by itself: files first, then the database', () => {
    expect(cronJob(objects, 'mlflow-restore').suspend).toBe(true);
    expect(stepsOf(objects, 'mlflow-restore').map(({ name }) => name)).toEqual(['look', 'objects', 'check', 'database', 'restored']);
    expect([valueOf(named(objects, 'look', 'mlflow-restore'), 'BACKUP'), valueOf(named(objects, 'database', 'mlflow-restore'), 'OVERWRITE')]).toEqual(['', 'false']);
  });

  test.each(['mlflow-backup', 'mlflow-restore'])('the pods of %s are restricted, and the keys of mc are in memory', (name) => {
    const { spec } = cronJob(objects, name).jobTemplate.spec.template;
    expect(spec).toMatchObject({ automountServiceAccountToken: false, restartPolicy: 'Never', securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } });
    for (const container of stepsOf(objects, name)) expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
    expect(spec.volumes.find((volume: { name: string }) => volume.name === 'mc').emptyDir.medium).toBe('Memory');
  });

  test('policies let the pods to all stores, and the monitor to the destination only', () => {
    const ports = (name: string) => JSON.stringify(get(objects, 'NetworkPolicy', name).spec.egress).match(/"port":\d+/g)!.map((text) => Number(text.slice(7)));
    for (const name of ['mlflow-backup', 'mlflow-restore']) expect(ports(name)).toEqual(expect.arrayContaining([5432, 9000]));
    expect(ports('mlflow-backup-monitor').filter((port) => port !== 53)).toEqual([9000]);
    for (const store of ['postgres', 'minio']) {
      const from = JSON.stringify(get(objects, 'NetworkPolicy', store).spec.ingress);
      for (const component of ['backup', 'restore']) expect(from).toContain(`"app.kubernetes.io/component":"${component}"`);
      expect(from).not.toContain('backup-monitor');
    }
  });

  test('its programs fit into what kubectl apply notes of an object', () => {
    expect(JSON.stringify(get(objects, 'ConfigMap', 'mlflow-backup')).length).toBeLessThan(220 * 1024);
  });

  test('without metrics of the stack there is nothing of the Prometheus operator', () => {
    expect([...ofKind(objects, 'ServiceMonitor'), ...ofKind(objects, 'PrometheusRule')]).toEqual([]);
  });
});

test('its options', () => {
  const objects = synth({
    schedule: '0 */6 * * *',
    timeZone: 'Europe/Berlin',
    retention: Duration.days(7),
    deadline: Duration.hours(2),
    suspend: true,
    postgresImage: 'postgres:18.6',
    mcImage: 'example.com/mc:1',
    scratchSize: Size.gibibytes(50),
    resources: { memoryLimit: Size.gibibytes(2) },
  });
  expect(cronJob(objects)).toMatchObject({ schedule: '0 */6 * * *', timeZone: 'Europe/Berlin', suspend: true });
  expect(cronJob(objects).jobTemplate.spec.activeDeadlineSeconds).toBe(7200);
  expect([named(objects, 'trial').image, named(objects, 'copy').image]).toEqual(['postgres:18.6', 'example.com/mc:1']);
  expect(named(objects, 'dump').resources.limits).toMatchObject({ memory: '2Gi', 'ephemeral-storage': '51456Mi' });
});

test('encryption and authority of the destination go along', () => {
  const objects = synth({}, { ca: { configMapName: 'vault-ca' }, serverSideEncryption: S3ServerSideEncryption.AES256 });
  const begin = named(objects, 'begin');
  expect(valueOf(begin, 'BACKUP_AWS_CA_BUNDLE')).toBe('/backup/etc/mlflow/artifact-store-ca/ca.crt');
  expect(begin.volumeMounts).toContainEqual({ name: 'backup-artifact-store-ca', mountPath: '/backup/etc/mlflow/artifact-store-ca' });
  expect(valueOf(begin, 'BACKUP_MLFLOW_S3_UPLOAD_EXTRA_ARGS')).toBe('{"ServerSideEncryption":"AES256"}');
});

describe('with metrics', () => {
  const rulesOf = (options: object = {}, metrics: object = {}) => get(synth(options, {}, { metrics }), 'PrometheusRule', 'mlflow-backup-monitor').spec.groups[0].rules;
  const ageOf = (options: object) => Number(/> (\d+)$/.exec(rulesOf(options)[0].expr)![1]);

  test('Prometheus scrapes the monitor, with the labels that it goes by', () => {
    const objects = synth({}, {}, { metrics: { labels: { release: 'prometheus' } } });
    const { metadata, spec } = get(objects, 'ServiceMonitor', 'mlflow-backup-monitor');
    expect(metadata.labels.release).toBe('prometheus');
    expect(spec.endpoints[0]).toMatchObject({ path: '/metrics', port: 'metrics', relabelings: [{ regex: 'mlflow-backup-monitor' }] });
    expect(JSON.stringify(get(objects, 'NetworkPolicy', 'mlflow-backup-monitor').spec.ingress)).toContain('"app.kubernetes.io/name":"prometheus"');
  });

  test('a Backup that is added after the metrics is watched, too', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Key', 'vault');
    const destination = new ExternalS3(chart, 'Vault', { bucket: 'vault', endpointUrl: ENDPOINT, credentials });
    const { trackingServer: server } = new MlflowStack(chart, 'Stack', { namespace: 'mlflow', metrics: {} });
    new Backup(chart, 'Backup', { server, destination });
    expect(ofKind(Testing.synth(chart), 'PrometheusRule').map(({ metadata }) => metadata.name)).toEqual(['mlflow', 'mlflow-backup-monitor']);
  });

  test('each alert has a chapter in the runbook', () => {
    const chapters = [...RUNBOOK.matchAll(/^### (MlflowBackup\w+)$/gm)].map(([, title]) => title);
    expect(chapters).toEqual(rulesOf().map(({ alert }: { alert: string }) => alert));
  });

  test('each alert has its labels, and leads to its chapter of the runbook', () => {
    const rules = rulesOf({}, { alertLabels: { team: 'vision' } });
    expect(rules.map(({ alert }: { alert: string }) => alert)).toEqual(['MlflowBackupTooOld', 'MlflowBackupFailed', 'MlflowBackupDestinationDown', 'MlflowBackupMonitorDown']);
    for (const { alert, labels, annotations } of rules) {
      expect(labels).toEqual({ team: 'vision', severity: expect.stringMatching(/^(critical|warning)$/), namespace: 'mlflow', tracking_server: 'mlflow' });
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/how-to/monitor\\.md#${alert.toLowerCase()}$`));
      expect(JSON.stringify(annotations)).not.toContain('{{');
    }
  });

  test.each<[string, object, number]>([
    ['a day', {}, 26],
    ['a day, where it runs more often', { schedule: '0 * * * *' }, 26],
    ['a week, where it runs on Sundays', { schedule: '0 3 * * 0' }, 7 * 24 + 2],
    ['the weekend, where it rests then', { schedule: '0 3 * * 1-5' }, 3 * 24 + 2],
    ['31 days, where it runs once a month', { schedule: '@monthly' }, 31 * 24 + 2],
    ['the interval of the schedule', { schedule: '@every 36h' }, 38],
    ['what is said', { maxAge: Duration.hours(5) }, 5],
  ])('too old is what is older than %s', (_case, options, hours) => {
    expect(ageOf(options)).toBe(hours * 3600);
  });
});

describe('a fault tells', () => {
  test.each<[string, object, object, object, string]>([
    ['that the bucket is that of the artifacts', {}, { bucket: 'mlflow-bucket', endpointUrl: 'http://minio.mlflow.svc.cluster.local:9000' }, {}, 'destination: got "s3://mlflow-bucket". Rule: a backup in the bucket of the artifacts is lost with it'],
    ['of a store without keys', {}, { credentials: undefined, endpointUrl: undefined }, {}, 'destination: got "a store without keys". Rule: mc logs in with an access key'],
    ['of an endpoint with a path', {}, { endpointUrl: 'https://a.supabase.co/storage/v1/s3' }, {}, 'Rule: mc knows endpoints without a path only'],
    ['of a wrong schedule', { schedule: 'nightly' }, {}, {}, 'schedule: got "nightly"'],
    ['of a wrong retention', { retention: 30 }, {}, {}, 'retention: got 30'],
    ['of no destination', { destination: undefined }, {}, {}, 'destination: got undefined'],
    ['of a prop that is none', { keep: 3 }, {}, {}, 'keep: got'],
  ])('%s', (_case, options, destination, stack, text) => {
    expect(wrong(options, destination, stack)).toEqual([expect.stringContaining(text)]);
  });

  test('of stores that pg_dump and mc do not know, and what to use instead', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Key', 'vault');
    const destination = new ExternalS3(chart, 'Vault', { bucket: 'vault', endpointUrl: ENDPOINT, credentials });
    const backendStore = new ExternalDatabase(chart, 'Database', { secretName: 'mysql', port: 3306 });
    const artifactStore = new Gcs(chart, 'Gcs', { bucket: 'models' });
    new MlflowStack(chart, 'Stack', { backendStore, artifactStore, serviceAccount: { annotations: { 'iam.gke.io/gcp-service-account': 'a@b.c' } }, backup: { destination } });
    expect(faults(chart)).toEqual([
      expect.stringMatching(/server: got "a server with the database of a URI in a Secret".*Fix: back up database and bucket by their own means/),
      expect.stringMatching(/server: got "artifacts at gs:\/\/models".*Fix: back the bucket up by the means of its store/),
    ]);
  });

  test('of a second Backup of one server', () => {
    const { chart, backup } = made();
    const destination = new ExternalS3(chart, 'Other', { bucket: 'other', endpointUrl: ENDPOINT, credentials: Credentials.fromSecretName(chart, 'OtherKey', 'other') });
    new Backup(chart, 'Second', { server: backup.node.scope!.node.findChild('TrackingServer') as never, destination });
    expect(faults(chart)).toEqual(expect.arrayContaining([expect.stringContaining('make one Backup for each tracking server')]));
  });

  test('of keys that are those of the artifacts', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Key', 'one');
    const at = { endpointUrl: ENDPOINT, credentials };
    const artifactStore = new ExternalS3(chart, 'Artifacts', { bucket: 'models', ...at });
    new MlflowStack(chart, 'Stack', { artifactStore, backup: { destination: new ExternalS3(chart, 'Vault', { bucket: 'vault', ...at }) } });
    expect(faults(chart)).toEqual([expect.stringContaining('destination: got "the keys of the artifact store"')]);
  });
});

describe('the dashboard of the server', () => {
  const panels = (objects: Manifests) => dashboardOf(objects).panels as Manifests;
  const withBackup = synth({}, {}, { metrics: {} });
  const added = panels(withBackup).filter(({ title }) => /^Backup/.test(title));

  test('has two rows more at its end, that fill its width', () => {
    const after = panels(withBackup);
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { namespace: 'mlflow', metrics: {} });
    const without = panels(Testing.synth(chart));
    expect(after.slice(0, without.length)).toEqual(without);
    const bottom = Math.max(...without.map(({ gridPos: { y, h } }) => y + h));
    expect(after.slice(without.length).map(({ gridPos: { x, y, w, h } }) => [x, y - bottom, w, h])).toEqual([...[0, 6, 12, 18].map((x) => [x, 0, 6, 4]), ...[0, 8, 16].map((x) => [x, 4, 8, 8])]);
    expect(added).toHaveLength(7);
  });

  test('asks the monitor of the backups for what it has, and for nothing else', () => {
    const has = [...readFileSync(join(ROOT, 'lib/backup/mlflow_backup/exporter.py'), 'utf8').matchAll(/"(mlflow_backup\w*)"/g)].map(([, metric]) => metric);
    const asked = added.flatMap(({ targets }) => targets.map(({ expr }: { expr: string }) => expr));
    for (const expr of asked) {
      const [, metric, selector] = /(\w+)\{(.*?)\}/.exec(expr)!;
      expect(has).toContain(metric);
      expect(selector).toBe('namespace="mlflow",job="mlflow-backup-monitor"');
    }
    expect(new Set(asked).size).toBe(8);
  });

  test('is red where the alert fires', () => {
    const rule = ofKind(withBackup, 'PrometheusRule').flatMap(({ spec }) => spec.groups[0].rules).find(({ alert }) => alert === 'MlflowBackupTooOld');
    const age = added.find(({ title }) => title === 'Backup: last good one');
    expect(rule.expr).toMatch(new RegExp(` > ${age.fieldConfig.defaults.thresholds.steps.at(-1).value}$`));
  });
});
