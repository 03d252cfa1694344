import { ApiObject, App, Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Credentials, Minio, MlflowStack, Postgres, StartupScript, TrackingServer } from '../../lib';
import { rejectSharedSelector, rejectTakenNames } from '../../lib/validation/unique-names';
import { k8s } from '../../imports/k8s';
import { faults } from '../helpers';

const RULE =
  'Rule: in one namespace each kind has a name once, and the second object would overwrite the first ' +
  '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).';
const stores = {
  backendStore: { uri: 'sqlite:////tmp/mlflow.db', environment: [] },
  artifactStore: { artifactsDestination: 's3://bucket', environment: [] },
};

function part(scope: Construct, id: string, ...objects: [typeof k8s.KubeConfigMap | typeof k8s.KubeSecret, string, string?][]): Construct {
  const construct = new Construct(scope, id);
  objects.forEach(([Kind, name, namespace], index) => new Kind(construct, `Object${index}`, { metadata: { name, namespace } }));
  rejectTakenNames(construct, 'name', 'choose another');
  return construct;
}

test('the second of two objects is the fault, and the message names the first', () => {
  const chart = Testing.chart();
  part(chart, 'First', [k8s.KubeConfigMap, 'settings', 'here']);
  part(chart, 'Second', [k8s.KubeConfigMap, 'settings', 'here']);
  expect(faults(chart)).toEqual([
    `[test/Second] name: got ConfigMap "settings" in namespace "here", which [test/First/Object0] makes already. ${RULE} Fix: choose another.`,
  ]);
});

test('a part that makes two objects of one name is at fault by itself', () => {
  const chart = Testing.chart();
  part(chart, 'Part', [k8s.KubeConfigMap, 'settings', 'here'], [k8s.KubeSecret, 'settings', 'here'], [k8s.KubeConfigMap, 'settings', 'here']);
  expect(faults(chart)).toEqual([
    `[test/Part] name: got ConfigMap "settings" in namespace "here", which [test/Part/Object0] makes already. ${RULE} Fix: choose another.`,
  ]);
});

test('all names that are taken stand in one message', () => {
  const chart = Testing.chart();
  part(chart, 'First', [k8s.KubeConfigMap, 'a'], [k8s.KubeSecret, 'b'], [k8s.KubeSecret, 'c']);
  part(chart, 'Second', [k8s.KubeSecret, 'b'], [k8s.KubeConfigMap, 'd'], [k8s.KubeConfigMap, 'a']);
  expect(faults(chart)).toEqual([
    '[test/Second] name: got Secret "b" in namespace "(none)", ConfigMap "a" in namespace "(none)", which [test/First/Object1] makes already. ' +
      `${RULE} Fix: choose another.`,
  ]);
});

test.each<[string, [typeof k8s.KubeConfigMap | typeof k8s.KubeSecret, string, string?]]>([
  ['kind', [k8s.KubeSecret, 'settings', 'here']],
  ['name', [k8s.KubeConfigMap, 'other', 'here']],
  ['namespace', [k8s.KubeConfigMap, 'settings', 'there']],
])('another %s is no fault', (_, object) => {
  const chart = Testing.chart();
  part(chart, 'First', [k8s.KubeConfigMap, 'settings', 'here']);
  part(chart, 'Second', object);
  expect(faults(chart)).toEqual([]);
});

test('an object of the chart that belongs to no part counts as well', () => {
  const chart = Testing.chart();
  new k8s.KubeConfigMap(chart, 'Mine', { metadata: { name: 'settings' } });
  part(chart, 'Part', [k8s.KubeConfigMap, 'settings']);
  expect(faults(chart)).toHaveLength(1);
});

test('what is added to the part afterwards is looked at too', () => {
  const chart = Testing.chart();
  part(chart, 'First', [k8s.KubeConfigMap, 'settings']);
  const second = part(chart, 'Second', [k8s.KubeConfigMap, 'other']);
  new k8s.KubeConfigMap(second, 'Late', { metadata: { name: 'settings' } });
  expect(faults(chart)).toHaveLength(1);
});

describe('in all charts of an app', () => {
  const charts = (app: App, ...namespaces: (string | undefined)[]) => namespaces.map((namespace, index) => new Chart(app, `chart${index}`, { namespace }));

  test('a name is there once in a namespace', () => {
    const [first, second] = charts(Testing.app(), 'here', 'here');
    for (const chart of [first, second]) part(chart, 'Part', [k8s.KubeConfigMap, 'settings']);
    const fault = `[chart1/Part] name: got ConfigMap "settings" in namespace "here", which [chart0/Part/Object0] makes already. ${RULE} Fix: choose another.`;
    expect([faults(first), faults(second)]).toEqual([[fault], [fault]]);
  });

  test('the namespace of a chart counts where an object has none', () => {
    const [first, second] = charts(Testing.app(), 'here', undefined);
    part(first, 'Part', [k8s.KubeConfigMap, 'settings']);
    part(second, 'Other', [k8s.KubeConfigMap, 'settings']);
    expect(faults(first)).toEqual([]);
    part(second, 'Same', [k8s.KubeConfigMap, 'settings', 'here']);
    expect(faults(first)).toEqual([expect.stringMatching(/^\[chart1\/Same\] name: .+ in namespace "here", which \[chart0/)]);
  });

  test('another namespace is another name', () => {
    const [first, second] = charts(Testing.app(), 'here', 'there');
    for (const chart of [first, second]) part(chart, 'Part', [k8s.KubeConfigMap, 'settings']);
    expect(faults(first)).toEqual([]);
  });

  test('a kind of the cluster is in no namespace, whatever the chart has', () => {
    const [first, second] = charts(Testing.app(), 'here', 'there');
    for (const chart of [first, second]) part(chart, 'Part', [k8s.KubeNamespace as never, 'team']);
    expect(faults(first)).toEqual([`[chart1/Part] name: got Namespace "team", which [chart0/Part/Object0] makes already. ${RULE} Fix: choose another.`]);
  });

  test('what the user makes in another chart counts, before and behind', () => {
    for (const reversed of [false, true]) {
      const [first, second] = charts(Testing.app(), 'here', 'here');
      new k8s.KubeConfigMap(reversed ? second : first, 'Mine', { metadata: { name: 'settings' } });
      part(reversed ? first : second, 'Part', [k8s.KubeConfigMap, 'other'], [k8s.KubeConfigMap, 'settings']);
      const [part_, mine, makes] = reversed ? ['chart0', 'chart1', 'too'] : ['chart1', 'chart0', 'already'];
      expect(faults(first)).toEqual([`[${part_}/Part] name: got ConfigMap "settings" in namespace "here", which [${mine}/Mine] makes ${makes}. ${RULE} Fix: choose another.`]);
    }
  });

  test('apps are apart', () => {
    const all = [0, 1].flatMap(() => charts(Testing.app(), 'here'));
    for (const chart of all) part(chart, 'Part', [k8s.KubeConfigMap, 'settings']);
    expect(all.flatMap(faults)).toEqual([]);
  });

  test('what two of the user have in common is his own', () => {
    const [first, second] = charts(Testing.app(), 'here', 'here');
    for (const chart of [first, second]) new k8s.KubeConfigMap(chart, 'Mine', { metadata: { name: 'settings' } });
    part(first, 'Part', [k8s.KubeConfigMap, 'other']);
    expect(faults(first)).toEqual([]);
  });
});

test('one kind in two API groups is two kinds, and in two versions of a group is one', () => {
  const chart = Testing.chart();
  const service = (scope: Construct, id: string, apiVersion: string) => new ApiObject(scope, id, { apiVersion, kind: 'Service', metadata: { name: 'mlflow' } });
  service(chart, 'Core', 'v1');
  const own = new Construct(chart, 'Part');
  service(own, 'Knative', 'serving.knative.dev/v1');
  rejectTakenNames(own, 'name', 'choose another');
  expect(faults(chart)).toEqual([]);
  service(chart, 'Older', 'serving.knative.dev/v1beta1');
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Part\] name: got Service "mlflow" .+ which \[test\/Older\] makes too\./)]);
});

describe('between two synths of one app', () => {
  test('what is added is seen, whoever is asked first', () => {
    const app = Testing.app();
    const [first, second] = ['first', 'second'].map((id) => new Chart(app, id));
    part(second, 'Part', [k8s.KubeConfigMap, 'settings']);
    expect(faults(second)).toEqual([]);
    part(first, 'New', [k8s.KubeConfigMap, 'settings']);
    expect(faults(second)).toEqual([expect.stringMatching(/^\[second\/Part\] .+ which \[first\/New\/Object0\]/)]);
    new k8s.KubeSecret(first, 'Mine', { metadata: { name: 'x' } });
    part(second, 'Another', [k8s.KubeSecret, 'x']);
    expect(faults(second).map((text) => text.split(' ')[0])).toEqual(['[second/Part]', '[second/Another]']);
  });

  test('what is taken away is gone', () => {
    const chart = Testing.chart();
    new k8s.KubeConfigMap(chart, 'Mine', { metadata: { name: 'settings' } });
    part(chart, 'Part', [k8s.KubeConfigMap, 'settings']);
    expect(faults(chart)).toHaveLength(1);
    chart.node.tryRemoveChild('Mine');
    expect(faults(chart)).toEqual([]);
  });
});

test('a pass looks at each construct of the app a few times, however many ask', () => {
  const app = Testing.app();
  let looks = 0;
  const many = 40;
  for (let index = 0; index < many; index++) {
    const chart = new Chart(app, `chart${index}`, { namespace: `team-${index}` });
    const construct = part(chart, 'Part', [k8s.KubeConfigMap, 'a'], [k8s.KubeSecret, 'b']);
    rejectSharedSelector(construct, 'a', `team-${index}`, { a: 'b' });
    const children = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(chart.node), 'children')!.get!;
    Object.defineProperty(chart.node, 'children', { get: () => (looks++, children.call(chart.node) as unknown) });
  }
  for (const construct of app.node.findAll()) construct.node.validate();
  expect(looks).toBeLessThanOrEqual(3 * many);
});

test('two stores of the same name', () => {
  const chart = Testing.chart();
  new Minio(chart, 'First');
  new Minio(chart, 'Second');
  expect(faults(chart)).toEqual([
    '[test/Second] name: got Secret "minio-root" in namespace "mlflow", Secret "minio-user" in namespace "mlflow", ' +
      'Service "minio" in namespace "mlflow", Service "minio-headless" in namespace "mlflow", StatefulSet "minio" in namespace "mlflow", ServiceAccount "minio-bootstrap" in namespace "mlflow", ' +
      'Role "minio-bootstrap" in namespace "mlflow", RoleBinding "minio-bootstrap" in namespace "mlflow", ' +
      'ConfigMap "minio-bootstrap" in namespace "mlflow", Job "minio-bootstrap" in namespace "mlflow", ' +
      'NetworkPolicy "minio-bootstrap" in namespace "mlflow", NetworkPolicy "minio" in namespace "mlflow", ' +
      `which [test/First/Root/Secret] makes already. ${RULE} Fix: give each store of the namespace, or each stack, its own name.`,
  ]);
});

test('two stores of different kinds with the same name', () => {
  const chart = Testing.chart();
  new Minio(chart, 'Files', { name: 'store' });
  new Postgres(chart, 'Database', { name: 'store' });
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Database\] name: got Secret "store-user" .+ Service "store" .+ Fix: .+\.$/)]);
});

test('two tracking servers of the same name', () => {
  const chart = Testing.chart();
  new TrackingServer(chart, 'First', stores);
  new TrackingServer(chart, 'Second', stores);
  expect(faults(chart)).toEqual([
    '[test/Second] name: got ConfigMap "mlflow-startup-script" in namespace "mlflow", Deployment "mlflow" in namespace "mlflow", ' +
      'Service "mlflow-service" in namespace "mlflow", Service "mlflow-server" in namespace "mlflow", NetworkPolicy "mlflow" in namespace "mlflow", ' +
      'ConfigMap "mlflow-transfer" in namespace "mlflow", ConfigMap "mlflow-transfer-info" in namespace "mlflow", ConfigMap "mlflow-layers" in namespace "mlflow", ConfigMap "mlflow-guard" in namespace "mlflow", ' +
      'ConfigMap "mlflow-preflight" in namespace "mlflow", ConfigMap "mlflow-preflight-relocate" in namespace "mlflow", ' +
      'Deployment "mlflow-monitor" in namespace "mlflow", Service "mlflow-monitor" in namespace "mlflow", NetworkPolicy "mlflow-monitor" in namespace "mlflow", ' +
      'Secret "mlflow-server-secrets" in namespace "mlflow", ServiceAccount "mlflow-secrets" in namespace "mlflow", Role "mlflow-secrets" in namespace "mlflow", ' +
      'RoleBinding "mlflow-secrets" in namespace "mlflow", Job "mlflow-secrets" in namespace "mlflow", NetworkPolicy "mlflow-secrets" in namespace "mlflow", ' +
      `which [test/First/StartupScript/ConfigMap] makes already. ${RULE} Fix: give each tracking server of the namespace, or each stack, its own name.`,
  ]);
});

test.each([
  ['runs', 'runs-monitor'],
  ['runs-monitor', 'runs'],
])('tracking server %s before tracking server %s: the monitor of one has the name of the other', (first, second) => {
  const chart = Testing.chart();
  new TrackingServer(chart, 'First', { ...stores, name: first });
  new TrackingServer(chart, 'Second', { ...stores, name: second });
  expect(faults(chart)).toEqual([
    expect.stringMatching(/^\[test\/Second\] name: got Deployment "runs-monitor" in namespace "mlflow", NetworkPolicy "runs-monitor" in namespace "mlflow", which \[test\/First\/.+\] makes already\. Rule: .+ Fix: .+\.$/),
  ]);
});

test('two stacks that both make their Namespace', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'First', { name: 'one' });
  new MlflowStack(chart, 'Second', { name: 'two' });
  expect(faults(chart)).toEqual([
    '[test/Second--Namespace] createNamespace: got Namespace "mlflow", which [test/First--Namespace] makes already. ' +
      `${RULE} Fix: let one stack of the namespace make it, and pass createNamespace: false to the others.`,
  ]);
});

test('two startup scripts of the same name', () => {
  const chart = Testing.chart();
  new TrackingServer(chart, 'First', { ...stores, name: 'one', startupScript: new StartupScript(chart, 'Script') });
  new TrackingServer(chart, 'Second', { ...stores, name: 'two', startupScript: new StartupScript(chart, 'OtherScript', { content: 'pass' }) });
  expect(faults(chart)).toContainEqual(expect.stringContaining('ConfigMap "mlflow-startup-script" in namespace "mlflow"'));
});

test('credentials with the name of a Secret that a store makes, whichever stands first', () => {
  const before = Testing.chart();
  new Credentials(before, 'Keys', { secretName: 'minio-root' });
  new Minio(before, 'Minio');
  expect(faults(before)).toContainEqual(expect.stringContaining('Secret "minio-root" in namespace "mlflow"'));

  const after = Testing.chart();
  new Minio(after, 'Minio');
  new Credentials(after, 'Keys', { secretName: 'minio-root' });
  expect(faults(after)).toContainEqual(expect.stringContaining('Secret "minio-root" in namespace "mlflow"'));
});

describe('selectors', () => {
  const fault = (path: string, other: string, instance: string) =>
    `[${path}] instance: got "${instance}", which [${other}] has in namespace "mlflow" too. ` +
    'Rule: the selector of a Service is made of it, and the Service of each would send its requests to the pods of both ' +
    '(https://kubernetes.io/docs/concepts/services-networking/service/). Fix: leave instance out, or give each its own.';

  test.each<[string, (chart: Chart, id: string, name: string, instance?: string, namespace?: string) => Construct]>([
    ['Postgres', (chart, id, name, instance, namespace) => new Postgres(chart, id, { name, instance, namespace })],
    ['Minio', (chart, id, name, instance, namespace) => new Minio(chart, id, { name, instance, namespace })],
  ])('two %s of one instance are a fault, unless their namespaces differ', (_, make) => {
    const chart = new Chart(Testing.app(), 'chart');
    make(chart, 'First', 'a', 'shared');
    make(chart, 'Second', 'b', 'shared');
    make(chart, 'Third', 'c');
    make(chart, 'Fourth', 'd', 'shared', 'elsewhere');
    expect(faults(chart)).toEqual([fault('chart/Second', 'chart/First', 'shared')]);
  });

  test('the default of one may be what another was given', () => {
    const chart = new Chart(Testing.app(), 'chart');
    new Postgres(chart, 'First', { name: 'db' });
    new Postgres(chart, 'Second', { name: 'other', instance: 'db' });
    expect(faults(chart)).toEqual([fault('chart/Second', 'chart/First', 'db')]);
  });

  test('of one namespace, in two charts of one app', () => {
    const app = Testing.app();
    for (const [id, namespace] of [['one', 'team'], ['two', 'team'], ['three', 'other']]) {
      const construct = new Construct(new Chart(app, id), 'Part');
      rejectSharedSelector(construct, id, namespace, { 'app.kubernetes.io/instance': 'shared' });
    }
    expect(faults(app.charts[0])).toEqual([expect.stringMatching(/^\[two\/Part\] instance: got "shared", which \[one\/Part\] has in namespace "team" too\./)]);
  });

  test('a Postgres and a Minio of one instance have different selectors', () => {
    const chart = new Chart(Testing.app(), 'chart');
    new Postgres(chart, 'BackendStore', { instance: 'mlflow' });
    new Minio(chart, 'ArtifactStore', { instance: 'mlflow' });
    expect(faults(chart)).toEqual([]);
  });

  test('of parts with the same name only the name is told', () => {
    const chart = new Chart(Testing.app(), 'chart');
    new Postgres(chart, 'First', { instance: 'mlflow' });
    new Postgres(chart, 'Second', { instance: 'mlflow' });
    expect(faults(chart).filter((text) => text.includes('] instance:'))).toEqual([]);
    expect(faults(chart).length).toBeGreaterThan(0);
  });
});
