import { Duration } from 'cdk8s';
import { ArtifactTransfer, LogLevel, ServerServiceAccount, XFrameOptions } from '../../lib';
import { AddOns, artifactStore, backendStore, mlflow, namesOf, server, synth, told, valueOf, wrong } from './server';
import { containers, get } from '../helpers';

const names = (settings: object): string[] => namesOf(mlflow({ settings }).env);
const on = (settings: object) => mlflow({ settings });
const wrongOf = (settings: object) => wrong({ settings });

test('none of them leaves a variable where it is not given', () => {
  for (const name of ['MLFLOW_STATIC_PREFIX', 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS', 'MLFLOW_SERVER_X_FRAME_OPTIONS', 'MLFLOW_LOGGING_LEVEL', 'MLFLOW_UVICORN_OPTS', 'MLFLOW_EXPOSE_PROMETHEUS']) {
    expect(names({})).not.toContain(name);
  }
});

describe('staticPrefix', () => {
  test('is told to the server, and probes, URI and monitor follow', () => {
    const props = { settings: { staticPrefix: '/team-a/ml.flow' } };
    const container = mlflow(props);
    expect(valueOf(container, 'MLFLOW_STATIC_PREFIX')).toBe('/team-a/ml.flow');
    for (const probe of ['startupProbe', 'readinessProbe']) expect(container[probe].httpGet.path).toBe('/team-a/ml.flow/health');
    expect(server(props).trackingUri).toBe('http://mlflow-service.mlflow.svc.cluster.local:5000/team-a/ml.flow');
    expect(containers(get(synth(props), 'Deployment', 'mlflow-monitor'))[0].readinessProbe.httpGet.path).toBe('/ready');
  });

  test.each(['mlflow', '/', '/mlflow/', '//a', '/a b', '/a?b', '/ä', '/a/$(HOME)', '/..', '/a/./b', 5, {}])('cannot be %j', (staticPrefix) => {
    expect(wrongOf({ staticPrefix })).toEqual([told('settings.staticPrefix', JSON.stringify(staticPrefix), 'a prefix begins with "/", does not end with it', 'pass a path such as "/mlflow"')]);
  });

  test('is no extra variable and no extra flag', () => {
    expect(wrong({ extraEnv: [{ name: 'MLFLOW_STATIC_PREFIX', value: '/a' }] })).toEqual([
      told('extraEnv[0]', '"MLFLOW_STATIC_PREFIX"', 'does not repeat a managed one, which the prop settings.staticPrefix sets', 'use the prop settings.staticPrefix'),
    ]);
    expect(wrong({ extraArgs: ['--static-prefix=/a'] })).toEqual([
      told('extraArgs[0]', '"--static-prefix=/a"', 'set by the prop settings.staticPrefix', 'use the prop settings.staticPrefix'),
    ]);
  });
});

test('keepAlive is longer than that of load balancers, and leaves the options of uvicorn to the user', () => {
  expect(valueOf(on({}), 'UVICORN_TIMEOUT_KEEP_ALIVE')).toBe('620');
  expect(valueOf(on({ keepAlive: Duration.minutes(2) }), 'UVICORN_TIMEOUT_KEEP_ALIVE')).toBe('120');
  expect(wrong({ extraArgs: ['--uvicorn-opts=--timeout-keep-alive=5'] })).toEqual([]);
  expect(wrong({ extraArgs: ['--enable-workspaces'] })).toEqual([]);
  expect(wrongOf({ keepAlive: 620 })).toEqual([told('settings.keepAlive', '620', 'a time span is a cdk8s Duration', 'Duration')]);
  expect(wrong({ extraEnv: [{ name: 'UVICORN_TIMEOUT_KEEP_ALIVE', value: '5' }] })).toEqual([told('extraEnv[0]', '"UVICORN_TIMEOUT_KEEP_ALIVE"', 'which the prop settings.keepAlive sets', 'use the prop settings.keepAlive')]);
});

describe('corsAllowedOrigins', () => {
  test('is a list for the server', () => {
    expect(valueOf(on({ corsAllowedOrigins: ['https://a.example.com', 'http://localhost:8888'] }), 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS')).toBe('https://a.example.com,http://localhost:8888');
    expect(valueOf(on({ corsAllowedOrigins: ['*'] }), 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS')).toBe('*');
  });

  test('of none is as if it were left out', () => {
    expect(names({ corsAllowedOrigins: [] })).not.toContain('MLFLOW_SERVER_CORS_ALLOWED_ORIGINS');
  });

  test.each(['a.example.com', 'https://a/b', 'https://a,https://b', 'https://', 'ftp://a', ''])('cannot have "%s" in it', (origin) => {
    expect(wrongOf({ corsAllowedOrigins: ['*', origin] })).toEqual([told('settings.corsAllowedOrigins[1]', JSON.stringify(origin), 'an origin is scheme, host and port, without path', 'https://notebooks.example.com')]);
  });

  test('is a list of texts', () => {
    expect(wrongOf({ corsAllowedOrigins: 'https://a' })).toEqual([told('settings.corsAllowedOrigins', '"https://a"', 'it is a list', '')]);
    expect(wrongOf({ corsAllowedOrigins: [5] })).toEqual([told('settings.corsAllowedOrigins[0]', 'a number', 'it is a list of origins', '')]);
  });
});

describe('xFrameOptions', () => {
  test.each(Object.values(XFrameOptions))('%s', (xFrameOptions) => {
    expect(valueOf(on({ xFrameOptions }), 'MLFLOW_SERVER_X_FRAME_OPTIONS')).toBe(xFrameOptions);
  });

  test.each([['"ALLOW"', 'ALLOW'], ['"deny"', 'deny'], ['5', 5]])('cannot be %s', (got, xFrameOptions) => {
    expect(wrongOf({ xFrameOptions })).toEqual([told('settings.xFrameOptions', got, 'xFrameOptions is one of SAMEORIGIN, DENY, NONE', 'pass one of them')]);
  });
});

describe('logLevel', () => {
  test.each(Object.values(LogLevel))('%s is that of MLflow and of its HTTP server', (logLevel) => {
    const container = on({ logLevel });
    expect(valueOf(container, 'MLFLOW_LOGGING_LEVEL')).toBe(logLevel);
    expect(valueOf(container, 'MLFLOW_UVICORN_OPTS')).toBe(`--log-level=${logLevel.toLowerCase()}`);
  });

  test.each([['"TRACE"', 'TRACE'], ['"info"', 'info'], ['{}', {}]])('cannot be %s', (got, logLevel) => {
    expect(wrongOf({ logLevel })).toEqual([told('settings.logLevel', got, 'logLevel is one of DEBUG, INFO, WARNING, ERROR', 'pass one of them')]);
  });
});

describe('jobExecution', () => {
  test.each([true, false])('%s', (jobExecution) => {
    expect(valueOf(on({ jobExecution }), 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION')).toBe(String(jobExecution));
  });

  test.each([['"false"', 'false'], ['"true"', 'true'], ['""', ''], ['0', 0], ['1', 1], ['{}', {}]])('is true or false, and cannot be %s', (got, jobExecution) => {
    expect(wrongOf({ jobExecution })).toEqual([
      `[test/TrackingServer] settings.jobExecution: got ${got}. Rule: the value is true or false, and no text or number. Fix: pass true or false.`,
    ]);
  });
});

test('a setting that there is not is a fault', () => {
  expect(wrongOf({ xFrameOption: 'DENY' })).toEqual([told('settings.xFrameOption', 'a string', 'there is no prop of this name', 'did you mean settings.xFrameOptions?')]);
  expect(wrong({ settings: 5 })).toEqual([told('settings', 'a number', 'it is an object', '')]);
});

test('envFrom goes to the server only', () => {
  const envFrom = [{ secretRef: { name: 'providers' } }, { configMapRef: { name: 'settings' }, prefix: 'MY_' }];
  const objects = synth({ envFrom });
  expect(containers(get(objects, 'Deployment', 'mlflow'))[0].envFrom).toEqual(envFrom);
  expect(containers(get(objects, 'Deployment', 'mlflow-monitor'))[0]).not.toHaveProperty('envFrom');
  expect(wrong({ envFrom: ['providers'] })).toEqual([told('envFrom[0]', 'a string', 'it is a list of sources', '{ secretRef: { name: "model-provider" } }')]);
  expect(wrong({ envFrom: {} })).toEqual([told('envFrom', 'an object with nothing in it', 'it is a list', '')]);
});

const SET: [string, object, string, string][] = [
  ['corsAllowedOrigins', { corsAllowedOrigins: ['*'] }, '--cors-allowed-origins=*', 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS'],
  ['xFrameOptions', { xFrameOptions: 'DENY' }, '--x-frame-options=DENY', 'MLFLOW_SERVER_X_FRAME_OPTIONS'],
  ['logLevel', { logLevel: 'INFO' }, '--uvicorn-opts=--log-level=debug', 'MLFLOW_UVICORN_OPTS'],
];

test.each(SET)('%s: flag and variable are managed', (setting, settings, flag, name) => {
  const prop = `the prop settings.${setting}`;
  expect(wrong({ settings, extraArgs: [flag] })).toEqual([told('extraArgs[0]', `"${flag}"`, `set by ${prop}`, `use ${prop}`)]);
  expect(wrong({ settings, extraEnv: [{ name, value: 'mine' }] })).toEqual([told('extraEnv[0]', `"${name}"`, `does not repeat a managed one, which ${prop} sets`, `use ${prop}`)]);
});

test.each(SET.slice(1))('%s: flag and variable are free where it is left out', (_, __, flag, name) => {
  expect(wrong({ extraArgs: [flag] })).toEqual([]);
  expect(wrong({ extraEnv: [{ name, value: 'mine' }] })).toEqual([]);
});

test.each<[object, string, string]>([
  [{ logLevel: 'INFO' }, 'MLFLOW_LOGGING_LEVEL', 'logLevel'],
  [{ connectionPool: { recycle: Duration.minutes(1) } }, 'MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE', 'connectionPool.recycle'],
])('with %j the variable %s is managed, and free without', (settings, name, setting) => {
  const extraEnv = [{ name, value: 'mine' }];
  expect(wrong({ settings, extraEnv })).toEqual([told('extraEnv[0]', `"${name}"`, `does not repeat a managed one, which the prop settings.${setting} sets`, `use the prop settings.${setting}`)]);
  expect(wrong({ extraEnv })).toEqual([]);
});

describe('stores', () => {
  test('their volumes are mounted in server and monitor', () => {
    const volume = (name: string) => ({ volumes: [{ name, secret: { secretName: name } }], volumeMounts: [{ name, mountPath: `/etc/${name}` }] });
    const objects = synth({ backendStore: { ...backendStore, ...volume('db-ca') }, artifactStore: { ...artifactStore, ...volume('s3-ca') } });
    for (const name of ['mlflow', 'mlflow-monitor']) {
      const { spec } = get(objects, 'Deployment', name).spec.template;
      expect(spec.volumes.filter(({ secret }: { secret?: object }) => secret)).toEqual([...volume('s3-ca').volumes, ...volume('db-ca').volumes]);
      expect(spec.containers[0].volumeMounts).toEqual(expect.arrayContaining([...volume('s3-ca').volumeMounts, ...volume('db-ca').volumeMounts]));
    }
  });

  test.each(['backendStore', 'artifactStore'])('what %s may have besides is a list', (prop) => {
    const store = prop === 'backendStore' ? backendStore : artifactStore;
    for (const member of ['volumes', 'volumeMounts', 'egress']) {
      expect(wrong({ [prop]: { ...store, [member]: 5 } })).toEqual([told(`${prop}.${member}`, '5', 'it is a list', 'pass a list')]);
      expect(wrong({ [prop]: { ...store, [member]: [null] } })).toEqual([told(`${prop}.${member}[0]`, 'null', 'it is a list of', 'pass members such as')]);
    }
  });

  test('a store without keys needs a ServiceAccount', () => {
    const keyless = { artifactStore: { ...artifactStore, usesPodIdentity: true } };
    const account: AddOns = (target, scope) => new ServerServiceAccount(scope, 'Account', { server: target });
    expect(wrong(keyless)).toEqual([
      told('artifactStore', '"a store without keys"', 'knows the pods by their ServiceAccount, and they have none', 'serviceAccount of MlflowStack, with the annotation of your cloud, or give credentials to artifactStore'),
    ]);
    expect(wrong(keyless, account)).toEqual([]);
    expect(wrong(keyless, (target, scope) => target.runAs(scope, 'theirs'))).toEqual([]);
    expect(valueOf(mlflow(keyless, account), 'STARTUP_POD_IDENTITY')).toBe('true');
  });

  describe('DIRECT transfer and an endpoint that is known in the cluster only', () => {
    const onEndpoint = (value: string, artifactTransfer?: ArtifactTransfer) => wrong({ artifactTransfer, artifactStore: { ...artifactStore, environment: [{ name: 'MLFLOW_S3_ENDPOINT_URL', value }] } });

    test.each(['http://minio:9000', 'http://minio.mlflow.svc:9000', 'http://minio.mlflow.svc.cluster.local:9000', 'HTTPS://MINIO.MLFLOW.SVC', 'http://localhost:9000', 'http://127.0.0.1:9000', 'http://[::1]:9000'])('%s', (endpoint) => {
      expect(onEndpoint(endpoint, ArtifactTransfer.DIRECT)).toEqual([
        told('artifactTransfer', '"direct"', `clients go to the endpoint of artifactStore by themselves, and ${endpoint} resolves in the cluster only`, 'use ArtifactTransfer.PROXIED, or an artifactStore with an endpoint that all clients reach'),
      ]);
      expect(onEndpoint(endpoint, ArtifactTransfer.PROXIED)).toEqual([]);
      expect(onEndpoint(endpoint)).toEqual([]);
    });

    test.each(['https://s3.example.com', 'https://svc.example.com:9000', 'http://10.1.2.3:9000', 'http://[fd00::1]:9000'])('%s is none', (endpoint) => {
      expect(onEndpoint(endpoint, ArtifactTransfer.DIRECT)).toEqual([]);
    });
  });
});
