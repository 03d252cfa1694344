import { Duration } from 'cdk8s';
import { ArtifactTransfer, LogLevel, XFrameOptions } from '../../lib';
import { artifactStore, backendStore, mlflow, server, synth, told, valueOf, wrong } from './server';
import { containers, get } from '../helpers';

const names = (props: object): string[] => mlflow(props).env.map(({ name }: { name: string }) => name);

test('none of them leaves a variable where it is not given', () => {
  for (const name of ['MLFLOW_STATIC_PREFIX', 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS', 'MLFLOW_SERVER_X_FRAME_OPTIONS', 'MLFLOW_LOGGING_LEVEL', 'MLFLOW_UVICORN_OPTS', 'MLFLOW_EXPOSE_PROMETHEUS']) {
    expect(names({})).not.toContain(name);
  }
  expect(names({}).filter((name) => name.includes('SQLALCHEMY'))).toEqual([]);
});

describe('staticPrefix', () => {
  test('is told to the server, and probes, URI and monitor follow', () => {
    const props = { staticPrefix: '/team-a/ml.flow' };
    const container = mlflow(props);
    expect(valueOf(container, 'MLFLOW_STATIC_PREFIX')).toBe('/team-a/ml.flow');
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) expect(container[probe].httpGet.path).toBe('/team-a/ml.flow/health');
    expect(server(props).trackingUri).toBe('http://mlflow-service.mlflow.svc.cluster.local:5000/team-a/ml.flow');
    expect(containers(get(synth(props), 'Deployment', 'mlflow-monitor'))[0].readinessProbe.httpGet.path).toBe('/ready');
  });

  test.each(['mlflow', '/', '/mlflow/', '//a', '/a b', '/a?b', '/ä', '/a/$(HOME)', 5, {}])('cannot be %j', (staticPrefix) => {
    expect(wrong({ staticPrefix })).toEqual([told('staticPrefix', JSON.stringify(staticPrefix), 'a prefix begins with "/", does not end with it', 'pass a path such as "/mlflow"')]);
  });

  test('is no extra variable and no extra flag', () => {
    expect(wrong({ extraEnv: [{ name: 'MLFLOW_STATIC_PREFIX', value: '/a' }] })).toEqual([told('extraEnv[0]', '"MLFLOW_STATIC_PREFIX"', 'does not repeat a managed one', 'staticPrefix')]);
    expect(wrong({ extraArgs: ['--static-prefix=/a'] })).toEqual([told('extraArgs[0]', '"--static-prefix=/a"', 'set by the prop staticPrefix', 'use the prop staticPrefix')]);
  });
});

describe('corsAllowedOrigins', () => {
  test('is a list for the server', () => {
    expect(valueOf(mlflow({ corsAllowedOrigins: ['https://a.example.com', 'http://localhost:8888'] }), 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS')).toBe('https://a.example.com,http://localhost:8888');
    expect(valueOf(mlflow({ corsAllowedOrigins: ['*'] }), 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS')).toBe('*');
  });

  test('of none is as if it were left out', () => {
    expect(names({ corsAllowedOrigins: [] })).not.toContain('MLFLOW_SERVER_CORS_ALLOWED_ORIGINS');
  });

  test.each(['a.example.com', 'https://a/b', 'https://a,https://b', 'https://', 'ftp://a', ''])('cannot have "%s" in it', (origin) => {
    expect(wrong({ corsAllowedOrigins: ['*', origin] })).toEqual([told('corsAllowedOrigins[1]', JSON.stringify(origin), 'an origin is scheme, host and port, without path', 'https://notebooks.example.com')]);
  });

  test('is a list of texts', () => {
    expect(wrong({ corsAllowedOrigins: 'https://a' })).toEqual([told('corsAllowedOrigins', '"https://a"', 'it is a list', '')]);
    expect(wrong({ corsAllowedOrigins: [5] })).toEqual([told('corsAllowedOrigins[0]', 'a number', 'it is a list of origins', '')]);
  });
});

describe('xFrameOptions', () => {
  test.each(Object.values(XFrameOptions))('%s', (xFrameOptions) => {
    expect(valueOf(mlflow({ xFrameOptions }), 'MLFLOW_SERVER_X_FRAME_OPTIONS')).toBe(xFrameOptions);
  });

  test.each([['"ALLOW"', 'ALLOW'], ['"deny"', 'deny'], ['5', 5]])('cannot be %s', (got, xFrameOptions) => {
    expect(wrong({ xFrameOptions })).toEqual([told('xFrameOptions', got, 'xFrameOptions is one of SAMEORIGIN, DENY, NONE', 'pass one of them')]);
  });
});

describe('logLevel', () => {
  test.each(Object.values(LogLevel))('%s is that of MLflow and of its HTTP server', (logLevel) => {
    const container = mlflow({ logLevel });
    expect(valueOf(container, 'MLFLOW_LOGGING_LEVEL')).toBe(logLevel);
    expect(valueOf(container, 'MLFLOW_UVICORN_OPTS')).toBe(`--log-level=${logLevel.toLowerCase()}`);
  });

  test.each([['"TRACE"', 'TRACE'], ['"info"', 'info'], ['{}', {}]])('cannot be %s', (got, logLevel) => {
    expect(wrong({ logLevel })).toEqual([told('logLevel', got, 'logLevel is one of DEBUG, INFO, WARNING, ERROR', 'pass one of them')]);
  });
});

describe('connectionPool', () => {
  test('is told to SQLAlchemy', () => {
    const container = mlflow({ connectionPool: { size: 20, maxOverflow: 0, recycle: Duration.minutes(30) } });
    expect(['POOL_SIZE', 'MAX_OVERFLOW', 'POOL_RECYCLE'].map((name) => valueOf(container, `MLFLOW_SQLALCHEMYSTORE_${name}`))).toEqual(['20', '0', '1800']);
    expect(names({ connectionPool: { size: 3 } }).filter((name) => name.includes('SQLALCHEMY'))).toEqual(['MLFLOW_SQLALCHEMYSTORE_POOL_SIZE']);
  });

  test.each<[object, string, string, string]>([
    [{ size: 0 }, 'size', '0', 'the number of connections is a whole number of 1 or more'],
    [{ size: '5' }, 'size', '"5"', 'the number of connections is a whole number of 1 or more'],
    [{ maxOverflow: -1 }, 'maxOverflow', '-1', 'the number of connections is a whole number of 0 or more'],
    [{ maxOverflow: '0' }, 'maxOverflow', '"0"', 'the number of connections is a whole number of 0 or more'],
    [{ recycle: 1800 }, 'recycle', '1800', 'a time span is a cdk8s Duration'],
    [{ poolSize: 5 }, 'poolSize', 'a number', 'there is no prop of this name'],
  ])('cannot be %j', (connectionPool, prop, got, rule) => {
    expect(wrong({ connectionPool })).toEqual([told(`connectionPool.${prop}`, got, rule, '')]);
  });
});

test('envFrom goes to server and monitor, where managed variables win', () => {
  const envFrom = [{ secretRef: { name: 'providers' } }, { configMapRef: { name: 'settings' }, prefix: 'MY_' }];
  const objects = synth({ envFrom });
  for (const name of ['mlflow', 'mlflow-monitor']) expect(containers(get(objects, 'Deployment', name))[0].envFrom).toEqual(envFrom);
  expect(wrong({ envFrom: ['providers'] })).toEqual([told('envFrom[0]', 'a string', 'it is a list of sources', '{ secretRef: { name: "model-provider" } }')]);
  expect(wrong({ envFrom: {} })).toEqual([told('envFrom', '{}', 'it is a list', '')]);
});

test.each<[object, string, string]>([
  [{ corsAllowedOrigins: ['*'] }, '--cors-allowed-origins=*', 'corsAllowedOrigins'],
  [{ xFrameOptions: 'DENY' }, '--x-frame-options=DENY', 'xFrameOptions'],
  [{ logLevel: 'INFO' }, '--uvicorn-opts=--log-level=debug', 'logLevel'],
  [{ metrics: {} }, '--expose-prometheus=/tmp/a', 'metrics'],
])('with %j the flag %s is managed, and free without', (props, flag, prop) => {
  expect(wrong({ ...props, extraArgs: [flag] })).toEqual([told('extraArgs[0]', `"${flag}"`, `set by the prop ${prop}`, `use the prop ${prop}`)]);
  expect(wrong({ extraArgs: [flag] })).toEqual([]);
});

test.each<[object, string]>([
  [{ corsAllowedOrigins: ['*'] }, 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS'],
  [{ xFrameOptions: 'DENY' }, 'MLFLOW_SERVER_X_FRAME_OPTIONS'],
  [{ logLevel: 'INFO' }, 'MLFLOW_LOGGING_LEVEL'],
  [{ connectionPool: { size: 1 } }, 'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE'],
  [{ metrics: {} }, 'MLFLOW_EXPOSE_PROMETHEUS'],
  [{ basicAuth: {} }, 'MLFLOW_AUTH_ADMIN_PASSWORD'],
])('with %j the variable %s is managed, and free without', (props, name) => {
  const extraEnv = [{ name, value: 'mine' }];
  expect(wrong({ ...props, extraEnv })).toEqual([told('extraEnv[0]', `"${name}"`, 'does not repeat a managed one', 'use the prop that sets it')]);
  expect(wrong({ extraEnv })).toEqual([]);
});

test('metrics gives the server a page, in a directory that it may write', () => {
  expect(valueOf(mlflow({ metrics: {} }), 'MLFLOW_EXPOSE_PROMETHEUS')).toBe('/tmp/metrics');
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
    const keyless = { ...artifactStore, usesPodIdentity: true };
    expect(wrong({ artifactStore: keyless })).toEqual([told('serviceAccount', 'undefined', 'artifactStore has no keys', 'pass serviceAccount, with the annotation of your cloud, or give credentials to artifactStore')]);
    expect(wrong({ artifactStore: keyless, serviceAccount: {} })).toEqual([]);
    expect(valueOf(mlflow({ artifactStore: keyless, serviceAccount: {} }), 'STARTUP_POD_IDENTITY')).toBe('true');
  });

  describe('DIRECT transfer and an endpoint that is known in the cluster only', () => {
    const onEndpoint = (value: string, artifactTransfer?: ArtifactTransfer) => wrong({ artifactTransfer, artifactStore: { ...artifactStore, environment: [{ name: 'MLFLOW_S3_ENDPOINT_URL', value }] } });

    test.each(['http://minio:9000', 'http://minio.mlflow.svc:9000', 'http://minio.mlflow.svc.cluster.local:9000', 'HTTPS://MINIO.MLFLOW.SVC', 'http://localhost:9000', 'http://127.0.0.1:9000'])('%s', (endpoint) => {
      expect(onEndpoint(endpoint, ArtifactTransfer.DIRECT)).toEqual([
        told('artifactTransfer', '"direct"', `clients go to the endpoint of artifactStore by themselves, and ${endpoint} resolves in the cluster only`, 'use ArtifactTransfer.PROXIED, or an artifactStore with an endpoint that all clients reach'),
      ]);
      expect(onEndpoint(endpoint, ArtifactTransfer.PROXIED)).toEqual([]);
      expect(onEndpoint(endpoint)).toEqual([]);
    });

    test.each(['https://s3.example.com', 'https://svc.example.com:9000', 'http://10.1.2.3:9000'])('%s is none', (endpoint) => {
      expect(onEndpoint(endpoint, ArtifactTransfer.DIRECT)).toEqual([]);
    });
  });
});
