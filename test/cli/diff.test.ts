import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Chart, Size } from 'cdk8s';
import { stringify } from 'yaml';
import { changesOf } from '../../cli/diff/changes';
import { findings } from '../../cli/diff/findings';
import { readManifests } from '../../cli/diff/manifests';
import { text } from '../../cli/diff/render';
import { Review } from '../../cli/diff/review';
import { Login, Minio, MlflowStack, MlflowStackProps, Postgres, ProgramsChart } from '../../lib';
import { ROOT, lines, scratch } from '../run-script';
import { PROGRAM, cdk8sMlflow } from './program';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- an object of Kubernetes
type Manifest = any;

const DOCS = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs';
const LARGER = `(how to enlarge a volume: ${DOCS}/how-to/operate.md#a-larger-volume)`;

const file = (objects: Manifest[]) => objects.map((object) => stringify(object)).join('---\n');

/** What the command says of two lists of objects, line by line. */
function said(before: Manifest[], after: Manifest[]): string[] {
  const folder = scratch({ 'old.yaml': file(before), 'new.yaml': file(after) });
  const [base, head] = ['old.yaml', 'new.yaml'].map((name) => readManifests(join(folder, name)));
  const changes = changesOf(base, head);
  const comparison = { compared: '', findings: findings(new Review(base, head, changes)), changes, lines: new Map(), again: '' };
  const [, ...rest] = lines(text(comparison, false, false));
  return rest;
}

/** Likewise, without the links. */
const words = (before: Manifest[], after: Manifest[]) => said(before, after).map((line) => line.replace(/ \([^(]*: https:.*\)$/, ''));

const object = (apiVersion: string, kind: string, name: string, rest: object = {}): Manifest => ({ apiVersion, kind, metadata: { name, namespace: 'mlflow' }, ...rest });
const template = (app: string, container: object = {}, spec: object = {}) => ({ metadata: { labels: { app } }, spec: { containers: [{ name: app, image: 'ghcr.io/mlflow/mlflow:v3.17.2-full', ...container }], ...spec } });
const deployment = (name: string, container?: object, spec: object = {}) => object('apps/v1', 'Deployment', name, { spec: { selector: { matchLabels: { app: name } }, template: template(name, container), ...spec } });
const server = (container: object = {}, spec?: object) => deployment('mlflow', { args: ['mlflow', 'server', '--artifacts-destination=s3://a'], ...container }, spec);
const statefulSet = (name: string, image: string, spec: object = {}) =>
  object('apps/v1', 'StatefulSet', name, {
    spec: { replicas: 1, serviceName: name, selector: { matchLabels: { app: name } }, template: template(name, { image }), volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '50Gi' } } } }], ...spec },
  });
const job = (name: string, container?: object) => object('batch/v1', 'Job', name, { spec: { template: template(name, container) } });
const cronJob = (name: string, container?: object) => object('batch/v1', 'CronJob', name, { spec: { schedule: '0 3 * * *', jobTemplate: { spec: { template: template(name, container) } } } });
const NEXT = { image: 'ghcr.io/mlflow/mlflow:v3.18.0-full' };

describe('a larger volume, another version of MLflow and one more pod', () => {
  const before = [
    statefulSet('postgres', 'docker.io/library/postgres:17.12'),
    server({}, { replicas: 2 }),
    deployment('mlflow-monitor'),
    cronJob('mlflow-gc'),
    job('mlflow-login-bootstrap-25494bb8cb'),
  ];
  const after = [
    statefulSet('postgres', 'docker.io/library/postgres:17.12', { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '100Gi' } } } }] }),
    server(NEXT, { replicas: 3 }),
    deployment('mlflow-monitor', NEXT),
    cronJob('mlflow-gc', NEXT),
    { ...job('mlflow-login-bootstrap-25494bb8cb', NEXT), metadata: { name: 'mlflow-login-bootstrap-3964f8c7bc', namespace: 'mlflow' } },
  ];

  test('are three lines', () => {
    expect(said(before, after)).toEqual([
      `⚠ refused by Kubernetes: StatefulSet postgres, storage 50Gi → 100Gi ${LARGER}`,
      '↻ restarts mlflow (2 → 3 pods): image v3.17.2 → v3.18.0; the schema may be older: `upgradeSchema`',
      '· image only: mlflow-monitor, mlflow-gc, Job mlflow-login-bootstrap',
    ]);
  });

  test('are the same lines in Markdown, which link the word, and the objects folded below', () => {
    const folder = scratch({ 'old.yaml': file(before), 'new.yaml': file(after) });
    const { stdout } = cdk8sMlflow(['diff', '--format', 'markdown', 'old.yaml', 'new.yaml'], { cwd: folder });
    const [head, rest] = stdout.split('<details>', 2);
    expect(head).toBe(`### Manifests: 1 replaced, 4 changed

Compared with \`old.yaml\`:

⚠ refused by Kubernetes: StatefulSet postgres, storage 50Gi → 100Gi ${LARGER}  
↻ restarts mlflow (2 → 3 pods): image v3.17.2 → v3.18.0; the schema may be older: [\`upgradeSchema\`](${DOCS}/upgrade.md#a-new-version-of-mlflow)  
· image only: mlflow-monitor, mlflow-gc, Job mlflow-login-bootstrap

`);
    expect(rest).toContain('| changed | StatefulSet | `mlflow/postgres` |');
    expect(stdout.replace(/<details>[^]*?<\/details>/g, '')).not.toMatch(/^[-+@|]/m);
  });

  test('are those of a real stack as well', () => {
    const synth = (folder: string, size: number, { replicas, image }: { replicas: number; image: string }) => {
      const app = new App({ outdir: folder });
      const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
      new ProgramsChart(app, 'mlflow-programs', { chart });
      const backendStore = new Postgres(chart, 'Store', { instance: 'mlflow', storageSize: Size.gibibytes(size) });
      new MlflowStack(chart, 'Stack', { login: Login.basicAuth(), garbageCollection: {}, backendStore, trackingServer: { replicas, image } });
      app.synth();
    };
    const folder = scratch();
    synth(join(folder, 'old'), 50, { replicas: 2, image: 'ghcr.io/mlflow/mlflow:v3.17.2-full' });
    synth(join(folder, 'new'), 100, { replicas: 3, image: 'ghcr.io/mlflow/mlflow:v3.18.0-full' });
    expect(lines(cdk8sMlflow(['diff', 'old', 'new'], { cwd: folder }).stdout).slice(1)).toEqual([
      `⚠ refused by Kubernetes: StatefulSet postgres, storage 50Gi → 100Gi ${LARGER}`,
      '↻ restarts mlflow (2 → 3 pods): image v3.17.2 → v3.18.0; the schema may be older: `upgradeSchema`',
      // one server more wants connections of its database
      expect.stringMatching(/^↻ restarts StatefulSet postgres \(1 pod, away meanwhile\), once it is not refused any more: arguments --max_connections/),
      '· image only: mlflow-monitor, mlflow-gc, Job mlflow-secrets',
    ]);
  });

  test('and what else would come to what is refused is told: it comes when that is mended', () => {
    const larger = { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '100Gi' } } } }] };
    expect(said([statefulSet('postgres', 'docker.io/library/postgres:17.12')], [statefulSet('postgres', 'docker.io/library/postgres:18.1', larger)])).toEqual([
      expect.stringMatching(/^⚠ does not start: StatefulSet postgres, PostgreSQL 18 cannot read the files of 17 \(/),
      `⚠ refused by Kubernetes: StatefulSet postgres, storage 50Gi → 100Gi ${LARGER}`,
      '↻ restarts StatefulSet postgres (1 pod, away meanwhile), once it is not refused any more: image 17.12 → 18.1',
    ]);
  });
});

describe('pods', () => {
  test('are replaced for reasons, in words', () => {
    const before = [server({ env: [{ name: 'A', value: 'a-secret-value' }], resources: { requests: { memory: '512Mi' }, limits: { memory: '1Gi' } } })];
    const after = [server({ args: ['mlflow', 'server', '--artifacts-destination=s3://a', '--workers=2'], env: [{ name: 'A', value: 'another-value' }, { name: 'B' }], resources: { requests: { memory: '512Mi' }, limits: { memory: '2Gi' } } })];
    expect(words(before, after)).toEqual(['↻ restarts mlflow (1 pod): arguments --workers, variables A, B, memory limit 1Gi → 2Gi']);
  });

  test.each([
    ['a set of one pod', [statefulSet('minio', 'minio:1')], [statefulSet('minio', 'minio:2')], '↻ restarts StatefulSet minio (1 pod, away meanwhile): image 1 → 2'],
    ['no overlap', [deployment('a', { image: 'a:1' }, { strategy: { type: 'Recreate' } })], [deployment('a', { image: 'a:2' }, { strategy: { type: 'Recreate' } })], '↻ restarts a (1 pod, away meanwhile): image 1 → 2'],
    ['an image that is another', [deployment('a', { image: 'a:1' })], [deployment('a', { image: 'registry.example.com/b:1' })], '↻ restarts a (1 pod): image a:1 → b:1'],
    ['another registry', [deployment('a', { image: 'a:1' })], [deployment('a', { image: 'registry.example.com:5000/a:1' })], '↻ restarts a (1 pod): image a:1 from another registry'],
    ['a digest', [deployment('a', { image: 'a:1' })], [deployment('a', { image: `a:1@sha256:${'0'.repeat(64)}` })], '↻ restarts a (1 pod): another digest of image 1'],
    ['another container', [deployment('a', { image: 'a:1' })], [deployment('a', { image: 'a:1', name: 'b' })], '↻ restarts a (1 pod): without container a, new container b'],
    ['a scale', [deployment('a')], [deployment('a', {}, { replicas: 3 })], '↻ scales a: 1 → 3 pods; none of the others is replaced'],
    ['a smaller set', [statefulSet('minio', 'minio:1', { replicas: 4 })], [statefulSet('minio', 'minio:1')], '↻ scales StatefulSet minio: 4 → 1 pods; none of the others is replaced, and the volumes of those that go stay'],
    ['none', [deployment('a', {}, { replicas: 2 })], [deployment('a', {}, { replicas: 0 })], '⚠ stops a: 2 → 0 pods'],
    ['a later run', [cronJob('a', { image: 'a:1' })], [cronJob('a', { image: 'a:2' })], '· image only: a (1 → 2)'],
    ['a schedule', [cronJob('a')], [{ ...cronJob('a'), spec: { ...cronJob('a').spec, schedule: '0 4 * * *' } }], '· changes: a (schedule)'],
  ])('%s', (_, before, after, line) => {
    expect(words(before, after)).toEqual([line]);
  });

  test('that an autoscaler counts are not counted', () => {
    const scaler = object('autoscaling/v2', 'HorizontalPodAutoscaler', 'a', { spec: { scaleTargetRef: { kind: 'Deployment', name: 'a' } } });
    expect(words([deployment('a', { image: 'a:1' }), scaler], [deployment('a', { image: 'a:2' }), scaler])).toEqual(['↻ restarts a: image 1 → 2']);
    expect(words([deployment('a', {}, { replicas: 2 }), scaler], [deployment('a', {}, { replicas: 3 }), scaler])).toEqual(['· changes: a (replicas)']);
  });

  test('of a Job with a fingerprint run again, and are no refusal', () => {
    const renamed = { ...job('fill-25494bb8cb', { command: ['b'] }), metadata: { name: 'fill-3964f8c7bc', namespace: 'mlflow' } };
    expect(words([job('fill-25494bb8cb')], [renamed])).toEqual(['· runs again: Job fill']);
    expect(words([job('fill')], [job('fill', { command: ['b'] })])).toEqual(['⚠ refused by Kubernetes: Job fill, template']);
    const passing = (...of: Parameters<typeof job>) => ({ ...job(...of), spec: { ...job(...of).spec, ttlSecondsAfterFinished: 60 } });
    expect(words([passing('fill')], [passing('fill', { command: ['b'] })])).toEqual(['· runs again: Job fill, which is refused while the one before is there']);
  });
});

describe('versions', () => {
  test('that step back do not start', () => {
    expect(words([server(NEXT)], [server()])).toEqual([
      '⚠ steps back: mlflow, MLflow 3.18.0 → 3.17.2, which does not start where the schema is that of the newer one',
      '↻ restarts mlflow (1 pod): image v3.18.0 → v3.17.2',
    ]);
  });

  test('with upgradeSchema are led over', () => {
    const env = [{ name: 'STARTUP_UPGRADE_SECONDS', value: '3600' }];
    expect(words([server({ env })], [server({ env, ...NEXT })])[0]).toBe('↻ restarts mlflow (1 pod): image v3.17.2 → v3.18.0; the schema is upgraded first: `upgradeSchema`');
  });

  test('of PostgreSQL do not start on files of another major one', () => {
    const postgres = (version: string) => [statefulSet('postgres', `docker.io/library/postgres:${version}`)];
    expect(words(postgres('17.12'), postgres('18.2'))).toEqual([
      '⚠ does not start: StatefulSet postgres, PostgreSQL 18 cannot read the files of 17',
      '↻ restarts StatefulSet postgres (1 pod, away meanwhile): image 17.12 → 18.2',
    ]);
    expect(words(postgres('17.12'), postgres('17.13'))).toEqual(['↻ restarts StatefulSet postgres (1 pod, away meanwhile): image 17.12 → 17.13']);
  });

  test('of MinIO may not read what a newer one has written', () => {
    const minio = (date: string) => [statefulSet('minio', `docker.io/pgsty/silo:RELEASE.${date}T00-00-00Z`)];
    expect(words(minio('2026-09-16'), minio('2026-06-18'))).toEqual([
      '⚠ steps back: StatefulSet minio, RELEASE.2026-09-16T00-00-00Z → RELEASE.2026-06-18T00-00-00Z, which may not read what the newer one has written',
      expect.stringMatching(/^↻ restarts StatefulSet minio /),
    ]);
    expect(words(minio('2026-06-18'), minio('2026-09-16'))).toEqual([expect.stringMatching(/^↻ restarts StatefulSet minio /)]);
  });

  test('without -full have no drivers', () => {
    expect(words([server()], [server({ image: 'ghcr.io/mlflow/mlflow:v3.17.2' })])[0]).toBe('⚠ does not start: mlflow, image v3.17.2 without -full has no drivers for PostgreSQL and S3');
  });

  test('another place begins empty, whatever the parameters of the connection', () => {
    const at = (uri: string) => [server({ args: ['mlflow', 'server', `--backend-store-uri=${uri}`] })];
    expect(words(at('postgresql://a/mlflow?connect_timeout=5'), at('postgresql://b/mlflow'))[0]).toBe('⚠ another database: mlflow, --backend-store-uri; what was logged stays in the one of before');
    expect(words(at('postgresql://a/mlflow?connect_timeout=5'), at('postgresql://a/mlflow'))).toEqual(['↻ restarts mlflow (1 pod): arguments --backend-store-uri']);
    const endpoint = (...urls: string[]) => [server({ env: urls.map((value) => ({ name: 'MLFLOW_S3_ENDPOINT_URL', value })) })];
    expect(words(endpoint('http://minio.mlflow:9000'), endpoint('http://user:hidden@s3.example.com'))).toEqual([
      '⚠ another artifact store: mlflow, MLFLOW_S3_ENDPOINT_URL http://minio.mlflow:9000 → http://s3.example.com; what was logged stays in the one of before',
      '↻ restarts mlflow (1 pod): variables MLFLOW_S3_ENDPOINT_URL',
    ]);
    expect(words(endpoint('http://minio.mlflow:9000'), endpoint('https://minio.mlflow:9000/'))).toEqual(['↻ restarts mlflow (1 pod): variables MLFLOW_S3_ENDPOINT_URL']);
    expect(words(endpoint('http://minio.mlflow:9000'), endpoint())[0]).toContain('http://minio.mlflow:9000 → not set;');
  });
});

describe('data', () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mlflow' } };
  const claim = (size: string) => object('v1', 'PersistentVolumeClaim', 'backup', { spec: { resources: { requests: { storage: size } } } });
  const kept = object('v1', 'ServiceAccount', 'kept');

  test.each([
    ['a namespace', namespace, '⚠ deletes data, where what is gone is pruned: Namespace mlflow, with everything in it'],
    ['a claim', claim('1Gi'), '⚠ deletes data, where what is gone is pruned: PersistentVolumeClaim backup, with its volume, unless that is retained'],
    ['a database of an operator', object('postgresql.cnpg.io/v1', 'Cluster', 'postgres'), '⚠ deletes data, where what is gone is pruned: Cluster postgres, with its volumes'],
    ['a store', statefulSet('minio', 'minio:1'), '⚠ takes away StatefulSet minio, where what is gone is pruned; its volumes stay until somebody deletes their claims'],
    ['a Secret', object('v1', 'Secret', 'keys'), '⚠ loses values, where what is gone is pruned: Secret keys'],
  ])('goes with %s', (_, gone, line) => {
    expect(words([kept, gone], [kept])).toEqual([line]);
  });

  test('goes with a StatefulSet that says so', () => {
    const policy = { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' } };
    const minio = (spec: object) => [kept, statefulSet('minio', 'minio:1', spec)];
    expect(words(minio(policy), [kept])).toEqual(['⚠ deletes data, where what is gone is pruned: StatefulSet minio, with its volumes', '⚠ takes away StatefulSet minio, where what is gone is pruned']);
    expect(words(minio({}), minio(policy))).toEqual(['⚠ lets volumes go with pods: StatefulSet minio, whenDeleted and whenScaled Delete']);
    expect(words(minio({ ...policy, replicas: 4 }), minio({ ...policy, replicas: 1 }))).toEqual(['⚠ deletes data: StatefulSet minio, volumes of 3 pods that go']);
  });

  test('is not in a claim that grows', () => {
    expect(words([claim('1Gi')], [claim('2Gi')])).toEqual(['· changes: PersistentVolumeClaim backup (resources)']);
  });

  test('is not in a store under another name, nor are the values of its Secrets', () => {
    const synth = (options: (chart: Chart) => MlflowStackProps) => {
      const app = new App({ outdir: scratch() });
      const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
      new MlflowStack(chart, 'Stack', options(chart));
      app.synth();
      return app.outdir;
    };
    const store = (name: string) => synth((chart) => ({ artifactStore: new Minio(chart, 'Store', { name, instance: 'mlflow' }) }));
    const { stdout } = cdk8sMlflow(['diff', store('minio'), store('other')]);
    expect(stdout).toContain('⚠ begins with empty volumes: StatefulSet minio → other; minio stays with its volumes, which nothing uses (');
    expect(stdout).toContain('⚠ makes a Secret anew: minio-user → other-user, with other values');
    const rotated = cdk8sMlflow(['diff', synth(() => ({})), synth(() => ({ generations: { databaseUser: 2 } }))]).stdout;
    expect(rotated).toContain('⚠ makes values of a Secret anew: postgres-user, username-2, password-2 (');
    expect(rotated).not.toMatch(/makes a Secret anew|loses values/);
  });
});

describe('the network', () => {
  const policy = (rules: object) => object('networking.k8s.io/v1', 'NetworkPolicy', 'mlflow', { spec: { podSelector: { matchLabels: { app: 'mlflow' } }, policyTypes: ['Ingress', 'Egress'], ...rules } });
  const pods = (app: string) => ({ podSelector: { matchLabels: { app } } });
  const from = (peers: object[], ports = [{ port: 5000 }]) => policy({ ingress: [{ from: peers, ports }] });
  const block = (cidr: string) => ({ ipBlock: { cidr } });

  test.each([
    ['a client more', from([pods('a')]), from([pods('a'), { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'notebooks' } } }]), ['⚠ opens NetworkPolicy mlflow: from all pods of namespaces metadata.name=notebooks, port 5000']],
    ['a client less', from([pods('a'), pods('b')]), from([pods('a')]), ['⚠ closes NetworkPolicy mlflow: from pods app=b, port 5000']],
    ['everybody', from([pods('a')]), from([]), ['⚠ opens NetworkPolicy mlflow: from everywhere, port 5000']],
    ['another port', from([pods('a')]), from([pods('a')], [{ port: 80 }]), ['⚠ opens NetworkPolicy mlflow: from pods app=a, port 80', '⚠ closes NetworkPolicy mlflow: from pods app=a, port 5000']],
    ['a wider block', from([block('10.1.0.0/16')]), from([block('10.0.0.0/8')]), ['⚠ opens NetworkPolicy mlflow: from 10.0.0.0/8, port 5000']],
    ['a narrower block', from([block('10.0.0.0/8')]), from([block('10.1.0.0/16')]), ['⚠ closes NetworkPolicy mlflow: from 10.0.0.0/8, port 5000']],
    ['a direction that is not bound', policy({ ingress: [] }), policy({ ingress: [], policyTypes: ['Ingress'] }), ['⚠ opens NetworkPolicy mlflow: to everywhere']],
    ['other pods', from([]), { ...from([]), spec: { ...from([]).spec, podSelector: {} } }, ['⚠ opens and closes NetworkPolicy mlflow: it chooses other pods']],
    ['another order', from([pods('a'), pods('b')]), from([pods('b'), pods('a')]), ['· changes: NetworkPolicy mlflow (ingress)']],
  ])('%s', (_, before, after, expected) => {
    expect(words([before], [after])).toEqual(expected);
  });

  test('opens without a policy and closes with one, for pods that stay', () => {
    expect(words([server(), from([])], [server()])).toEqual(['⚠ opens NetworkPolicy mlflow: where what is gone is pruned, mlflow is open to everybody']);
    const account = object('v1', 'ServiceAccount', 'kept');
    expect(words([account, from([])], [account])).toEqual(['⚠ opens NetworkPolicy mlflow: where what is gone is pruned, pods that no other policy chooses are open to everybody']);
    const other = { ...from([pods('a')]), metadata: { name: 'other', namespace: 'mlflow' } };
    expect(words([server(), from([]), other], [server(), other])).toEqual(['⚠ closes NetworkPolicy mlflow: where what is gone is pruned, what it let through is let through no more, but by other policies']);
    expect(words([server()], [server(), from([])])).toEqual(['⚠ closes NetworkPolicy mlflow: it is new, and its pods are closed to all that no policy lets through']);
    expect(words([account], [account, server(), from([])])).toEqual(['· new: mlflow, NetworkPolicy mlflow']);
  });
});

describe('rights', () => {
  const role = (...rules: object[]) => object('rbac.authorization.k8s.io/v1', 'Role', 'jobs', { rules });
  const rule = (verbs: string[], resources: string[], more: object = {}) => ({ apiGroups: [''], verbs, resources, ...more });
  const other = object('v1', 'ServiceAccount', 'other');
  const cluster = (kind: string, rest: object) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name: 'jobs' }, ...rest });
  const toAll = { roleRef: { kind: 'ClusterRole', name: 'jobs' }, subjects: [{ kind: 'Group', name: 'system:authenticated' }] };
  const binding = (...names: string[]) => object('rbac.authorization.k8s.io/v1', 'RoleBinding', 'jobs', { roleRef: { kind: 'Role', name: 'jobs' }, subjects: names.map((name) => ({ kind: 'ServiceAccount', name })) });

  test.each([
    ['a verb', [role(rule(['get'], ['secrets']))], [role(rule(['get', 'patch'], ['secrets']))], ['⚠ grants more: Role jobs, patch secrets']],
    ['all names', [role(rule(['get'], ['secrets'], { resourceNames: ['a'] }))], [role(rule(['get'], ['secrets']))], ['⚠ grants more: Role jobs, get secrets']],
    ['another name', [role(rule(['get'], ['secrets'], { resourceNames: ['a'] }))], [role(rule(['get'], ['secrets'], { resourceNames: ['a', 'b'] }))], ['⚠ grants more: Role jobs, get secrets b']],
    ['everything', [role(rule(['get'], ['secrets']))], [role({ apiGroups: ['*'], verbs: ['*'], resources: ['*'] })], ['⚠ grants more: Role jobs, do anything with everything']],
    ['less', [role(rule(['get', 'list'], ['secrets']))], [role(rule(['get'], ['secrets']))], ['· changes: Role jobs (rules)']],
    ['what was there in other words', [role(rule(['*'], ['secrets']))], [role(rule(['get'], ['secrets']), rule(['list'], ['secrets']))], ['· changes: Role jobs (rules)']],
    ['somebody else', [binding('a')], [binding('a', 'b')], ['⚠ grants more: RoleBinding jobs, Role jobs for ServiceAccount b']],
    ['a new Role', [binding('a')], [binding('a'), role(rule(['get'], ['pods']))], ['⚠ grants more: Role jobs, get pods']],
    ['a new Role for somebody', [other], [other, binding('a'), role(rule(['get'], ['pods']))], ['⚠ grants more: Role jobs, get pods, for ServiceAccount a']],
    ['a new Role for nobody', [other], [other, role(rule(['get'], ['pods']))], ['⚠ grants more: Role jobs, get pods, and nobody has it yet']],
    ['a role for all namespaces', [other], [other, cluster('ClusterRole', { rules: [rule(['get'], ['secrets'])] }), cluster('ClusterRoleBinding', toAll)], ['⚠ grants more: ClusterRole jobs, get secrets, for Group system:authenticated, in all namespaces']],
    ['a new Role of the same name is another', [other], [other, role(rule(['get'], ['pods'])), cluster('ClusterRoleBinding', toAll)], ['⚠ grants more: Role jobs, get pods, and nobody has it yet', '⚠ grants more: ClusterRoleBinding jobs, ClusterRole jobs for Group system:authenticated']],
  ])('%s', (_, before, after, expected) => {
    expect(words(before, after)).toEqual(expected);
  });
});

describe('a secret in plain text', () => {
  const variables = (env: { [name: string]: string }) => deployment('a', { env: Object.entries(env).map(([name, value]) => ({ name, value })) });
  const secret = (rest: object) => object('v1', 'Secret', 'keys', rest);

  test.each([
    ['of a variable', [variables({})], [variables({ AWS_SECRET_ACCESS_KEY: 'hunter2plain', LEVEL: 'info' })], ['⚠ shows a secret to all who read the manifests: a, AWS_SECRET_ACCESS_KEY', '↻ restarts a (1 pod): variables AWS_SECRET_ACCESS_KEY, LEVEL']],
    ['of a new Secret', [variables({})], [variables({}), secret({ stringData: { a: 'hunter2plain', b: '' } })], ['⚠ shows a secret to all who read the manifests: Secret keys, a']],
    ['of one more key', [secret({ data: { a: 'eA==' } })], [secret({ data: { a: 'eA==', b: 'eA==' } })], ['⚠ shows a secret to all who read the manifests: Secret keys, b']],
    ['that was there', [secret({ data: { a: 'eA==' } })], [secret({ data: { a: 'eQ==' } })], ['· changes: Secret keys (data)']],
    ['that is none', [variables({})], [variables({ ADMIN_SECRET_NAME: 'keys', SORT_KEY: 'name' })], ['↻ restarts a (1 pod): variables ADMIN_SECRET_NAME, SORT_KEY']],
  ])('%s', (_, before, after, expected) => {
    expect(words(before, after)).toEqual(expected);
  });

  test('is masked, in a URI as well', () => {
    const cwd = scratch({ 'old.yaml': file([variables({})]), 'new.yaml': file([variables({ AWS_SECRET_ACCESS_KEY: 'hunter2plain', URI: 'postgresql://mlflow:hunter2plain@host/db', LEVEL: 'info' })]) });
    for (const format of ['text', 'markdown', 'json']) {
      const { stdout } = cdk8sMlflow(['diff', '--full', '--format', format, 'old.yaml', 'new.yaml'], { cwd });
      expect(stdout).not.toContain('hunter2plain');
      expect(stdout).toContain('postgresql://mlflow:***@host/db');
      expect(stdout).toContain('info');
    }
  });
});

describe('noise', () => {
  test('is folded, and nothing is left out', () => {
    const labels = (version: string) => ({ ...object('v1', 'Service', 'a'), metadata: { name: 'a', namespace: 'mlflow', labels: { version } } });
    const map = (name: string, value: string) => object('v1', 'ConfigMap', name, { data: { a: value } });
    expect(said([labels('1'), map('b', '1'), map('c', '1'), map('text-25494bb8cb', '1')], [labels('2'), map('b', '2'), map('d', '1'), map('text-3964f8c7bc', '2')])).toEqual([
      '· made under another name: ConfigMap text',
      '· new: ConfigMap d',
      '· not there any more: ConfigMap c',
      '· changes: ConfigMap b (data)',
      '· labels and annotations only: Service a',
    ]);
  });

  test('a first apply is one line, whatever is in it', () => {
    const { stdout } = cdk8sMlflow(['diff', scratch(), join(ROOT, 'dist/mlflow.k8s.yaml')]);
    expect(lines(stdout).slice(1)).toEqual([expect.stringMatching(/^· new: .* and \d+ more$/)]);
  });

  test('names have their namespace where there are several', () => {
    const other = { ...deployment('a', { image: 'a:1' }), metadata: { name: 'a', namespace: 'other' } };
    expect(words([deployment('a', { image: 'a:1' }), other], [deployment('a', { image: 'a:2' }), other])).toEqual(['↻ restarts mlflow/a (1 pod): image 1 → 2']);
    expect(words([server(NEXT), other], [server(), other])[0]).toMatch(/^⚠ steps back: mlflow\/mlflow, /);
  });
});

describe('the command', () => {
  const folder = () => scratch({ 'old.yaml': file([deployment('a', { image: 'a:1' }), object('v1', 'Secret', 's', { stringData: { a: 'secret-of-before' } })]), 'new.yaml': file([deployment('a', { image: 'a:2' }), object('v1', 'Secret', 's', { stringData: { a: 'secret-of-after' } })]) });

  test('shows lines of objects where they are asked for, and never a value of a Secret', () => {
    const cwd = folder();
    const short = cdk8sMlflow(['diff', 'old.yaml', 'new.yaml'], { cwd }).stdout;
    expect(short).toBe('Compared with old.yaml: 2 changed\n\n↻ restarts a (1 pod): image 1 → 2\n· changes: Secret s (stringData)\n');
    const full = cdk8sMlflow(['diff', '--full', 'old.yaml', 'new.yaml'], { cwd }).stdout;
    expect(full).toContain(`${short}\nchanged Deployment mlflow/a\n@@`);
    expect(full).toContain('-          image: a:1\n+          image: a:2\n');
    expect(full).toContain('-  a: "*** (before)"\n+  a: "*** (after)"\n');
    for (const format of ['text', 'markdown', 'json']) expect(cdk8sMlflow(['diff', '--full', '--format', format, 'old.yaml', 'new.yaml'], { cwd }).stdout).not.toContain('secret-of');
  });

  test('gives JSON to programs', () => {
    const { stdout } = cdk8sMlflow(['diff', '--format', 'json', 'old.yaml', 'new.yaml'], { cwd: folder() });
    expect(JSON.parse(stdout)).toEqual({
      counts: { removed: 0, replaced: 0, added: 0, changed: 2 },
      findings: [
        { sign: '↻', rule: 'restarts', text: 'restarts a (1 pod): image 1 → 2', objects: [{ kind: 'Deployment', namespace: 'mlflow', name: 'a' }] },
        { sign: '·', rule: 'changes', text: 'changes: Secret s (stringData)', objects: [{ kind: 'Secret', namespace: 'mlflow', name: 's' }] },
      ],
      objects: [
        { action: 'changed', kind: 'Deployment', namespace: 'mlflow', name: 'a', file: 'new.yaml', diff: expect.arrayContaining(['-          image: a:1']) },
        { action: 'changed', kind: 'Secret', namespace: 'mlflow', name: 's', file: 'new.yaml', diff: expect.any(Array) },
      ],
    });
  });

  test('says by its exit code what it found, where that is asked for', () => {
    const cwd = scratch({ 'a.yaml': file([job('a', { image: 'a:1' })]), 'refused.yaml': file([job('a', { image: 'a:2' })]), 'more.yaml': file([job('a', { image: 'a:1' }), job('b')]) });
    const code = (...args: string[]) => cdk8sMlflow(['diff', ...args], { cwd }).status;
    expect(['a.yaml', 'more.yaml', 'refused.yaml'].map((other) => code('--exit-code', 'a.yaml', other))).toEqual([0, 1, 3]);
    expect(code('a.yaml', 'refused.yaml')).toBe(0);
  });

  test('has colours in a terminal, and none elsewhere or where NO_COLOR is set', () => {
    const cwd = folder();
    // a terminal of Python's library, since Node has none to give
    const inTerminal = (env: NodeJS.ProcessEnv) => {
      const args = ['-c', 'import pty, sys; pty.spawn(sys.argv[1:])', process.execPath, PROGRAM, 'diff', 'old.yaml', 'new.yaml'];
      return execFileSync('python3', args, { cwd, encoding: 'utf8', env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    };
    expect(inTerminal({})).toContain('\x1b[33m↻ restarts a');
    expect(inTerminal({ NO_COLOR: '1' })).not.toContain('\x1b[');
    expect(cdk8sMlflow(['diff', 'old.yaml', 'new.yaml'], { cwd }).stdout).not.toContain('\x1b[');
  });

  test('writes nothing that would steer a terminal', () => {
    const evil = file([object('v1', 'ConfigMap', 'a\u001b[2J', { data: { a: '\u001b[2Jb' } })]);
    const { stdout } = cdk8sMlflow(['diff', '--full', 'old.yaml', 'evil.yaml'], { cwd: scratch({ 'old.yaml': '', 'evil.yaml': evil }) });
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('ConfigMap a??2J');
  });

  test.each([
    [['diff', 'old.yaml'], 'two files or folders are compared, OLD and NEW; or the app in this folder with --base REF'],
    [['diff', '--base', 'main', 'old.yaml'], '--base compares the app in this folder, and takes no OLD and NEW beside it'],
    [['diff', '--format', 'html', 'old.yaml', 'new.yaml'], '--format is text, markdown, json, and not "html"'],
    [['diff', '--limit', 'many', 'old.yaml', 'new.yaml'], '--limit is a number of characters from 1000 on, and not "many"'],
  ])('%j is told, with the way to the help', (args, sentence) => {
    expect(cdk8sMlflow(args, { cwd: folder() })).toEqual({ status: 2, stdout: '', stderr: `cdk8s-mlflow diff: ${sentence}. See: cdk8s-mlflow diff --help\n` });
  });

  test('a file that is not there is told in one sentence', () => {
    expect(cdk8sMlflow(['diff', 'old.yaml', 'none.yaml'], { cwd: folder() })).toEqual({ status: 2, stdout: '', stderr: 'cdk8s-mlflow diff: none.yaml is not there\n' });
  });

  test('writes to a file', () => {
    const cwd = folder();
    expect(cdk8sMlflow(['diff', '--format', 'markdown', '--output', 'out.md', 'old.yaml', 'new.yaml'], { cwd })).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(join(cwd, 'out.md'), 'utf8')).toContain('### Manifests: 2 changed\n');
  });
});

describe('links', () => {
  const sources = ['data', 'network', 'plain-secrets', 'pods', 'refused', 'rights'].map((name) => readFileSync(join(ROOT, `cli/diff/${name}.ts`), 'utf8')).join('\n');
  const pages = [...sources.matchAll(/docs\('([^']+)', '([^']+)'\)/g)].map(([, title, page]) => [page, title] as const);

  test.each(pages)('%s is there', (page) => {
    const [path, anchor] = page.split('#');
    const headings = readFileSync(join(ROOT, 'docs', path), 'utf8').match(/^#+ .*$/gm)!.map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-'));
    if (anchor !== undefined) expect(headings).toContain(anchor);
    expect(headings.length).toBeGreaterThan(0);
  });

  test('are many', () => expect(pages.length).toBeGreaterThan(8));
});
