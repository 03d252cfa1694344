import { Chart, Duration, Size, Testing } from 'cdk8s';
import { ExternalDatabase, Images, MlflowStack, SchemaUpgradeOptions } from '../../lib';
import { Manifests, faults, get, ofKind } from '../helpers';

const NAME = 'mlflow-schema-upgrade';
const PREFLIGHT = { upgradeSchema: true };

function chartOf(schemaUpgrade?: SchemaUpgradeOptions, preflight: object = PREFLIGHT): Chart {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { trackingServer: { preflight }, schemaUpgrade });
  return chart;
}
const synth = (schemaUpgrade?: SchemaUpgradeOptions, preflight?: object): Manifests => Testing.synth(chartOf(schemaUpgrade, preflight));
const jobOf = (manifests: Manifests) => ofKind(manifests, 'Job').find(({ metadata }) => metadata.name.startsWith(NAME));
const podOf = (manifests: Manifests) => jobOf(manifests)!.spec.template.spec;
const names = (containers: { name: string }[]) => containers.map(({ name }) => name);
const value = (container: { env: { name: string; value?: string }[] }, variable: string) => container.env.find(({ name }) => name === variable)?.value;

test('there is none unless the server asks for an upgrade', () => {
  expect(jobOf(synth(undefined, {}))).toBeUndefined();
  expect(ofKind(synth(undefined, {}), 'PersistentVolumeClaim')).toEqual([]);
});

describe('with nothing else said', () => {
  const manifests = synth();
  const pod = podOf(manifests);
  const [look, backup] = pod.initContainers;
  const [upgrade] = pod.containers;

  test('it looks, takes a backup with the tools of PostgreSQL, and upgrades with the image of the server', () => {
    expect([...names(pod.initContainers), ...names(pod.containers)]).toEqual(['look', 'backup', 'upgrade']);
    expect([look.image, backup.image, upgrade.image]).toEqual([Images.MLFLOW, Images.POSTGRES, Images.MLFLOW]);
    expect([look.args[1], backup.command.at(-1), upgrade.args[0]]).toEqual(['--look', 'save', 'upgrade']);
    expect(value(upgrade, 'UPGRADE_BACKUP')).toBe('true');
  });

  test('each step connects as the server does, and no password stands in it', () => {
    for (const container of [look, backup, upgrade]) {
      expect(container.env).toEqual(expect.arrayContaining([{ name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'postgres-user', key: 'password' } } }]));
    }
  });

  test('SIGTERM has to wait as long as an upgrade may take, no probe ends it, and what would fail again is not tried again', () => {
    expect(pod).toMatchObject({ terminationGracePeriodSeconds: 3600, restartPolicy: 'Never', automountServiceAccountToken: false });
    expect(upgrade).not.toHaveProperty('livenessProbe');
    const { podFailurePolicy, backoffLimit, activeDeadlineSeconds } = jobOf(manifests)!.spec;
    expect(podFailurePolicy.rules).toEqual([
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [8] } },
    ]);
    expect({ backoffLimit, activeDeadlineSeconds }).toEqual({ backoffLimit: 6, activeDeadlineSeconds: undefined });
  });

  test('the backup lies on a volume of its own, which nobody prunes', () => {
    const { metadata, spec } = get(manifests, 'PersistentVolumeClaim', 'mlflow-schema-backup');
    expect(spec.resources.requests.storage).toBe('10Gi');
    expect(metadata.annotations).toEqual({ 'argocd.argoproj.io/sync-options': 'Prune=false,Delete=false', 'helm.sh/resource-policy': 'keep', 'kustomize.toolkit.fluxcd.io/prune': 'disabled' });
    expect(upgrade.volumeMounts.map(({ name }: { name: string }) => name)).not.toContain('backup');
  });

  test('the pods of the server wait for it', () => {
    const [server] = get(manifests, 'Deployment', 'mlflow').spec.template.spec.containers;
    expect([value(server, 'STARTUP_UPGRADE_JOB'), value(server, 'STARTUP_UPGRADE_SECONDS')]).toEqual([NAME, '3600']);
  });

  test('the way back is a CronJob that never runs by itself', () => {
    const { spec } = get(manifests, 'CronJob', 'mlflow-schema-restore');
    expect(spec.suspend).toBe(true);
    expect(spec.jobTemplate.spec.template.spec.containers[0].command.at(-1)).toBe('restore');
  });

  test('its pods reach the database, and the database lets them in', () => {
    const component = { 'app.kubernetes.io/component': 'schema-upgrade' };
    expect(JSON.stringify(get(manifests, 'NetworkPolicy', NAME).spec.egress)).toContain('"port":5432');
    expect(get(manifests, 'NetworkPolicy', 'postgres').spec.ingress[0].from).toEqual(expect.arrayContaining([{ podSelector: { matchLabels: expect.objectContaining(component) } }]));
  });
});

test('what is said about it is taken', () => {
  const manifests = synth({ storageSize: Size.gibibytes(50), storageClassName: 'fast', backupImage: 'postgres:18.6' }, { upgradeSchema: true, upgradeDeadline: Duration.hours(3) });
  const { spec } = get(manifests, 'PersistentVolumeClaim', 'mlflow-schema-backup');
  expect([spec.resources.requests.storage, spec.storageClassName]).toEqual(['50Gi', 'fast']);
  expect(podOf(manifests).initContainers[1].image).toBe('postgres:18.6');
  expect(podOf(manifests).terminationGracePeriodSeconds).toBe(10800);
});

test('where the user has taken a backup, there is no dump, no volume and no way back', () => {
  const manifests = synth({ backup: false });
  expect(names(podOf(manifests).initContainers)).toEqual(['look']);
  expect([...ofKind(manifests, 'PersistentVolumeClaim'), ...ofKind(manifests, 'CronJob')]).toEqual([]);
  expect(value(podOf(manifests).containers[0], 'UPGRADE_BACKUP')).toBe('false');
});

test('a database that pg_dump does not know has to be backed up by its own means', () => {
  const withMysql = (schemaUpgrade?: SchemaUpgradeOptions) => {
    const chart = Testing.chart();
    const backendStore = new ExternalDatabase(chart, 'Database', { secretName: 'mysql', port: 3306 });
    new MlflowStack(chart, 'Stack', { backendStore, schemaUpgrade, trackingServer: { preflight: PREFLIGHT } });
    return chart;
  };
  expect(faults(withMysql())).toEqual([expect.stringContaining('backup: got true. Rule: pg_dump backs up a PostgreSQL')]);
  expect(names(podOf(Testing.synth(withMysql({ backup: false }))).initContainers)).toEqual(['look']);
});

test.each<[string, SchemaUpgradeOptions, object, string]>([
  ['without preflight.upgradeSchema', {}, {}, 'server: got "a server with preflight.upgradeSchema = undefined". Rule: a schema is upgraded on purpose only'],
  ['with a size of no backup', { backup: false, storageSize: Size.gibibytes(1) }, PREFLIGHT, 'storageSize: got'],
])('%s, a fault tells', (_case, options, preflight, text) => {
  expect(faults(chartOf(options, preflight))).toEqual([expect.stringContaining(text)]);
});
