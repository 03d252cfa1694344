import { Chart, Duration, Lazy, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Autoscaling, BasicAuth, Credentials, GarbageCollection, Metrics, TrackingServer } from '../../lib';
import { Manifests, containers, get } from '../helpers';
import { k8s } from '../../imports/k8s';
import { mlflow, namesOf, server, synth, told, valueOf, wrong } from './server';

/** A server with add-ons of somebody else's, one a port. */
const on = (add: (server: TrackingServer, addOn: Construct) => unknown, props: object = {}): Manifests => synth(props, (target, chart) => add(target, new Construct(chart, 'Mine')));
const faulty = (add: (server: TrackingServer, one: Construct, other: Construct) => unknown, props: object = {}): string[] =>
  wrong(props, (target, chart) => add(target, new Construct(chart, 'One'), new Construct(chart, 'Other')));
const podOf = (objects: Manifests) => get(objects, 'Deployment', 'mlflow').spec.template;
const policy = (objects: Manifests) => get(objects, 'NetworkPolicy', 'mlflow').spec;
const startSeconds = ({ startupProbe }: Manifests[number]): number => startupProbe.periodSeconds * startupProbe.failureThreshold;

const GUARD = ['GUARD_ASSISTANT', 'GUARD_MAX_BODY_BYTES', 'GUARD_OWN_PLACES', 'MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX'];

describe('addFlag and addVariable', () => {
  test('stand behind those of the server, in the order in which they are added', () => {
    const [before, [after]] = [
      mlflow(),
      containers({
        spec: {
          template: podOf(
            on((it, mine) => {
              it.addVariable(mine, { name: 'SECOND', value: '2' });
              it.addFlag(mine, '--second=2');
              it.addVariable(mine, { name: 'FIRST', value: '1' });
              it.addFlag(mine, '--first');
            }),
          ),
        },
      }),
    ];
    expect(after.args).toEqual([...before.args, '--second=2', '--first']);
    expect(namesOf(after.env)).toEqual([...namesOf(before.env.slice(0, -3)), 'SECOND', 'FIRST', 'HOME', 'MALLOC_ARENA_MAX', 'PYTHONNOUSERSITE']);
  });

  test('the order is fixed: the mission, settings of MLflow, add-ons as they come, the process, the user', () => {
    const props = { settings: { logLevel: 'INFO', staticPrefix: '/ml' }, extraArgs: ['--enable-workspaces'], extraEnv: [{ name: 'AAA', value: '1' }] };
    const names = (first: 'metrics' | 'login') =>
      mlflow(props, (it, chart) => {
        const add = { metrics: () => new Metrics(chart, 'Metrics', { server: it }), login: () => new BasicAuth(chart, 'Login', { server: it }) };
        add[first]();
        add[first === 'metrics' ? 'login' : 'metrics']();
      });
    const login = ['GUARD_PASSWORDS_ONLY', 'MLFLOW_AUTH_CONFIG_PATH', 'MLFLOW_AUTH_ADMIN_USERNAME', 'MLFLOW_AUTH_ADMIN_PASSWORD', 'MLFLOW_FLASK_SERVER_SECRET_KEY'];
    const mission = ['AWS_ACCESS_KEY_ID', 'MLFLOW_S3_ENDPOINT_URL', 'PGUSER', 'PGPASSWORD'];
    const settings = ['MLFLOW_WORKERS', 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', 'MLFLOW_DISABLE_TELEMETRY', 'MLFLOW_STATIC_PREFIX', 'MLFLOW_LOGGING_LEVEL', 'MLFLOW_UVICORN_OPTS', 'UVICORN_TIMEOUT_KEEP_ALIVE', 'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE', 'MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW', 'MLFLOW_MODEL_CATALOG_URI', 'UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN'];
    const encryption = ['MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'MLFLOW_CRYPTO_KEK_PASSPHRASE', 'MLFLOW_CRYPTO_KEK_VERSION'];
    const own = ['PYTHONPATH', 'UVICORN_HTTP', 'APP_LAYERS', 'STARTUP_DEPLOYMENT', 'STARTUP_DEADLINE_SECONDS', 'STARTUP_ARTIFACT_TRANSFER', 'STARTUP_SOURCES', ...GUARD, ...encryption];
    const last = ['HOME', 'MALLOC_ARENA_MAX', 'PYTHONNOUSERSITE', 'AAA'];
    const [one, other] = [names('metrics'), names('login')];
    const metrics = namesOf(one.env).filter((name) => ![...mission, ...settings, ...own, ...login, ...last].includes(name));
    expect(metrics).toContain('MLFLOW_EXPOSE_PROMETHEUS');
    expect(namesOf(one.env)).toEqual([...mission, ...settings, ...own, ...metrics, ...login, ...last]);
    expect(namesOf(other.env)).toEqual([...mission, ...settings, ...own, ...login, ...metrics, ...last]);
    const flags = ['mlflow', 'server', '--host', '--port', '--backend-store-uri', '--artifacts-destination', '--default-artifact-root', '--serve-artifacts', '--allowed-hosts', '--app-name', '--enable-workspaces'];
    expect(one.args.map((arg: string) => arg.split('=')[0])).toEqual(flags);
    expect(other.args).toEqual(one.args);
  });

  test('a value may be known at synth only', () => {
    let value = 'early';
    const objects = on((it, mine) => {
      it.addVariable(mine, { name: 'LATE', value: Lazy.any({ produce: () => value }) as unknown as string });
      value = 'late';
    });
    expect(valueOf(containers(get(objects, 'Deployment', 'mlflow'))[0], 'LATE')).toBe('late');
  });

  test('a variable from a Secret is told to the preflight', () => {
    const objects = on((it, mine) => it.addVariable(mine, { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'mine', key: 'token' } } }));
    expect(valueOf(containers(get(objects, 'Deployment', 'mlflow'))[0], 'STARTUP_SOURCES')).toContain('"TOKEN":"key token of Secret mine"');
  });

  type Add = (it: TrackingServer, owner: Construct) => void;
  const flag = (text: string): Add => (it, owner) => it.addFlag(owner, text);
  const variable = (name: string): Add => (it, owner) => it.addVariable(owner, { name, value: '1' });

  describe.each<[string, Add, Add, string, string]>([
    ['a flag', flag('--enable-workspaces'), flag('--enable-workspaces'), 'addFlag', '--enable-workspaces'],
    ['a flag of another value', flag('--app-name=a'), flag('--app-name=b'), 'addFlag', '--app-name'],
    ['a variable', variable('MINE'), variable('MINE'), 'addVariable', 'MINE'],
    ['the flag of a variable', variable('MLFLOW_EXPOSE_PROMETHEUS'), flag('--expose-prometheus=/tmp/a'), 'addFlag', '--expose-prometheus'],
    ['the variable of a flag', flag('--expose-prometheus=/tmp/a'), variable('MLFLOW_EXPOSE_PROMETHEUS'), 'addVariable', 'MLFLOW_EXPOSE_PROMETHEUS'],
    ['the variable of a flag, in its other spelling', flag('--x-frame-options=DENY'), variable('MLFLOW_SERVER_X_FRAME_OPTIONS'), 'addVariable', 'MLFLOW_SERVER_X_FRAME_OPTIONS'],
  ])('%s is set once', (_, first, second, port, got) => {
    test('a second add-on that does is at fault, which names both', () => {
      expect(faulty((it, one) => first(it, one))).toEqual([]);
      expect(faulty((it, one) => second(it, one))).toEqual([]);
      expect(faulty((it, one, other) => (first(it, one), second(it, other)))).toEqual([
        told(port, `"${got}"`, 'each flag and each variable of [test/TrackingServer] is set once, and [test/One] sets this one', 'leave it to [test/One], or leave that one out', 'Other'),
      ]);
    });

    test('an add-on does not set it twice either', () => {
      expect(faulty((it, one) => (first(it, one), second(it, one)))).toEqual([told(port, `"${got}"`, '[test/One] sets this one', '', 'One')]);
    });
  });

  test.each<[string, Add, string, string]>([
    ['flag of the mission', flag('--serve-artifacts'), 'addFlag', 'the construct itself (it keeps clients off the artifact store)'],
    ['short form of a flag', flag('-p 5001'), 'addFlag', 'the prop port'],
    ['variable of a store', variable('PGUSER'), 'addVariable', 'the prop backendStore'],
    ['setting', variable('MLFLOW_WORKERS'), 'addVariable', 'the prop workers'],
    ['setting that is left out', flag('--static-prefix=/a'), 'addFlag', 'the prop settings.staticPrefix'],
    ['variable of the process', variable('HOME'), 'addVariable', 'the construct itself'],
    ['variable of the plugin', variable('PYTHONPATH'), 'addVariable', '[test/TrackingServer/PluginFolder]'],
    ['variable of the preflight', variable('STARTUP_DEADLINE_SECONDS'), 'addVariable', '[test/TrackingServer/Preflight]'],
  ])('an add-on sets no %s', (_, add, port, owner) => {
    expect(faulty((it, one) => add(it, one))).toEqual([expect.stringContaining(`${owner} sets this one`)]);
    expect(faulty((it, one) => add(it, one))[0]).toMatch(new RegExp(`^\\[test/One\\] ${port}: got `));
  });

  test('two logins or two kinds of metrics are faults that name both', () => {
    const two = wrong({}, (it, chart) => [new Metrics(chart, 'One', { server: it }), new Metrics(chart, 'Other', { server: it })]);
    expect(two.filter((fault) => fault.includes('MLFLOW_EXPOSE_PROMETHEUS'))).toEqual([told('addVariable', '"MLFLOW_EXPOSE_PROMETHEUS"', '[test/One] sets this one', '', 'Other')]);
  });
});

describe('addVolume', () => {
  const volume = { name: 'ca', configMap: { name: 'ca' } };
  const mount = { name: 'ca', mountPath: '/etc/ca' };

  test('mounts it into the server', () => {
    const { spec } = podOf(on((it, mine) => it.addVolume(mine, volume, mount, { ...mount, mountPath: '/etc/again' })));
    expect(spec.volumes).toContainEqual(volume);
    expect(spec.containers[0].volumeMounts).toEqual(expect.arrayContaining([mount, { ...mount, mountPath: '/etc/again' }]));
    expect(podOf(on((it, mine) => it.addVolume(mine, volume))).spec.volumes).toContainEqual(volume);
  });

  test.each<[string, object, object[], string, string]>([
    ['a name of another add-on', volume, [], 'volume ca', '[test/One]'],
    ['a name of the server', { name: 'tmp', emptyDir: {} }, [], 'volume tmp', 'the server itself'],
    ['a path of the server', { name: 'mine', emptyDir: {} }, [{ name: 'mine', mountPath: '/tmp' }], 'mount /tmp', 'the server itself'],
    ['a path of the plugin', { name: 'mine', emptyDir: {} }, [{ name: 'mine', mountPath: '/app/plugins/app_layers' }], 'mount /app/plugins/app_layers', '[test/TrackingServer/PluginFolder]'],
  ])('takes not %s', (_, second, mounts, got, owner) => {
    expect(faulty((it, one, other) => (it.addVolume(one, volume), it.addVolume(other, second as k8s.Volume, ...(mounts as k8s.VolumeMount[]))))).toEqual([
      told('addVolume', `"${got}"`, `and ${owner} has this one`, 'take another', 'Other'),
    ]);
  });

  test('and the user takes not that of an add-on', () => {
    const pod = { volumes: [{ name: 'ca', emptyDir: {} }], volumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }] };
    expect(faulty((it, one) => it.addVolume(one, volume, mount), { pod })).toEqual([
      told('pod.volumes[0]', '"ca"', 'a name of its own', 'pass another name'),
      told('pod.volumeMounts[0]', '"/etc/ca"', 'a path of its own', 'pass another mountPath'),
    ]);
  });

  test.each<[string, object, object[], string, string, string]>([
    ['a volume that the pods may not have', { name: 'node', hostPath: { path: '/' } }, [], 'hostPath', 'the Pod Security Standard restricted', 'pass such a volume'],
    ['a mount of another volume', volume, [{ name: 'tmp', mountPath: '/etc/ca' }], 'mount /etc/ca of a volume tmp', 'of the volume that comes with it', 'give it the name of ca'],
  ])('takes not %s', (_, given, mounts, got, rule, fix) => {
    expect(faulty((it, one) => it.addVolume(one, given as k8s.Volume, ...(mounts as k8s.VolumeMount[])))).toEqual([told('addVolume', `"${got}"`, rule, fix, 'One')]);
  });

  test('the user may mount that of an add-on elsewhere', () => {
    expect(faulty((it, one) => it.addVolume(one, volume), { pod: { volumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }] } })).toEqual([]);
  });
});

describe('addSidecar', () => {
  const sidecar = { name: 'log', image: 'log:1' };

  test('has image, pull policy and security context of this library, and stands before those of the user', () => {
    const objects = on((it, mine) => it.addSidecar(mine, sidecar), { images: { registry: 'r.example.com' }, pod: { sidecars: [{ name: 'mine', image: 'mine:1' }] } });
    const { containers: all } = podOf(objects).spec;
    expect(namesOf(all)).toEqual(['mlflow', 'log', 'mine']);
    const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true };
    expect(all[1]).toEqual({ name: 'log', image: 'r.example.com/log:1', imagePullPolicy: 'IfNotPresent', securityContext });
  });

  test('takes no name that is taken', () => {
    expect(faulty((it, one, other) => (it.addSidecar(one, sidecar), it.addSidecar(other, sidecar)))).toEqual([told('addSidecar', '"container log"', 'and [test/One] has this one', 'take another', 'Other')]);
    expect(faulty((it, one) => it.addSidecar(one, { ...sidecar, name: 'mlflow' }))).toEqual([told('addSidecar', '"container mlflow"', 'and the server itself has this one', 'take another', 'One')]);
    expect(faulty((it, one) => it.addSidecar(one, sidecar), { pod: { sidecars: [sidecar] } })).toEqual([told('pod.sidecars[0]', '"log"', 'a name of its own', 'pass another name')]);
  });

  test('passes the Pod Security Standard restricted', () => {
    expect(faulty((it, one) => it.addSidecar(one, { ...sidecar, securityContext: { runAsUser: 0 } }))).toEqual([
      told('addSidecar[0].securityContext', '"runAsUser 0"', 'the pods of this library pass the Pod Security Standard restricted', 'leave it out'),
    ]);
    expect(faulty((it, one) => it.addSidecar(one, { ...sidecar, image: 'log' }))).toEqual([told('addSidecar[0].image', '"log"', 'an image names a tag or a digest', '')]);
  });

  test('is counted by autoscaling', () => {
    const add = (resources?: object) => wrong({}, (it, chart) => (new Autoscaling(chart, 'Autoscaling', { server: it, maxReplicas: 3 }), it.addSidecar(new Construct(chart, 'Mine'), { ...sidecar, resources })));
    expect(add()).toEqual([told('server', '"container \\"log\\" without requests of cpu"', 'autoscaling goes by percent', 'resources.requests of cpu', 'Autoscaling')]);
    expect(add({ requests: { cpu: k8s.Quantity.fromString('10m') } })).toEqual([]);
  });
});

test('addPodAnnotation replaces the pods when it changes, and wins over one of the user', () => {
  const annotations = (value: string) => podOf(on((it, mine) => it.addPodAnnotation(mine, 'checksum/mine', value), { pod: { annotations: { 'checksum/mine': 'user', team: 'vision' } } })).metadata.annotations;
  expect(annotations('a')).toMatchObject({ 'checksum/mine': 'a', team: 'vision', 'checksum/startup-script': expect.any(String) });
  expect(annotations('b')).toEqual({ ...annotations('a'), 'checksum/mine': 'b' });
});

describe('addAllowedHost and addRoute', () => {
  const hosts = (settings: object, add: (it: TrackingServer, mine: Construct) => void) => mlflow({ settings }, (it, chart) => add(it, new Construct(chart, 'Mine'))).args.find((arg: string) => arg.startsWith('--allowed-hosts='));

  test('a host that programs ask for is added where not all are allowed', () => {
    expect(hosts({ allowedHosts: ['a'] }, (it) => it.addAllowedHost('b:5000'))).toBe('--allowed-hosts=a,b:5000');
    expect(hosts({ deriveAllowedHosts: true }, (it) => it.addAllowedHost('b:5000'))).toMatch(/,b:5000$/);
    expect(hosts({}, (it) => it.addAllowedHost('b:5000'))).toBe('--allowed-hosts=*');
    expect([server().allowsAllHosts, server({ settings: { allowedHosts: ['a'] } }).allowsAllHosts]).toEqual([true, false]);
  });

  test('the hosts of a route are allowed, at any port, and origins of the web UI', () => {
    expect(hosts({ deriveAllowedHosts: true }, (it, mine) => it.addRoute(mine, ['ml.example.com']))).toContain(',ml.example.com,ml.example.com:*,');
    const [container] = containers(get(on((it, mine) => it.addRoute(mine, ['ml.example.com'])), 'Deployment', 'mlflow'));
    expect(valueOf(container, 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS')).toBe('http://ml.example.com,https://ml.example.com,http://ml.example.com:*,https://ml.example.com:*');
  });

  test('a route whose host is not among those of the user is at fault', () => {
    expect(faulty((it, one) => it.addRoute(one, ['ml.example.com']), { settings: { allowedHosts: ['a'] } })).toEqual([told('hosts', '"ml.example.com"', 'settings.allowedHosts', 'add "ml.example.com"', 'One')]);
  });

  test('where a route leads', () => {
    const { routeBackend } = server({ name: 'ml', namespace: 'team', port: 8080, settings: { staticPrefix: '/ml' } });
    expect(routeBackend).toMatchObject({ name: 'ml', namespace: 'team', serviceName: 'ml-service', port: 8080, path: '/ml' });
    expect(server().routeBackend.path).toBe('/');
  });
});

describe('allowFrom and allowTo', () => {
  test('from the first client on nobody else may connect', () => {
    expect(policy(synth()).ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 5000 }] }]);
    expect(policy(on((it) => it.allowFrom({ namespaceSelector: {} }))).ingress).toEqual([{ from: [{ namespaceSelector: {} }], ports: [{ protocol: 'TCP', port: 5000 }] }]);
    const both = on((it) => it.allowFrom({ namespaceSelector: {} }), { networkPolicy: { clients: [{ podSelector: {} }] } });
    expect(policy(both).ingress[0].from).toEqual([{ podSelector: {} }, { namespaceSelector: {} }]);
  });

  test('the server may connect to more', () => {
    const rule = { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: k8s.IntOrString.fromNumber(443) }] };
    expect(policy(on((it) => it.allowTo(rule))).egress).toContainEqual({ to: rule.to, ports: [{ port: 443 }] });
  });

  test('rules that are none are faults', () => {
    expect(faulty((it) => (it.allowFrom({} as k8s.NetworkPolicyPeer), it.allowTo('x' as never)))).toEqual([
      expect.stringMatching(/connections\.allowFrom\[0\]: got an object with nothing in it/),
      expect.stringMatching(/connections\.allowTo\[0\]: got a string/),
    ]);
  });
});

describe('allowStartup and allowTermination', () => {
  test('time to start is added up', () => {
    const seconds = (...times: number[]) => startSeconds(containers(get(on((it) => times.forEach((time) => it.allowStartup(Duration.seconds(time)))), 'Deployment', 'mlflow'))[0]);
    expect(seconds(60, 30) - seconds()).toBe(90);
    expect(seconds(0.5) - seconds()).toBe(2);
  });

  test('time to stop is the longest that somebody needs', () => {
    const grace = (times: number[], pod?: object) => podOf(on((it) => times.forEach((time) => it.allowTermination(Duration.seconds(time))), { pod })).spec.terminationGracePeriodSeconds;
    expect([grace([]), grace([60]), grace([600, 300]), grace([60], { terminationGracePeriod: Duration.minutes(30) }), grace([60], { terminationGracePeriod: Duration.seconds(30) })]).toEqual([240, 240, 600, 1800, 60]);
  });
});

describe('scaleBy', () => {
  test('leaves the number of pods to somebody else, and the pods keep apart', () => {
    const objects = on((it, mine) => it.scaleBy(mine, 2));
    expect(get(objects, 'Deployment', 'mlflow').spec).not.toHaveProperty('replicas');
    expect(podOf(objects).spec.affinity).toEqual(podOf(synth({ replicas: 2 })).spec.affinity);
    expect(podOf(on((it, mine) => it.scaleBy(mine, 1))).spec).not.toHaveProperty('affinity');
    const it = server();
    expect(it.minReplicas).toBe(1);
    it.scaleBy(new Construct(Chart.of(it), 'Mine'), 3);
    expect(it.minReplicas).toBe(3);
  });

  test('contradicts replicas', () => {
    expect(faulty((it, one) => it.scaleBy(one, 2), { replicas: 1 })).toEqual([
      told('server', '"[test/TrackingServer] with replicas = 1"', 'with autoscaling the number of pods is not fixed', 'leave replicas of the tracking server out and pass minReplicas here', 'One'),
    ]);
  });
});

test('runAs gives server and monitor a ServiceAccount, whose token is not mounted', () => {
  const objects = on((it, mine) => it.runAs(mine, 'theirs'));
  for (const name of ['mlflow', 'mlflow-monitor']) expect(get(objects, 'Deployment', name).spec.template.spec).toMatchObject({ serviceAccountName: 'theirs', automountServiceAccountToken: false });
  const it = server();
  expect(it.serviceAccountName).toBeUndefined();
  it.runAs(new Construct(it, 'Mine'), 'theirs');
  expect(it.serviceAccountName).toBe('theirs');
});

test('addLogin says how the clean-up logs in, whether it came before or after', () => {
  const env = (late: boolean) => {
    const objects = synth({}, (it, chart) => {
      const login = () => it.addLogin(new Construct(chart, 'Mine'), Credentials.fromSecretName(chart, 'Login', 'login', { usernameKey: 'user', passwordKey: 'pass' }));
      if (!late) login();
      new GarbageCollection(chart, 'GarbageCollection', { server: it });
      if (late) login();
    });
    return containers({ spec: get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate.spec })[0].env;
  };
  expect(env(false)).toContainEqual({ name: 'MLFLOW_TRACKING_PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'pass' } } });
  expect(env(true)).toEqual(env(false));
});

test('what an add-on reads of the server is what will stand in the pod', () => {
  const chart = Testing.chart();
  const it = server({ extraEnv: [{ name: 'MINE', value: '1' }] }, chart);
  it.addSidecar(new Construct(chart, 'Mine'), { name: 'log', image: 'log:1' });
  const { spec } = podOf(Testing.synth(chart));
  expect(namesOf(it.environment)).toEqual(namesOf(spec.containers[0].env));
  expect(namesOf(it.podSpec.containers)).toEqual(namesOf(spec.containers));
  expect(it.options.extraEnv).toEqual([{ name: 'MINE', value: '1' }]);
});

test.each<[string, string, (it: TrackingServer, mine: Construct) => unknown]>([
  ['addPodAnnotation', 'annotation checksum/mine', (it, mine) => it.addPodAnnotation(mine, 'checksum/mine', mine.node.id)],
  ['addPodAnnotation', 'annotation checksum/startup-script', (it, mine) => it.addPodAnnotation(mine, 'checksum/startup-script', 'mine')],
  ['scaleBy', 'number of pods', (it, mine) => it.scaleBy(mine, 2)],
  ['runAs', 'ServiceAccount', (it, mine) => it.runAs(mine, mine.node.id)],
  ['addLogin', 'login', (it, mine) => it.addLogin(mine)],
])('%s of what is set already (%s) is a fault that names both owners', (port, what, add) => {
  const faults = faulty((it, one, other) => {
    add(it, one);
    add(it, other);
  });
  const owner = what.endsWith('startup-script') ? 'the server itself' : '[test/One]';
  expect(faults.at(-1)).toEqual(told(port, JSON.stringify(what), `${owner} has this one`, `leave it to ${owner}`, 'Other'));
});
