import { ApiObject, JsonPatch, Lazy, Testing } from 'cdk8s';
import { MlflowStack } from '../../lib';
import { ContentNamedJob, Deployment, StatefulSet } from '../../lib/kube/objects';
import { volumeClaim } from '../../lib/kube/pod';
import { get } from '../helpers';
import { k8s } from '../../imports/k8s';

const POD = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x:1' }] } };

function deployment() {
  const chart = Testing.chart();
  const object = new Deployment(chart, 'Object', { metadata: { name: 'x' }, spec: { selector: { matchLabels: { app: 'x' } }, template: POD } });
  const patch = (...operations: JsonPatch[]) => {
    object.addJsonPatch(...operations);
    return get(Testing.synth(chart), 'Deployment', 'x');
  };
  return { object, patch };
}

describe('a JSON patch', () => {
  test('keeps fields that this version of Kubernetes does not have', () => {
    const pod = deployment().patch(
      JsonPatch.add('/spec/template/spec/fieldOfTheFuture', { nested: [1, null] }),
      JsonPatch.add('/spec/template/spec/containers/0/anotherOne', true),
    ).spec.template.spec;
    expect(pod).toEqual({ containers: [{ name: 'x', image: 'x:1', anotherOne: true }], fieldOfTheFuture: { nested: [1, null] } });
  });

  test('sees what the patches before it did, in one call or in several', () => {
    const { object, patch } = deployment();
    object.addJsonPatch(JsonPatch.add('/metadata/annotations', {}));
    const { metadata } = patch(JsonPatch.add('/metadata/annotations/example.com~1team', 'a'), JsonPatch.copy('/metadata/name', '/metadata/annotations/copy'));
    expect(metadata.annotations).toEqual({ 'example.com/team': 'a', copy: 'x' });
  });

  test('is applied once a synth', () => {
    const { object, patch } = deployment();
    const operation = JsonPatch.add('/spec/template/spec/containers/-', { name: 'y', image: 'y:1' });
    expect(patch(operation).spec.template.spec.containers).toHaveLength(2);
    expect((object.toJson() as typeof POD & { spec: { template: typeof POD } }).spec.template.spec.containers).toHaveLength(2);
  });

  test.each([
    [JsonPatch.replace('/spec/template/spec/container/0/image', 'y:1'), 'replace "/spec/template/spec/container/0/image"', '/spec/template/spec has containers, and no "container"'],
    [JsonPatch.remove('/metadata/labels/app~1x'), 'remove "/metadata/labels/app~1x"', '/metadata has name, and no "labels"'],
    [JsonPatch.remove('/nowhere/at/all'), 'remove "/nowhere/at/all"', 'the object has apiVersion, kind, metadata, spec, and no "nowhere"'],
    [JsonPatch.test('/metadata/name', 'y'), 'test "/metadata/name"', 'pass an operation that fits the value at this path'],
  ])('that does not fit names the object, the operation and what is there: %#', (operation, got, fix) => {
    const { patch } = deployment();
    const message = /^\[test\/Object\] JSON patch: got (.*) for Deployment "x"\. Rule: [^\n]+ \(https:\/\/[^\n]+\)\. Fix: ([^\n]*)\.$/;
    let thrown = '';
    try {
      patch(operation);
    } catch (error) {
      thrown = (error as Error).message;
    }
    expect(message.exec(thrown)?.slice(1)).toEqual([got, fix]);
  });
});

test('every object of the stack keeps a patch that its type does not know', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack');
  const objects = chart.node.findAll().filter((construct): construct is ApiObject => ApiObject.isApiObject(construct));
  for (const object of objects) object.addJsonPatch(JsonPatch.add('/fieldOfTheFuture', object.node.path));
  expect(objects.length).toBeGreaterThan(20);
  expect(Testing.synth(chart).map((object) => object.fieldOfTheFuture).sort()).toEqual(objects.map((object) => object.node.path).sort());
});

describe('StatefulSet', () => {
  function claims(storageClassName?: string, ...patches: JsonPatch[]) {
    const chart = Testing.chart();
    const statefulSet = new StatefulSet(chart, 'StatefulSet', {
      metadata: { name: 'store' },
      spec: {
        serviceName: 'store',
        selector: { matchLabels: { app: 'store' } },
        template: { metadata: { labels: { app: 'store' } } },
        volumeClaimTemplates: [volumeClaim('data', { app: 'store' }, '10Gi', storageClassName)],
      },
    });
    statefulSet.addJsonPatch(...patches);
    return get(Testing.synth(chart), 'StatefulSet', 'store').spec.volumeClaimTemplates;
  }

  test('its claim has what the API server would add to it', () => {
    expect(claims()).toEqual([
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data', labels: { app: 'store' } },
        spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem', resources: { requests: { storage: '10Gi' } } },
        status: { phase: 'Pending' },
      },
    ]);
  });

  test('its claim names a storage class where one is given', () => {
    expect(claims('fast')[0].spec.storageClassName).toBe('fast');
  });

  test('a patch changes the claim', () => {
    const [claim] = claims(undefined, JsonPatch.replace('/spec/volumeClaimTemplates/0/spec/accessModes/0', 'ReadWriteOncePod'));
    expect(claim).toMatchObject({ apiVersion: 'v1', spec: { accessModes: ['ReadWriteOncePod'] }, status: { phase: 'Pending' } });
  });

  test('a patch can take the claim away', () => {
    expect(claims(undefined, JsonPatch.remove('/spec/volumeClaimTemplates'))).toBeUndefined();
  });
});

describe('ContentNamedJob', () => {
  function job() {
    const chart = Testing.chart();
    const object = new ContentNamedJob(chart, 'Job', { metadata: { name: 'bootstrap' }, spec: { template: { spec: POD.spec } } });
    return { chart, object, inYaml: () => Testing.synth(chart).filter(({ kind }) => kind === 'Job')[0].metadata.name as string };
  }

  test('its name is that in the YAML', () => {
    const { object, inYaml } = job();
    expect(object.name).toMatch(/^bootstrap-[0-9a-f]{10}$/);
    expect([object.name, object.metadata.name]).toEqual([inYaml(), inYaml()]);
  });

  test.each([
    ['the spec', JsonPatch.add('/spec/backoffLimit', 3)],
    ['the name', JsonPatch.replace('/metadata/name', 'other')],
  ])('its name is that in the YAML after a patch of %s', (_, operation) => {
    const { object, inYaml } = job();
    const before = object.name;
    object.addJsonPatch(operation);
    expect(object.name).not.toBe(before);
    expect([object.name, object.metadata.name]).toEqual([inYaml(), inYaml()]);
  });

  test('another object can have its name, and depend on it', () => {
    const { chart, object, inYaml } = job();
    const after = new k8s.KubeConfigMap(chart, 'After', { metadata: { name: 'after' }, data: { job: Lazy.any({ produce: () => object.name }) as string } });
    const before = new k8s.KubeConfigMap(chart, 'Before', { metadata: { name: 'before' } });
    after.addDependency(object);
    object.addDependency(before);
    object.addJsonPatch(JsonPatch.add('/spec/backoffLimit', 3));
    const objects = Testing.synth(chart);
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(['before', inYaml(), 'after']);
    expect(objects[2].data.job).toBe(inYaml());
  });

  test('a patch that does not fit is told where the name is read', () => {
    const { object } = job();
    object.addJsonPatch(JsonPatch.remove('/nowhere/at/all'));
    expect(() => object.name).toThrow('[test/Job] JSON patch: got remove "/nowhere/at/all" for Job "bootstrap".');
    expect(() => object.metadata.name).toThrow('[test/Job]');
  });
});
