import { Chart, Duration, Testing } from 'cdk8s';
import { Autoscaling, BasicAuth, ExternalDatabase, ExternalPostgres, Credentials, IBackendStore, Postgres, TrackingServer } from '../../lib';
import { artifactStore, backendStore, mlflow, namesOf, told, valueOf, wrong } from './server';
import { containers, faults, get } from '../helpers';

const VARIABLES = ['POOL_SIZE', 'MAX_OVERFLOW', 'POOL_RECYCLE'].map((name) => `MLFLOW_SQLALCHEMYSTORE_${name}`);
const pool = (connectionPool?: object) => VARIABLES.map((name) => valueOf(mlflow({ settings: { connectionPool } }), name));
const wrongPool = (connectionPool: object) => wrong({ settings: { connectionPool } });

// MLflow answers with 40 threads, and log_batch that renames its run holds four connections: 40 x 3 + 1
test('no request can lock another, and few connections stay open', () => {
  expect(pool()).toEqual(['10', '111', undefined]);
});

test.each<[object, (string | undefined)[]]>([
  [{ size: 20 }, ['20', '101', undefined]],
  [{ size: 200 }, ['200', '1', undefined]],
  [{ maxOverflow: 40 }, ['10', '40', undefined]],
  [{ size: 5, maxOverflow: 36, recycle: Duration.minutes(30) }, ['5', '36', '1800']],
])('%j', (connectionPool, expected) => {
  expect(pool(connectionPool)).toEqual(expected);
});

test.each<[object, string, string, string]>([
  [{ size: 0 }, '.size', '0', 'the number of connections is a whole number of 1 or more'],
  [{ size: '5' }, '.size', '"5"', 'the number of connections is a whole number of 1 or more'],
  [{ maxOverflow: -1 }, '.maxOverflow', '-1', 'the number of connections is a whole number of 1 or more'],
  [{ maxOverflow: '40' }, '.maxOverflow', '"40"', 'the number of connections is a whole number of 1 or more'],
  // MLflow passes on what is not 0
  [{ size: 50, maxOverflow: 0 }, '.maxOverflow', '0', 'for 0 MLflow leaves it to SQLAlchemy, which takes 10'],
  [{ recycle: 1800 }, '.recycle', '1800', 'a time span is a cdk8s Duration'],
  [{ poolSize: 5 }, '.poolSize', 'a number', 'there is no prop of this name'],
  [{ size: 5, maxOverflow: 35 }, '', '{"size":5,"maxOverflow":35}', 'answers with 40 threads, which would hold one connection each, wait for a second'],
])('cannot be %j', (connectionPool, prop, got, rule) => {
  expect(wrongPool(connectionPool)).toEqual([told(`settings.connectionPool${prop}`, got, rule, '')]);
});

test('has one owner, and its class is its own', () => {
  for (const [name, owner] of [['POOL_SIZE', '.size'], ['MAX_OVERFLOW', '.maxOverflow'], ['POOLCLASS', '']]) {
    const variable = `MLFLOW_SQLALCHEMYSTORE_${name}`;
    expect(wrong({ extraEnv: [{ name: variable, value: '1' }] })).toEqual([
      told('extraEnv[0]', `"${variable}"`, `which the prop settings.connectionPool${owner} sets`, `leave it out and use the prop settings.connectionPool${owner}`),
    ]);
  }
});

describe('the connections that a database has to take', () => {
  const PER_PROCESS = 121 + 2 * 10;
  const OTHERS = 20;
  const MONITOR = 1;

  /** The first number of them with which there is no fault. */
  function least(props: object = {}, addOns: (server: TrackingServer, chart: Chart) => unknown = () => undefined, servers = 1): number {
    const fits = (maxConnections: number): boolean => {
      const chart = Testing.chart();
      const store: IBackendStore = { ...backendStore, maxConnections };
      for (let index = 0; index < servers; index++) {
        const server = new TrackingServer(chart, `Server${index}`, { name: `mlflow-${index}`, backendStore: store, artifactStore, ...props });
        addOns(server, chart);
      }
      return faults(chart).length === 0;
    };
    let [below, above] = [1, 100_000];
    while (above - below > 1) {
      const middle = Math.floor((below + above) / 2);
      if (fits(middle)) above = middle;
      else below = middle;
    }
    return above;
  }

  test.each<[string, object, number]>([
    ['one pod and the one that replaces it', {}, 2 * (PER_PROCESS + 4) + MONITOR + OTHERS],
    ['without a monitor', { preflight: { monitor: false } }, 2 * (PER_PROCESS + 4) + OTHERS],
    ['several pods of several processes', { replicas: 3, workers: 2 }, 4 * (2 * PER_PROCESS + 4) + MONITOR + OTHERS],
    ['a smaller pool', { settings: { connectionPool: { size: 5, maxOverflow: 36 } } }, 2 * (41 + 10 + 4) + MONITOR + OTHERS],
    ['a third pool, for jobs', { settings: { jobExecution: true } }, 2 * (PER_PROCESS + 20 + 4) + MONITOR + OTHERS],
  ])('%s', (_case, props, expected) => {
    expect(least(props)).toBe(expected);
  });

  test('a third pool, for users', () => {
    expect(least({}, (server, chart) => new BasicAuth(chart, 'Login', { server }))).toBe(2 * (PER_PROCESS + 20 + 4) + MONITOR + OTHERS);
  });

  test('with autoscaling those of the most pods', () => {
    expect(least({}, (server, chart) => new Autoscaling(chart, 'Autoscaling', { server, maxReplicas: 5 }))).toBe(6 * (PER_PROCESS + 4) + MONITOR + OTHERS);
  });

  test('of all servers that use it', () => {
    expect(least({}, undefined, 2)).toBe(2 * (2 * (PER_PROCESS + 4) + MONITOR) + OTHERS);
  });

  test('too few are told, with what they would have to be', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'User', 'database');
    const store = new ExternalPostgres(chart, 'Database', { host: 'db.example.com', credentials, maxConnections: 100 });
    new TrackingServer(chart, 'TrackingServer', { backendStore: store, artifactStore });
    expect(faults(chart)).toEqual([
      told('backendStore', '"a database with maxConnections = 100"', 'open up to 291 connections while pods are replaced, and 20 are for others, together 311', 'raise max_connections of the database'),
    ]);
  });

  test.each([['ExternalDatabase'], ['IBackendStore']])('%s may say how many it takes', (kind) => {
    const chart = Testing.chart();
    const store = kind === 'ExternalDatabase' ? new ExternalDatabase(chart, 'Database', { secretName: 'database', port: 3306, maxConnections: 151 }) : { ...backendStore, maxConnections: 151 };
    new TrackingServer(chart, 'TrackingServer', { backendStore: store, artifactStore });
    expect(faults(chart)).toEqual([told('backendStore', '"a database with maxConnections = 151"', 'together 311', '')]);
  });

  test('PostgreSQL of the library takes them', () => {
    const chart = Testing.chart();
    new TrackingServer(chart, 'TrackingServer', { backendStore: new Postgres(chart, 'Database', { instance: 'mlflow' }), artifactStore, workers: 2 });
    const [server] = containers(get(Testing.synth(chart), 'StatefulSet', 'postgres'));
    expect(server.args).toContain(`--max_connections=${2 * (2 * PER_PROCESS + 4) + MONITOR + OTHERS}`);
    expect(namesOf(server.env)).not.toContain('MAX_CONNECTIONS');
  });
});
