import { Chart, Testing } from 'cdk8s';
import { Credentials, IpFamily, Login, Metrics, MlflowStack, MlflowStackProps, SplitTopology } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, containers, faults, get, ofKind, shape } from '../helpers';
import { told, valueOf } from '../tracking-server/server';

const addOn = new AddOn(SplitTopology, 'SplitTopology');
const named = (objects: Manifests, kind: string, name = 'mlflow-artifacts') => get(objects, kind, name);

function stack(props: MlflowStackProps = {}): Manifests {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { splitTopology: {}, ...props });
  return Testing.synth(chart);
}

function wrongStack(props: MlflowStackProps): string[] {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { splitTopology: {}, ...props });
  return faults(chart);
}

const router = (objects: Manifests) => containers(get(objects, 'Deployment', 'mlflow')).find(({ name }) => name === 'router')!;
const config = (objects: Manifests): string => get(objects, 'ConfigMap', 'mlflow-router').data['nginx.conf'];

test('there is none unless it is asked for, and the server listens where it did', () => {
  const chart = Testing.chart();
  expect(new MlflowStack(chart, 'Stack').splitTopology).toBeUndefined();
  const [server, ...others] = containers(get(Testing.synth(chart), 'Deployment', 'mlflow'));
  expect([server.ports, others]).toEqual([[{ name: 'http', containerPort: 5000 }], []]);
});

test('what it makes', () => {
  const mine = (object: Manifests[number]) => /-(artifacts|router)$/.test(object.metadata.name);
  expect(shape(addOn.synth()).filter(mine)).toMatchSnapshot();
  expect(config(addOn.synth())).toMatchSnapshot();
});

test('the Services keep their names and their pods, in which nginx has the port of the server', () => {
  const objects = stack();
  const [server] = containers(get(objects, 'Deployment', 'mlflow'));
  for (const name of ['mlflow-service', 'mlflow-server']) {
    const { selector, ports } = get(objects, 'Service', name).spec;
    expect([selector['app.kubernetes.io/component'], ports[0].port, ports[0].targetPort]).toEqual(['tracking-server', 5000, 'http']);
  }
  expect(router(objects).ports).toEqual([{ name: 'http', containerPort: 5000 }]);
  expect(server.ports).toEqual([{ name: 'mlflow', containerPort: 5001 }]);
  expect(server.args).toContain('--port=5001');
  expect([server.startupProbe.httpGet.port, server.readinessProbe.httpGet.port, server.livenessProbe.tcpSocket.port]).toEqual(['mlflow', 'mlflow', 'mlflow']);
  expect(config(objects)).toContain('server 127.0.0.1:5001 max_fails=0;');
});

test.each([
  [5000, 5001],
  [65535, 65534],
])('with port %d the process listens at %d, and an artifact server at the port of the server', (port, process) => {
  const objects = addOn.synth({}, { port });
  const args = (name: string) => containers(get(objects, 'Deployment', name))[0].args.filter((arg: string) => arg.startsWith('--port'));
  expect([args('mlflow'), args('mlflow-artifacts')]).toEqual([[`--port=${process}`], [`--port=${port}`]]);
  expect(named(objects, 'Service').spec.ports).toEqual([{ name: 'http', port, targetPort: 'http' }]);
});

describe('an artifact server', () => {
  test('has all that the server has, whatever is added to it and when: image, files, secrets, login, settings', () => {
    const { chart, server } = addOn.add();
    server.addVariable(chart, { name: 'LATE', value: 'yes' });
    server.addVolume(chart, { name: 'late', configMap: { name: 'late' } }, { name: 'late', mountPath: '/late' });
    server.addPodAnnotation(chart, 'late', 'yes');
    const objects = Testing.synth(chart);
    const [one, other] = ['mlflow', 'mlflow-artifacts'].map((name) => get(objects, 'Deployment', name).spec.template);
    const [a, b] = [one, other].map(({ spec }) => spec.containers[0]);
    expect(b.env).toEqual(a.env);
    expect(b.env).toContainEqual({ name: 'LATE', value: 'yes' });
    expect({ ...b, args: [], ports: [], startupProbe: 0, readinessProbe: 0, livenessProbe: 0 }).toEqual({ ...a, args: [], ports: [], startupProbe: 0, readinessProbe: 0, livenessProbe: 0 });
    expect(other.metadata.annotations).toEqual(one.metadata.annotations);
    expect(other.spec.volumes).toEqual(one.spec.volumes.filter(({ name }: { name: string }) => !name.startsWith('router')));
    expect(other.spec.containers).toHaveLength(1);
  });

  test('asks who somebody is as the server does', () => {
    const objects = stack({ login: Login.basicAuth() });
    const [server] = containers(named(objects, 'Deployment'));
    expect(server.args).toContain('--app-name=basic-auth');
    expect(server.env.map(({ name }: { name: string }) => name)).toContain('MLFLOW_AUTH_ADMIN_PASSWORD');
  });

  test('runs no jobs, which stay with the server, and needs no memory for them', () => {
    const objects = stack({ trackingServer: { settings: { jobExecution: true } } });
    const [server, artifacts] = ['mlflow', 'mlflow-artifacts'].map((name) => containers(get(objects, 'Deployment', name))[0]);
    expect([server, artifacts].map((container) => valueOf(container, 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION'))).toEqual(['true', 'false']);
    expect([server, artifacts].map(({ resources }) => resources.limits.memory)).toEqual(['3Gi', '1Gi']);
    expect([server, artifacts].map((container) => JSON.stringify(container.lifecycle).includes('_job_runner'))).toEqual([true, false]);
    expect(named(objects, 'Deployment').spec).toMatchObject({ replicas: 2, strategy: { type: 'RollingUpdate' } });
  });

  test('keeps away from others of its kind', () => {
    const { affinity } = named(stack(), 'Deployment').spec.template.spec;
    const [{ podAffinityTerm }] = affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    expect(podAffinityTerm.labelSelector.matchLabels['app.kubernetes.io/component']).toBe('artifact-server');
  });
});

test('the options', () => {
  const objects = addOn.synth({ replicas: 3, resources: { cpuLimit: '4' }, podDisruptionBudget: { minAvailable: 2 }, routerImage: 'nginx:1.31', routerResources: { cpuLimit: '2' } });
  expect(named(objects, 'Deployment').spec.replicas).toBe(3);
  expect(containers(named(objects, 'Deployment'))[0].resources.limits.cpu).toBe('4');
  expect(containers(get(objects, 'Deployment', 'mlflow'))[0].resources.limits.cpu).toBe('2');
  expect(named(objects, 'PodDisruptionBudget').spec.minAvailable).toBe(2);
  expect([router(objects).image, router(objects).resources.limits.cpu]).toEqual(['nginx:1.31', '2']);
});

test('one artifact server needs no budget, and three are scaled by what they have under way', () => {
  expect(ofKind(addOn.synth({ replicas: 1 }), 'PodDisruptionBudget')).toEqual([]);
  const objects = stack({ metrics: {}, splitTopology: { autoscaling: { minReplicas: 3, maxReplicas: 8, targetTransfers: 4 } } });
  const { spec } = named(objects, 'HorizontalPodAutoscaler');
  expect(spec).toMatchObject({ minReplicas: 3, maxReplicas: 8, scaleTargetRef: { name: 'mlflow-artifacts' } });
  expect(spec.metrics[1]).toEqual({ type: 'Pods', pods: { metric: { name: 'mlflow_artifact_transfers_in_progress' }, target: { type: 'AverageValue', averageValue: '4' } } });
  expect(named(objects, 'Deployment').spec).not.toHaveProperty('replicas');
});

test('the load of nginx is no reason for more tracking servers', () => {
  const objects = stack({ autoscaling: { maxReplicas: 4 } });
  const [metric] = get(objects, 'HorizontalPodAutoscaler', 'mlflow').spec.metrics;
  expect(metric).toEqual({ type: 'ContainerResource', containerResource: { container: 'mlflow', name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } });
});

describe('routes', () => {
  test('of an Ingress lead to both, also where the Ingress came first', () => {
    const objects = stack({ ingress: { hosts: ['mlflow.example.com'] }, trackingServer: { settings: { staticPrefix: '/mlflow' } } });
    const { paths } = get(objects, 'Ingress', 'mlflow').spec.rules[0].http;
    const services = Object.fromEntries(paths.map(({ path, backend }: Manifests[number]) => [path, backend.service.name]));
    expect(services).toMatchObject({ '/mlflow': 'mlflow-service', '/mlflow/api/2.0/mlflow-artifacts': 'mlflow-artifacts', '/mlflow/get-artifact': 'mlflow-artifacts' });
    expect(Object.values(services).filter((name) => name === 'mlflow-service')).toHaveLength(1);
  });

  test('of an HTTPRoute, too, which has no more rules than there may be', () => {
    const { rules } = get(stack({ httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public' } }), 'HTTPRoute', 'mlflow').spec;
    expect(rules[0].backendRefs[0].name).toBe('mlflow-service');
    expect(rules.slice(1).every(({ backendRefs }: Manifests[number]) => backendRefs[0].name === 'mlflow-artifacts' && backendRefs[0].port === 5000)).toBe(true);
    expect(rules.length).toBeLessThanOrEqual(16);
  });

  test('lead to a login proxy before all of it, and past none', () => {
    const chart = Testing.chart();
    const clientCredentials = Credentials.fromSecretName(chart, 'Client', 'client');
    const login = Login.oidc({ issuerUrl: 'https://id.example.com', clientCredentials, emailDomains: ['example.com'] });
    new MlflowStack(chart, 'Stack', { login, splitTopology: {}, ingress: { hosts: ['mlflow.example.com'], tls: { secretName: 'tls' } } });
    const objects = Testing.synth(chart);
    const { paths } = get(objects, 'Ingress', 'mlflow').spec.rules[0].http;
    expect(paths.map(({ backend }: Manifests[number]) => backend.service.name)).toEqual(['mlflow-oauth2-proxy']);
    const from = named(objects, 'NetworkPolicy').spec.ingress[0].from.map(({ podSelector }: Manifests[number]) => podSelector?.matchLabels['app.kubernetes.io/component']);
    expect(from).toEqual(expect.arrayContaining(['tracking-server', 'login-proxy']));
  });
});

describe('which paths nginx sends to the artifact servers', () => {
  // nginx has PCRE, which knows all of this
  const pattern = (objects: Manifests) => new RegExp(/location ~ "(.*)" \{/.exec(config(objects))![1]);
  const artifacts = [
    ...['api', 'ajax-api'].flatMap((api) => [`/${api}/2.0/mlflow-artifacts/artifacts/1/r/artifacts/a`, `/${api}/2.0/mlflow-artifacts/mpu/create/1`, `/${api}/2.0/mlflow/artifacts/list`]),
    ...['/get-artifact', '/model-versions/get-artifact', '/ajax-api/2.0/mlflow/upload-artifact', '/ajax-api/2.0/mlflow/get-trace-artifact', '/ajax-api/3.0/mlflow/get-trace-artifact'],
    ...['/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files', '/api/2.0/mlflow/logged-models/m-1/artifacts/directories'],
  ];
  const metadata = ['/', '/health', '/metrics', '/version', '/graphql', '/api/2.0/mlflow/runs/create', '/api/2.0/mlflow/logged-models/m-1', '/ajax-api/2.0/mlflow/runs/search', '/v1/traces', '/gateway/x/mlflow/invocations', '/static-files/get-artifact', '/get-artifacts'];

  test.each(['', '/ml.flow'])('with the prefix "%s"', (staticPrefix) => {
    const found = pattern(addOn.synth({}, { settings: { staticPrefix } }));
    for (const path of artifacts) expect([path, found.test(staticPrefix + path)]).toEqual([path, true]);
    for (const path of metadata) expect([path, found.test(staticPrefix + path)]).toEqual([path, false]);
    expect(staticPrefix === '' || found.test(`/mlXflow${artifacts[0]}`)).toBe(staticPrefix === '');
  });
});

test('NetworkPolicies: stores let both in, the server may connect to the artifact servers, and these not to each other', () => {
  const objects = stack({ trackingServer: { networkPolicy: { clients: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] } } });
  const component = (peer: Manifests[number]) => peer.podSelector?.matchLabels?.['app.kubernetes.io/component'];
  for (const store of ['postgres', 'minio']) {
    const from = get(objects, 'NetworkPolicy', store).spec.ingress.flatMap((rule: Manifests[number]) => rule.from ?? []);
    expect(from.map(component)).toContain('artifact-server');
  }
  const to = (name: string) => get(objects, 'NetworkPolicy', name).spec.egress.flatMap((rule: Manifests[number]) => rule.to ?? []).map(component);
  expect(to('mlflow')).toContain('artifact-server');
  expect(to('mlflow-artifacts')).toEqual(to('mlflow').filter((name: string) => name !== 'artifact-server'));
  const { from } = named(objects, 'NetworkPolicy').spec.ingress[0];
  expect(from).toContainEqual({ namespaceSelector: { matchLabels: { team: 'a' } } });
  expect(from.map(component)).toContain('tracking-server');
});

test('without NetworkPolicies there is none', () => {
  expect(ofKind(stack({ networkPolicies: false }), 'NetworkPolicy')).toEqual([]);
});

test.each([
  ['before', true],
  ['behind', false],
])('metrics that are made %s it look at both', (_, before) => {
  const chart = Testing.chart();
  const { trackingServer: server } = new MlflowStack(chart, 'Stack', { login: Login.basicAuth() });
  if (before) new Metrics(chart, 'Metrics', { server });
  new SplitTopology(chart, 'SplitTopology', { server });
  if (!before) new Metrics(chart, 'Metrics', { server });
  const objects = Testing.synth(chart);
  const [endpoint] = named(objects, 'ServiceMonitor').spec.endpoints;
  expect(endpoint).toMatchObject({ port: 'http', path: '/metrics', authorization: { credentials: { name: 'mlflow-metrics' } } });
  expect(named(objects, 'PrometheusRule').spec.groups[0].rules.map(({ alert }: Manifests[number]) => alert)).toEqual(['MlflowArtifactServersDown']);
  expect(get(objects, 'ConfigMap', 'mlflow-dashboard').data['mlflow-mlflow.json']).toContain('job=~\\"mlflow-service|mlflow-artifacts\\"');
});

test('PostgreSQL has connections for them', () => {
  const most = (props: MlflowStackProps) => {
    const argument = containers(get(stack(props), 'StatefulSet', 'postgres'))[0].args.find((arg: string) => arg.includes('max_connections'));
    return Number(/\d+/.exec(argument)![0]);
  };
  expect(most({ splitTopology: { replicas: 4 } })).toBeGreaterThan(most({ splitTopology: { replicas: 2 } }));
});

test('a cluster with IPv6, another domain, and a connection that is kept for another time', () => {
  const text = config(addOn.synth({}, { cluster: { ipFamily: IpFamily.IPV6, domain: 'k8s.example.com' }, namespace: 'team-a' }));
  expect(text).toContain('listen [::]:5000;');
  expect(text).toContain('server [::1]:5001 max_fails=0;');
  expect(text).toContain('server mlflow-artifacts.team-a.svc.k8s.example.com:5000 max_fails=0;');
  expect(text).toContain('keepalive_timeout 620s;');
});

test('another configuration replaces the pods that have read the old one', () => {
  const checksum = (props: object) => valueOf(router(addOn.synth({}, props)), 'ROUTER_CONFIG');
  expect(checksum({})).toBe(checksum({}));
  expect(checksum({ settings: { staticPrefix: '/ml' } })).not.toBe(checksum({}));
});

test('the parts are handed out, to be patched', () => {
  const { made } = addOn.add({ autoscaling: { maxReplicas: 4 } });
  expect([made.deployment, made.service, made.configMap, made.autoscaler, made.disruptionBudget, made.networkPolicy].map((object) => object!.kind)).toEqual(
    ['Deployment', 'Service', 'ConfigMap', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'NetworkPolicy'],
  );
  expect(made.node.defaultChild).toBe(made.deployment);
});

describe('what contradicts it', () => {
  const path = 'SplitTopology';

  test.each<[object, object, string, string, string, string]>([
    [{}, { artifactTransfer: 'direct' }, 'server', '"a server with artifactTransfer = ArtifactTransfer.DIRECT"', 'the large transfers go past all servers', 'leave the split topology out'],
    [{ replicas: 2, autoscaling: { maxReplicas: 4 } }, {}, 'replicas', '2', 'with autoscaling the number of pods is not fixed', 'leave replicas out, or autoscaling'],
    [{ replicas: 0 }, {}, 'replicas', '0', 'a whole number of 1 or more', ''],
    [{ replicas: 2, podDisruptionBudget: { minAvailable: 2 } }, {}, 'podDisruptionBudget.minAvailable', '2', 'with no pod to spare', 'raise replicas'],
    [{ autoscaling: { minReplicas: 3, maxReplicas: 2 } }, {}, 'autoscaling.maxReplicas', '2', 'not below minReplicas = 3', ''],
    [{ autoscaling: { maxReplicas: 4, targetTransfers: 4 } }, {}, 'autoscaling.targetTransfers', '4', 'on the page /metrics', 'pass metrics of the stack'],
    [{ resources: { cpuRequest: '3' } }, {}, 'resources.cpuRequest', '"3"', 'a request is not above its limit', ''],
    [{ routerResources: { memoryRequest: 5 } }, {}, 'routerResources.memoryRequest', '5', '', ''],
    [{ replica: 2 }, {}, 'replica', 'a number', 'there is no prop of this name', 'did you mean replicas?'],
  ])('%j at %j', (options, props, prop, got, rule, fix) => {
    expect(addOn.wrong(options, props)).toContainEqual(told(prop, got, rule, fix, path));
  });

  test('two of them for one server', () => {
    const { chart, server } = addOn.add();
    addOn.to(chart, server, {}, 'Second');
    const found = faults(chart);
    expect(found).toContainEqual(told('addFront', '"port http"', '[test/SplitTopology] has this one', '', 'Second'));
    expect(found).toContainEqual(told('addArtifactRoutes', '"routes of artifacts"', '[test/SplitTopology] has this one', '', 'Second'));
    expect(found.some((fault) => fault.includes('make one SplitTopology for each tracking server'))).toBe(true);
  });

  test('transfers counted in the pods of the server, which have none', () => {
    expect(wrongStack({ metrics: {}, autoscaling: { maxReplicas: 4, targetTransfers: 4 } })).toEqual([told('targetTransfers', '4', 'under way in the pods behind Service mlflow-artifacts', 'autoscaling of the split topology', 'Stack/Autoscaling')]);
  });

  test('a sidecar without requests, by which no load can be told', () => {
    const found = wrongStack({ splitTopology: { autoscaling: { maxReplicas: 4 } }, trackingServer: { pod: { sidecars: [{ name: 'log', image: 'log:1' }] } } });
    expect(found).toContainEqual(told('server', '"container \\"log\\" without requests of cpu"', 'autoscaling goes by percent', '', 'Stack/SplitTopology'));
  });

  test('a wrong prop of the server is told once', () => {
    expect(addOn.wrong({}, { replicas: 0 })).toHaveLength(1);
    expect(addOn.wrong({}, { pod: { sidecars: [{ name: 'log', image: 'log:1', securityContext: { privileged: true } }] } })).toHaveLength(1);
  });
});

test('it is in the chart of the server or in another', () => {
  const app = Testing.app();
  const [one, other] = ['one', 'other'].map((id) => new Chart(app, id, { namespace: 'mlflow' }));
  const { trackingServer: server } = new MlflowStack(one, 'Stack');
  new SplitTopology(other, 'SplitTopology', { server });
  expect(Testing.synth(other).map(({ kind }) => kind)).toContain('Deployment');
});
