import { Size, Testing } from 'cdk8s';
import { Container, EnvValue } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { BasicAuth, GarbageCollection } from '../../lib';
import { ImageSource } from '../../lib/kube/image-source';
import { PodSettings } from '../../lib/kube/pod-settings';
import { PropChecks } from '../../lib/validation/prop-checks';
import { AddOns, mlflow, synth, told, wrong } from '../tracking-server/server';
import { containers, faults, get, workloads } from '../helpers';
import { k8s } from '../../imports/k8s';

const SELECTOR = { matchLabels: { 'app.kubernetes.io/name': 'mlflow', 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': 'tracking-server' } };
/** A server with something that each kind of pod belongs to. */
const FULL = { replicas: 2 };
const login: AddOns = (server, scope) => new BasicAuth(scope, 'Login', { server });
const collection: AddOns = (server, scope) => new GarbageCollection(scope, 'GarbageCollection', { server });
const both: AddOns = (...given) => [login(...given), collection(...given)];
const podOf = (pod: object, props: object = {}) => get(synth({ pod, ...props }), 'Deployment', 'mlflow').spec.template.spec;

describe('the place of the pods', () => {
  const pod = {
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }],
    priorityClassName: 'business-critical',
  };

  test('is that of all pods: server, monitor and Job', () => {
    const all = workloads(synth({ ...FULL, pod }, login));
    expect(all.map(({ kind }) => kind).sort()).toEqual(['Deployment', 'Deployment', 'Job']);
    for (const { spec } of all) expect(spec.template.spec).toMatchObject(pod);
  });

  test('leaves nothing where nothing is said', () => {
    for (const { spec } of workloads(synth(FULL, login)).filter(({ metadata }) => metadata.name !== 'mlflow')) {
      for (const field of ['nodeSelector', 'tolerations', 'affinity', 'priorityClassName', 'topologySpreadConstraints', 'imagePullSecrets', 'initContainers']) expect(spec.template.spec).not.toHaveProperty(field);
    }
    expect(podOf({})).not.toHaveProperty('affinity');
  });

  test('several pods run on different nodes if they can, unless the user says how', () => {
    const apart = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: SELECTOR } }] };
    expect(podOf({}, { replicas: 2 }).affinity).toEqual({ podAntiAffinity: apart });
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'Exists' }] }] } };
    expect(podOf({ affinity: { nodeAffinity } }, { replicas: 2 }).affinity).toEqual({ nodeAffinity, podAntiAffinity: apart });
    const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] };
    expect(podOf({ affinity: { podAntiAffinity } }, { replicas: 2 }).affinity).toEqual({ podAntiAffinity });
    expect(podOf({ affinity: { nodeAffinity } }).affinity).toEqual({ nodeAffinity });
  });

  test('topologySpread counts the pods of the server, and no others', () => {
    const objects = synth({ ...FULL, pod: { topologySpread: [{ topologyKey: 'topology.kubernetes.io/zone' }, { topologyKey: 'kubernetes.io/hostname', maxSkew: 2, required: true }] } }, login);
    expect(get(objects, 'Deployment', 'mlflow').spec.template.spec.topologySpreadConstraints).toEqual([
      { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', labelSelector: SELECTOR },
      { topologyKey: 'kubernetes.io/hostname', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule', labelSelector: SELECTOR },
    ]);
    expect(get(objects, 'Deployment', 'mlflow-monitor').spec.template.spec).not.toHaveProperty('topologySpreadConstraints');
  });
});

test('bootstrapResources are those of all Jobs, field by field over the defaults', () => {
  const objects = synth({ pod: { bootstrapResources: { cpuRequest: '100m', memoryRequest: Size.mebibytes(128) } } }, login);
  for (const { resources } of containers(get(objects, 'Job', 'mlflow-secrets'))) {
    expect(resources).toEqual({ requests: { cpu: '100m', memory: '128Mi', 'ephemeral-storage': '64Mi' }, limits: { cpu: '500m', memory: '256Mi', 'ephemeral-storage': '256Mi' } });
  }
  expect(wrong({ pod: { bootstrapResources: { cpuRequest: '1' } } })).toEqual([told('pod.bootstrapResources.cpuRequest', '"1"', 'a request is not above its limit', 'raise pod.bootstrapResources.cpuLimit')]);
});

describe('labels and annotations', () => {
  test('are those of all pods, beside those of the construct', () => {
    const objects = synth({ ...FULL, pod: { labels: { team: 'vision' }, annotations: { 'example.com/scan': 'true' } } }, login);
    for (const { spec } of workloads(objects)) {
      expect(spec.template.metadata.labels).toMatchObject({ team: 'vision', 'app.kubernetes.io/instance': 'mlflow' });
      expect(spec.template.metadata.annotations).toMatchObject({ 'example.com/scan': 'true' });
    }
    expect(get(objects, 'Deployment', 'mlflow').metadata.labels).not.toHaveProperty('team');
    expect(get(objects, 'Deployment', 'mlflow').spec.selector).toEqual(SELECTOR);
  });

  test('that replace the pods when a script changes stay', () => {
    const { annotations } = get(synth({ pod: { annotations: { 'checksum/startup-script': 'mine' } } }), 'Deployment', 'mlflow').spec.template.metadata;
    expect(annotations['checksum/startup-script']).toMatch(/^[0-9a-f]{10}$/);
  });

  test.each(['name', 'instance', 'component', 'part-of', 'managed-by', 'version'])('the label app.kubernetes.io/%s is the construct\'s, and told once', (label) => {
    const key = `app.kubernetes.io/${label}`;
    expect(wrong({ ...FULL, pod: { labels: { [key]: 'mine' } } }, both)).toEqual([told(`pod.labels["${key}"]`, '"mine"', 'the construct sets this label', 'example.com/team')]);
  });
});

describe('what a server has besides', () => {
  const volumes = [{ name: 'ca', configMap: { name: 'ca' } }];
  const volumeMounts = [{ name: 'ca', mountPath: '/etc/ca' }];

  test('volumes and mounts stand behind its own, in the container of the server', () => {
    const pod = { volumes, volumeMounts, sidecars: [{ name: 'log', image: 'log:1' }] };
    expect(podOf(pod).volumes).toEqual([...podOf({}).volumes, ...volumes]);
    expect(mlflow({ pod }).volumeMounts).toEqual([...mlflow().volumeMounts, ...volumeMounts]);
    const [, log] = podOf(pod).containers;
    expect(log).not.toHaveProperty('volumeMounts');
  });

  test('a volume of the pod may be mounted at another path', () => {
    expect(wrong({ pod: { volumeMounts: [{ name: 'tmp', mountPath: '/work' }] } })).toEqual([]);
  });

  test('initContainers and sidecars pass the Pod Security Standard by themselves', () => {
    const { initContainers, containers: [first, log] } = podOf({ initContainers: [{ name: 'wait', image: 'wait:1' }], sidecars: [{ name: 'log', image: 'log:1', args: ['-f'] }] });
    const security = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true };
    expect(initContainers).toEqual([{ name: 'wait', image: 'wait:1', imagePullPolicy: 'IfNotPresent', securityContext: security }]);
    expect(first.name).toBe('mlflow');
    expect(log).toEqual({ name: 'log', image: 'log:1', args: ['-f'], imagePullPolicy: 'IfNotPresent', securityContext: security });
  });

  test('monitor and Jobs do not have them', () => {
    const objects = synth({ ...FULL, pod: { volumes, volumeMounts, initContainers: [{ name: 'wait', image: 'wait:1' }], sidecars: [{ name: 'log', image: 'log:1' }] } }, login);
    for (const workload of workloads(objects).filter(({ metadata }) => metadata.name !== 'mlflow')) {
      expect(containers(workload)).toHaveLength(1);
      expect(JSON.stringify(workload.spec.template.spec.volumes)).not.toContain('"ca"');
    }
  });

  test('what they say of security is kept, where it passes', () => {
    const [, log] = podOf({ sidecars: [{ name: 'log', image: 'log:1', imagePullPolicy: 'Always', securityContext: { runAsUser: 5000, readOnlyRootFilesystem: false, capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } } }] }).containers;
    expect(log.imagePullPolicy).toBe('Always');
    expect(log.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] }, readOnlyRootFilesystem: false, runAsUser: 5000 });
  });

  test('their images come from where all images come from', () => {
    const { spec } = get(synth({ images: { registry: 'r.example.com', digests: { 'docker.io/log:1': `sha256:${'a'.repeat(64)}` } }, pod: { sidecars: [{ name: 'log', image: 'docker.io/log:1' }] } }), 'Deployment', 'mlflow').spec.template;
    expect(spec.containers[1].image).toBe(`r.example.com/log:1@sha256:${'a'.repeat(64)}`);
  });

  describe.each(['initContainers', 'sidecars'])('%s that do not pass', (list) => {
    const on = (container: object) => wrong({ pod: { [list]: [{ name: 'log', image: 'log:1', ...container }] } });

    test.each<[object, string]>([
      [{ runAsUser: 0 }, 'runAsUser 0'],
      [{ runAsNonRoot: false }, 'runAsNonRoot false'],
      [{ privileged: true }, 'privileged true'],
      [{ allowPrivilegeEscalation: true }, 'allowPrivilegeEscalation true'],
      [{ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } }, 'capabilities.add NET_ADMIN'],
      [{ capabilities: { add: ['NET_BIND_SERVICE'] } }, 'capabilities without drop ALL'],
      [{ capabilities: { drop: ['NET_RAW'] } }, 'capabilities without drop ALL'],
      [{ seccompProfile: { type: 'Unconfined' } }, 'seccompProfile Unconfined'],
      [{ procMount: 'Unmasked' }, 'procMount Unmasked'],
    ])('%j', (securityContext, got) => {
      expect(on({ securityContext })).toEqual([told(`pod.${list}[0].securityContext`, `"${got}"`, 'the pods of this library pass the Pod Security Standard restricted', 'leave it out')]);
    });

    test('a port of the node', () => {
      expect(on({ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] })).toEqual([told(`pod.${list}[0].ports`, '"hostPort"', 'restricted', 'leave hostPort out')]);
      expect(on({ ports: [{ containerPort: 80 }] })).toEqual([]);
    });

    test('an image that is none', () => {
      expect(on({ image: 'log' })).toEqual([told(`pod.${list}[0].image`, '"log"', 'an image names a tag or a digest', '')]);
      expect(on({ image: undefined })).toEqual([told(`pod.${list}[0].image`, 'undefined', 'an image is', '')]);
    });

    test('a Container of cdk8s-plus, of which the message says what to pass instead', () => {
      const container = new Container({ name: 'proxy', image: 'proxy:1', envVariables: { A: EnvValue.fromValue('a') } });
      expect(wrong({ pod: { [list]: [container] } })).toEqual([told(`pod.${list}[0]`, '"a Container of cdk8s-plus"', 'a container is one of the API of Kubernetes', '{ name: "proxy", image: "registry.example.com/proxy:1.0"')]);
    });

    test.each(['mlflow', undefined])('the name %s', (name) => {
      expect(on({ name })).toEqual([told(`pod.${list}[0]`, name === undefined ? 'undefined' : '"mlflow"', 'a name of its own', 'pass another name')]);
    });
  });
});

describe('faults', () => {
  test.each<[object, string, string, string, string]>([
    [{ volumes: [{ name: 'tmp', emptyDir: {} }] }, 'volumes[0]', '"tmp"', 'a name of its own', 'pass another name'],
    [{ volumes: [{ name: 'a', emptyDir: {} }, { name: 'a', emptyDir: {} }] }, 'volumes[1]', '"a"', 'a name of its own', 'pass another name'],
    [{ volumes: [{ emptyDir: {} }] }, 'volumes[0]', 'undefined', 'a name of its own', 'pass another name'],
    [{ volumes: [{ name: 'host', hostPath: { path: '/' } }] }, 'volumes[0]', '"hostPath"', 'Pod Security Standard restricted', 'persistentVolumeClaim'],
    [{ volumes: [{ name: 'share', nfs: { server: 'a', path: '/' } }] }, 'volumes[0]', '"nfs"', 'Pod Security Standard restricted', 'persistentVolumeClaim'],
    [{ volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] }, 'volumeMounts[0]', '"/tmp"', 'a path of its own', 'pass another mountPath'],
    [{ volumeMounts: [{ name: 'ca', mountPath: '/ca' }] }, 'volumeMounts[0]', '"ca"', 'the pod has no volume of this name', 'pass it in pod.volumes'],
    [{ sidecars: [{ name: 'a', image: 'a:1' }], initContainers: [{ name: 'a', image: 'a:1' }] }, 'sidecars[0]', '"a"', 'a name of its own', 'pass another name'],
    [{ labels: { 'no spaces': 'a' } }, 'labels', '{"no spaces":"a"}', 'labels are an object', 'vision'],
    [{ annotations: { a: 1 } }, 'annotations["a"]', '1', 'a text as value', 'in quotes'],
    [{ annotations: 'a' }, 'annotations', 'a string', 'it is an object', ''],
    [{ nodeSelector: { disk: true } }, 'nodeSelector', '{"disk":true}', 'labels are an object', ''],
    [{ tolerations: {} }, 'tolerations', 'an object with nothing in it', 'it is a list', ''],
    [{ tolerations: ['gpu'] }, 'tolerations[0]', 'a string', 'a list of tolerations', '{ key: "gpu", operator: "Exists" }'],
    [{ affinity: [] }, 'affinity', 'a list of 0', 'it is an object', ''],
    [{ topologySpread: [{}] }, 'topologySpread[0].topologyKey', 'undefined', 'the label of the nodes has to be given', 'kubernetes.io/hostname'],
    [{ topologySpread: [{ topologyKey: 'a', maxSkew: 0 }] }, 'topologySpread[0].maxSkew', '0', 'the difference is a whole number of 1 or more', ''],
    [{ topologySpread: [{ topologyKey: 'a', required: 'yes' }] }, 'topologySpread[0].required', '"yes"', 'true or false', ''],
    [{ topologySpread: [{ topologyKey: 'a', whenUnsatisfiable: 'x' }] }, 'topologySpread[0].whenUnsatisfiable', 'a string', 'there is no prop of this name', 'required'],
    [{ topologySpread: ['zone'] }, 'topologySpread[0]', 'a string', 'a list of spreads', 'kubernetes.io/hostname'],
    [{ priorityClassName: 'Very High' }, 'priorityClassName', '"Very High"', 'RFC 1123 subdomain', 'very-high'],
    [{ sidecar: [] }, 'sidecar', 'a list of 0', 'there is no prop of this name', 'did you mean pod.sidecars?'],
  ])('pod: %j', (pod, prop, got, rule, fix) => {
    expect(wrong({ pod })).toEqual([told(`pod.${prop}`, got, rule, fix)]);
  });

  test('stand behind the name of the prop', () => {
    const chart = Testing.chart();
    const checks = new PropChecks(new Construct(chart, 'Part'));
    new PodSettings(checks, { priorityClassName: 'A b' }, new ImageSource(checks, {}), 'server.pod').complete({ containers: [{ name: 'a', image: 'a:1' } as k8s.Container] });
    expect(faults(chart)).toEqual([told('server.pod.priorityClassName', '"A b"', 'RFC 1123 subdomain', '', 'Part')]);
  });
});
