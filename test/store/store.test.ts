import { Chart, Size, Testing } from 'cdk8s';
import * as plus from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { Credentials, ICredentials, Minio, Postgres, StoreOptions } from '../../lib';
import { Connections } from '../../lib/kube/connections';
import { PropChecks } from '../../lib/validation/prop-checks';
import { STORE_RESOURCES, STORE_SIZE, checkSecretNamespaces, storeName, withoutSecrets } from '../../lib/store/store';
import { containers, faults, get, workloads } from '../helpers';

test('the documented defaults', () => {
  expect(STORE_SIZE.toGibibytes()).toBe(10);
  expect(STORE_RESOURCES).toEqual({
    cpuRequest: '100m',
    cpuLimit: '1',
    memoryRequest: Size.mebibytes(256),
    memoryLimit: Size.gibibytes(1),
  });
});

test('a name leaves room for that of the bootstrap Job', () => {
  const chart = Testing.chart();
  const checks = new PropChecks(new Construct(chart, 'Part'));
  expect(storeName(checks, 'a'.repeat(42))).toHaveLength(42);
  expect(faults(chart)).toEqual([]);
  storeName(checks, 'a'.repeat(43));
  expect(faults(chart)).toEqual([
    `[test/Part] name: got "${'a'.repeat(43)}". Rule: a name is an RFC 1123 label that begins with a letter: lower-case letters, digits and hyphens, ` +
      'no hyphen at the end, at most 42 characters so that the names derived from it stay within 63 ' +
      `(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). Fix: pass a name such as "${'a'.repeat(42)}".`,
  ]);
});

describe('checkSecretNamespaces', () => {
  const secret = (namespace: string): ICredentials => ({
    secretName: 'keys',
    namespace,
    usernameKey: 'username',
    passwordKey: 'password',
    generated: false,
  });

  test('Secrets of the same namespace are taken', () => {
    const chart = Testing.chart();
    checkSecretNamespaces(new PropChecks(new Construct(chart, 'Part')), 'here', { one: secret('here'), other: secret('here') });
    expect(faults(chart)).toEqual([]);
  });

  test('each Secret of another namespace is a fault', () => {
    const chart = Testing.chart();
    checkSecretNamespaces(new PropChecks(new Construct(chart, 'Part')), 'here', { one: secret('there'), other: secret('here'), third: secret('away') });
    const rest =
      'Rule: a pod reads Secrets of its own namespace only, here "here" (https://kubernetes.io/docs/concepts/configuration/secret/). ' +
      'Fix: pass credentials with namespace "here".';
    expect(faults(chart)).toEqual([
      `[test/Part] one: got "Secret \\"keys\\" in namespace \\"there\\"". ${rest}`,
      `[test/Part] third: got "Secret \\"keys\\" in namespace \\"away\\"". ${rest}`,
    ]);
  });
});

describe('withoutSecrets', () => {
  const inChart = (props: object) => {
    const chart = Testing.chart();
    const rest = withoutSecrets(new PropChecks(new Construct(chart, 'Part')), props as { one?: unknown; other?: unknown }, ['one', 'other']);
    return { rest, messages: faults(chart) };
  };

  test('a Secret of cdk8s-plus is a fault that says how to pass it, and is left out', () => {
    const one = plus.Secret.fromSecretName(Testing.chart(), 'Secret', 'keys');
    const { rest, messages } = inChart({ one, other: 5 });
    expect(rest).toEqual({ one: undefined, other: 5 });
    expect(messages).toEqual([
      expect.stringMatching(
        /^\[test\/Part\] one: got the construct "test\/Secret"\. Rule: credentials are a Secret and the keys .+\. Fix: pass Credentials\.fromSecret\(…\) with this object, or Credentials\.fromSecretName\(…\) with its name\.$/,
      ),
    ]);
  });

  test.each([[undefined], [null], [{}], [{ one: null }], [{ one: 'keys' }], [{ one: { secretName: 'keys', name: 'x' } }], [{ one: { name: 5 } }]])('%j is left as it is', (props) => {
    const { rest, messages } = inChart(props as object);
    expect(rest).toBe(props);
    expect(messages).toEqual([]);
  });
});

describe.each<[string, 'minio' | 'postgres', (scope: Construct, props?: StoreOptions & { name?: string }) => Minio | Postgres]>([
  ['Minio', 'minio', (scope, props) => new Minio(scope, 'Store', props)],
  ['Postgres', 'postgres', (scope, props) => new Postgres(scope, 'Store', props)],
])('the options of %s', (_, name, store) => {
  function synth(props?: StoreOptions) {
    const chart = Testing.chart();
    store(chart, props);
    return Testing.synth(chart);
  }

  test('storageSize and storageClassName', () => {
    const [claim] = get(synth({ storageSize: Size.tebibytes(2), storageClassName: 'fast-ssd' }), 'StatefulSet', name).spec.volumeClaimTemplates;
    expect(claim.spec.resources.requests.storage).toBe('2Ti');
    expect(claim.spec.storageClassName).toBe('fast-ssd');
  });

  test('without them the volume has 10 GiB of the default class', () => {
    const [claim] = get(synth(), 'StatefulSet', name).spec.volumeClaimTemplates;
    expect(claim.spec.resources.requests.storage).toBe('10Gi');
    expect(claim.spec).not.toHaveProperty('storageClassName');
  });

  test('resources', () => {
    const [server] = containers(get(synth({ resources: { cpuLimit: '4', memoryLimit: Size.gibibytes(8) } }), 'StatefulSet', name));
    expect(server.resources).toEqual({
      requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '4', memory: '8Gi', 'ephemeral-storage': '1Gi' },
    });
  });

  test('instance goes into the labels and selectors of all objects', () => {
    const objects = synth({ instance: 'team-a' });
    for (const object of objects) expect(object.metadata.labels['app.kubernetes.io/instance']).toBe('team-a');
    for (const { spec } of workloads(objects)) expect(spec.template.metadata.labels['app.kubernetes.io/instance']).toBe('team-a');
    expect(get(objects, 'Service', name).spec.selector['app.kubernetes.io/instance']).toBe('team-a');
  });

  test('bootstrapImage runs the containers that write Secrets, and no other', () => {
    const image = 'registry.example.com/python:3.14';
    const job = get(synth({ bootstrapImage: image }), 'Job', `${name}-bootstrap`);
    expect(containers(job).map((container) => [container.name, container.image === image])).toEqual([
      ['prepare', true],
      ['store', false],
      ['publish', true],
    ]);
  });

  test('namespace', () => {
    for (const object of synth({ namespace: 'team-a' })) expect(object.metadata.namespace).toBe('team-a');
  });

  test('cluster: the names of hosts end in its domain', () => {
    const objects = synth({ cluster: { domain: 'k8s.example.com' } });
    expect(JSON.stringify(workloads(objects))).not.toContain('cluster.local');
    const chart = Testing.chart();
    const one = store(chart, { cluster: { domain: 'k8s.example.com' } });
    expect(one instanceof Postgres ? one.uri : one.endpointUrl).toContain(`${name}.mlflow.svc.k8s.example.com:`);
    expect(JSON.stringify(one.environment)).not.toContain('cluster.local');
  });

  test('the claims of the StatefulSet, for metrics', () => {
    const chart = Testing.chart();
    const one = store(chart, { name: 'data-of-a-team' } as StoreOptions);
    const { spec, metadata } = get(Testing.synth(chart), 'StatefulSet', 'data-of-a-team');
    expect(one.volumeClaims).toEqual(spec.volumeClaimTemplates.map((claim: { metadata: { name: string } }) => `${claim.metadata.name}-${metadata.name}-0`));
  });

  describe('connections', () => {
    const clients = (one: Minio | Postgres) => get(Testing.synth(Chart.of(one)), 'NetworkPolicy', name).spec.ingress[0].from;
    const job = { podSelector: { matchLabels: expect.objectContaining({ 'app.kubernetes.io/component': expect.stringMatching(/-bootstrap$/) }) } };
    const pods = { 'example.com/app': 'tracker' };

    test('nobody but the bootstrap Job is let in', () => {
      const one = store(Testing.chart());
      expect(clients(one)).toEqual([job]);
      expect(one.connections).toMatchObject({ podLabels: one.podLabels, ports: [one instanceof Postgres ? 5432 : 9000], isIsolated: true });
    });

    test('who is let in through a copy of the store is let in', () => {
      const one = store(Testing.chart());
      const copy: { connections?: Connections } = { ...one };
      copy.connections!.allowFromPods(pods);
      expect(clients(one)).toEqual([job, { podSelector: { matchLabels: pods } }]);
    });

    test('the clients and the connections of the prop networkPolicy', () => {
      const peer = { namespaceSelector: { matchLabels: { team: 'a' } } };
      const rule = { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] };
      const one = store(Testing.chart(), { networkPolicy: { clients: [peer], egress: [rule] } });
      expect(clients(one)).toEqual([job, peer]);
      for (const policy of [name, `${name}-bootstrap`]) {
        expect(get(Testing.synth(Chart.of(one)), 'NetworkPolicy', policy).spec.egress).toContainEqual(rule);
      }
    });

    test('the pods that use the store let out what it listens at', () => {
      const one = store(Testing.chart());
      expect(one.egress).toEqual([one.connections!.toThese]);
      expect(get(Testing.synth(Chart.of(one)), 'NetworkPolicy', `${name}-bootstrap`).spec.egress.at(-1).to).toEqual([{ podSelector: { matchLabels: one.podLabels } }]);
    });
  });

  test('a Secret of cdk8s-plus as credentials is a fault that says how to pass it', () => {
    const chart = Testing.chart();
    const secret = new plus.Secret(Testing.chart(), 'Secret');
    store(chart, { credentials: secret } as unknown as StoreOptions);
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Store\] credentials: got the construct "test\/Secret"\. .* Fix: pass Credentials\.fromSecret\(…\) with this object, or .*$/)]);
  });

  test('an empty storage class, which turns dynamic volumes off, is kept', () => {
    const [claim] = get(synth({ storageClassName: '' }), 'StatefulSet', name).spec.volumeClaimTemplates;
    expect(claim.spec.storageClassName).toBe('');
  });

  test.each<[keyof StoreOptions, unknown, string]>([
    ['storageSize', '10Gi', '"10Gi"'],
    ['storageSize', Size.gibibytes(0), '"0Gi"'],
    ['bootstrapImage', 'python', '"python"'],
    ['namespace', 'Team A', '"Team A"'],
    ['instance', 'Team A', '"Team A"'],
    ['instance', 'a'.repeat(64), `"${'a'.repeat(64)}"`],
    ['storageClassName', 'Fast SSD', '"Fast SSD"'],
  ])('%s cannot be %j', (prop, value, got) => {
    const chart = Testing.chart();
    store(chart, { [prop]: value });
    expect(faults(chart)).toContainEqual(expect.stringMatching(`^\\[test/Store\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`));
  });

  test('credentials of another namespace are a fault', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Keys', 'keys', { namespace: 'other' });
    store(chart, { credentials } as StoreOptions);
    expect(faults(chart)).toEqual([
      '[test/Store] credentials: got "Secret \\"keys\\" in namespace \\"other\\"". Rule: a pod reads Secrets of its own namespace only, here "mlflow" ' +
        '(https://kubernetes.io/docs/concepts/configuration/secret/). Fix: pass credentials with namespace "mlflow".',
    ]);
  });

  test('the longest name still makes names within 63 characters', () => {
    const chart = Testing.chart();
    store(chart, { name: 'a'.repeat(42) });
    const names: string[] = Testing.synth(chart).map((object) => object.metadata.name);
    expect(Math.max(...names.map((one) => one.length))).toBe(63);
  });
});
