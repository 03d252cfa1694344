import { ApiObject, Chart, Testing } from 'cdk8s';
import * as plus from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { Credentials, CredentialsProps, ExistingSecretProps, ICredentials, INamedSecret, LiteralCredentialsProps, Minio, MlflowStack, Postgres } from '../../lib';
import { containers, faults, get, ofKind, workloads } from '../helpers';

const KEYS_RULE = 'user name and password stand under two keys, here both under usernameKey';
const LITERAL_RULE =
  'a literal is a text that is not empty and has no white space at its ends, which boto3 would send along and MinIO would not';

let warn: jest.SpyInstance<void, unknown[]>;

beforeEach(() => {
  warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});

afterEach(() => warn.mockRestore());

describe('Credentials', () => {
  test('declare a Secret without values', () => {
    const chart = Testing.chart();
    const credentials = new Credentials(chart, 'Keys', { secretName: 'keys' });
    expect(Testing.synth(chart)).toEqual([{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'mlflow' }, type: 'Opaque' }]);
    expect(credentials).toMatchObject({
      secretName: 'keys',
      namespace: 'mlflow',
      usernameKey: 'username',
      passwordKey: 'password',
      generated: true,
      generatedUsername: 'mlflow-',
    });
    expect(warn).not.toHaveBeenCalled();
  });

  test('take names, namespace and labels', () => {
    const chart = Testing.chart();
    const credentials = new Credentials(chart, 'Keys', {
      secretName: 'keys',
      namespace: 'team-a',
      usernameKey: 'ID',
      passwordKey: 'SECRET',
      username: 'tracking',
      labels: { team: 'a' },
    });
    expect(Testing.synth(chart)[0].metadata).toEqual({ name: 'keys', namespace: 'team-a', labels: { team: 'a' } });
    expect(credentials).toMatchObject({ namespace: 'team-a', usernameKey: 'ID', passwordKey: 'SECRET', generatedUsername: 'tracking' });
    expect(ApiObject.of(credentials)).toBe(credentials.secret);
  });

  test('stand in the namespace of the chart', () => {
    const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
    expect(new Credentials(chart, 'Keys', { secretName: 'keys' }).namespace).toBe('from-chart');
    expect(Credentials.fromSecretName(chart, 'Existing', 'keys').namespace).toBe('from-chart');
    expect(Testing.synth(chart)[0].metadata.namespace).toBe('from-chart');
  });

  test.each(['a-b', 'abc', 'mlflow', 'mlflow-', 'team_a', 'a1234567890123456789'])('the user name %s is taken', (username) => {
    const chart = Testing.chart();
    new Credentials(chart, 'Keys', { secretName: 'keys', username });
    expect(faults(chart)).toEqual([]);
  });

  test.each<[unknown, string]>([
    ['', '""'],
    ['ab', '"ab"'],
    ['a'.repeat(21), `"${'a'.repeat(21)}"`],
    ['Mlflow', '"Mlflow"'],
    ['1mlflow', '"1mlflow"'],
    ['-mlflow', '"-mlflow"'],
    ['ml flow', '"ml flow"'],
    ['ml=flow', '"ml=flow"'],
    ['mlflow\n', '"mlflow\\n"'],
  ])('the user name %j is refused', (username, got) => {
    const chart = Testing.chart();
    new Credentials(chart, 'Keys', { secretName: 'keys', username: username as string });
    expect(faults(chart)).toEqual([
      `[test/Keys] username: got ${got}. Rule: a generated user name has 3 to 20 characters (the limit of MinIO): lower-case letters, digits, "-" and "_", ` +
        'a letter first. Fix: pass a name such as "mlflow", or a beginning such as "mlflow-".',
    ]);
  });
});

describe('Credentials.fromSecretName', () => {
  test('makes no Secret', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Keys', 'keys', { usernameKey: 'user', passwordKey: 'pass' });
    expect(Testing.synth(chart)).toEqual([]);
    expect(credentials).toMatchObject({ secretName: 'keys', namespace: 'mlflow', usernameKey: 'user', passwordKey: 'pass', generated: false });
    expect(credentials.generatedUsername).toBeUndefined();
    expect(warn).not.toHaveBeenCalled();
  });

  test('the chosen keys stand in the environment of all pods', () => {
    const chart = Testing.chart();
    const existing = (id: string) => Credentials.fromSecretName(chart, id, `my-${id}`, { usernameKey: `${id}-id`, passwordKey: `${id}-key` });
    new MlflowStack(chart, 'Stack', {
      backendStore: new Postgres(chart, 'Postgres', { credentials: existing('db'), superuserCredentials: existing('super') }),
      artifactStore: new Minio(chart, 'Minio', { credentials: existing('s3'), rootCredentials: existing('root') }),
    });
    const objects = Testing.synth(chart);

    expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).toEqual(['mlflow-server-secrets']);
    const references = workloads(objects).flatMap((workload) =>
      containers(workload).flatMap(({ env = [] }) =>
        env
          .filter(({ valueFrom }: { valueFrom?: object }) => valueFrom !== undefined)
          .map(({ name, valueFrom }: { name: string; valueFrom: { secretKeyRef: { name: string; key: string } } }) => [
            workload.metadata.name,
            name,
            valueFrom.secretKeyRef.name,
            valueFrom.secretKeyRef.key,
          ]),
      ),
    );
    expect(references).toEqual([
      ['postgres', 'POSTGRES_USER', 'my-super', 'super-id'],
      ['postgres', 'POSTGRES_PASSWORD', 'my-super', 'super-key'],
      ['minio', 'MINIO_ROOT_USER', 'my-root', 'root-id'],
      ['minio', 'MINIO_ROOT_PASSWORD', 'my-root', 'root-key'],
      ['mlflow', 'AWS_ACCESS_KEY_ID', 'my-s3', 's3-id'],
      ['mlflow', 'AWS_SECRET_ACCESS_KEY', 'my-s3', 's3-key'],
      ['mlflow', 'PGUSER', 'my-db', 'db-id'],
      ['mlflow', 'PGPASSWORD', 'my-db', 'db-key'],
      ['mlflow', 'MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'mlflow-server-secrets', 'webhook-key'],
      ['mlflow', 'MLFLOW_CRYPTO_KEK_PASSPHRASE', 'mlflow-server-secrets', 'kek-passphrase-1'],
      ['mlflow-monitor', 'AWS_ACCESS_KEY_ID', 'my-s3', 's3-id'],
      ['mlflow-monitor', 'AWS_SECRET_ACCESS_KEY', 'my-s3', 's3-key'],
      ['mlflow-monitor', 'PGUSER', 'my-db', 'db-id'],
      ['mlflow-monitor', 'PGPASSWORD', 'my-db', 'db-key'],
    ]);
  });
});

describe('Credentials.fromSecret', () => {
  test('takes a Secret of cdk8s-plus, and the chosen keys', () => {
    const chart = Testing.chart();
    const secret = new plus.Secret(chart, 'Secret', { metadata: { name: 'keys' } });
    expect(Credentials.fromSecret(chart, 'Keys', secret)).toMatchObject({ secretName: 'keys', namespace: 'mlflow', usernameKey: 'username', passwordKey: 'password', generated: false });
    expect(Credentials.fromSecret(chart, 'Others', secret, { namespace: 'team-a', usernameKey: 'user', passwordKey: 'pass' })).toMatchObject({
      namespace: 'team-a',
      usernameKey: 'user',
      passwordKey: 'pass',
    });
  });

  test('takes what has a name, whatever version of cdk8s-plus it is from', () => {
    expect(Credentials.fromSecret(Testing.chart(), 'Keys', { name: 'keys' }).secretName).toBe('keys');
  });

  test.each<[unknown, string]>([
    [undefined, 'secret: got undefined. Rule: a Secret is an object that has its name'],
    [null, 'secret: got null. Rule: a Secret is an object that has its name'],
    [{ secretName: 'keys' }, 'secret: got an object with secretName. Rule: a Secret is an object that has its name'],
    [{ name: 'My Keys' }, 'secret.name: got "My Keys". Rule: the name of an object is an RFC 1123 subdomain'],
  ])('%j is refused', (secret, message) => {
    const chart = Testing.chart();
    Credentials.fromSecret(chart, 'Keys', secret as INamedSecret);
    expect(faults(chart)).toEqual([expect.stringContaining(`[test/Keys] ${message}`)]);
  });
});

describe('Credentials.fromLiterals', () => {
  const USERNAME = 'literal-user';
  const PASSWORD = 'literal-pass:word';
  const literals = { secretName: 'keys', username: USERNAME, password: PASSWORD };

  test('put the values into the Secret', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromLiterals(chart, 'Keys', { ...literals, usernameKey: 'ID', passwordKey: 'SECRET', labels: { team: 'a' } });
    expect(Testing.synth(chart)).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'keys', namespace: 'mlflow', labels: { team: 'a' } },
        type: 'Opaque',
        data: { ID: Buffer.from(USERNAME).toString('base64'), SECRET: Buffer.from(PASSWORD).toString('base64') },
      },
    ]);
    expect(credentials.generated).toBe(false);
  });

  test('encode UTF-8', () => {
    const chart = Testing.chart();
    Credentials.fromLiterals(chart, 'Keys', { ...literals, password: 'pässwörd' });
    expect(Testing.synth(chart)[0].data.password).toBe('cMOkc3N3w7ZyZA==');
  });

  test('the values stand in no object but that Secret', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromLiterals(chart, 'Keys', literals);
    const root = Credentials.fromLiterals(chart, 'RootKeys', { ...literals, secretName: 'root-keys' });
    new MlflowStack(chart, 'Stack', {
      backendStore: new Postgres(chart, 'Postgres', { credentials, superuserCredentials: root }),
      artifactStore: new Minio(chart, 'Minio', { credentials, rootCredentials: root }),
    });
    const objects = Testing.synth(chart);

    const secrets = ofKind(objects, 'Secret');
    expect(secrets.map(({ metadata }) => metadata.name)).toEqual(['keys', 'root-keys', 'mlflow-server-secrets']);
    const rest = JSON.stringify(objects.filter((object) => !secrets.includes(object)));
    for (const value of [USERNAME, PASSWORD]) {
      expect(rest).not.toContain(value);
      expect(rest).not.toContain(Buffer.from(value).toString('base64'));
    }
    expect(JSON.stringify(secrets)).toContain(Buffer.from(PASSWORD).toString('base64'));
  });

  test('warn, with the path and the name of the Secret and without the values', () => {
    Credentials.fromLiterals(new Construct(Testing.chart(), 'Team'), 'Keys', literals);
    expect(warn.mock.calls).toEqual([
      [
        'WARNING: [test/Team/Keys] the values of Secret "keys" are literals and stand in the generated YAML. ' +
          'This is for development only: use new Credentials(…) or Credentials.fromSecretName(…) elsewhere.',
      ],
    ]);
  });

  const SECRET = 'hunter2hunter2';

  test.each<['username' | 'password', string, unknown]>([
    ['username', 'empty', ''],
    ['password', 'empty', ''],
    ['username', 'blank', ' \t'],
    ['password', 'blank', '\n'],
    ['username', 'with a space in front', ` ${SECRET}`],
    ['password', 'with a space in front', ` ${SECRET}`],
    ['password', 'with a line break behind it', `${SECRET}\n`],
    ['password', 'with a tab behind it', `${SECRET}\t`],
    ['password', 'undefined', undefined],
    ['password', 'null', null],
    ['username', 'a number', 12345678],
    ['password', 'an object', { value: SECRET }],
  ])('a %s that is %s is refused and not shown', (prop, _, value) => {
    const chart = Testing.chart();
    Credentials.fromLiterals(chart, 'Keys', { ...literals, [prop]: value });
    expect(faults(chart)).toEqual([
      `[test/Keys] ${prop}: got "(not shown)". Rule: ${LITERAL_RULE}. Fix: pass the ${prop} without white space around it.`,
    ]);
  });

  test.each(['two words', "quo'te", 'dollar$', 'a:b@c/d', '\\'])('the password %j is taken', (password) => {
    const chart = Testing.chart();
    Credentials.fromLiterals(chart, 'Keys', { ...literals, password });
    expect(faults(chart)).toEqual([]);
  });

  test('the values stand in no message, whatever else is wrong', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromLiterals(chart, 'Keys', {
      secretName: 'My Keys',
      namespace: 'Other',
      username: `${SECRET} `,
      password: ` ${SECRET}`,
      usernameKey: 'a key',
      passwordKey: 'a key',
    });
    new Minio(chart, 'Minio', { credentials, bucket: 'X' });
    new Postgres(chart, 'Postgres', { credentials, database: 'X' });
    const messages = faults(chart);
    expect(messages.length).toBeGreaterThan(8);
    expect(messages.join()).not.toContain(SECRET);
    expect(warn.mock.calls.join()).not.toContain(SECRET);
  });
});

describe.each<[string, (scope: Construct, props: Partial<CredentialsProps & ExistingSecretProps & LiteralCredentialsProps>) => ICredentials]>([
  ['new Credentials', (scope, props) => new Credentials(scope, 'Keys', { secretName: 'keys', ...props })],
  ['Credentials.fromSecretName', (scope, { secretName, ...props }) => Credentials.fromSecretName(scope, 'Keys', secretName ?? 'keys', props)],
  [
    'Credentials.fromLiterals',
    (scope, props) => Credentials.fromLiterals(scope, 'Keys', { secretName: 'keys', username: 'user', password: 'password', ...props }),
  ],
])('%s', (_, credentials) => {
  test.each<[object, string]>([
    [
      { secretName: 'My_Keys' },
      'secretName: got "My_Keys". Rule: the name of an object is an RFC 1123 subdomain: lower-case letters, digits, "-" and ".", a letter or digit ' +
        'at both ends, at most 253 characters (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names). ' +
        'Fix: pass a name such as "my-keys".',
    ],
    [
      { namespace: 'team.a' },
      'namespace: got "team.a". Rule: a namespace is an RFC 1123 label: lower-case letters, digits and hyphens, a letter or digit at both ends, ' +
        'at most 63 characters (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names). ' +
        'Fix: pass a namespace such as "team-a".',
    ],
    [
      { usernameKey: 'user name' },
      'usernameKey: got "user name". Rule: a key of a Secret has letters, digits, ".", "_" and "-" only, and does not begin with ".." ' +
        '(https://kubernetes.io/docs/concepts/configuration/secret/). Fix: pass the key under which the Secret keeps the value, such as "password".',
    ],
    [
      { passwordKey: 'pass/word' },
      'passwordKey: got "pass/word". Rule: a key of a Secret has letters, digits, ".", "_" and "-" only, and does not begin with ".." ' +
        '(https://kubernetes.io/docs/concepts/configuration/secret/). Fix: pass the key under which the Secret keeps the value, such as "password".',
    ],
    [{ usernameKey: 'key', passwordKey: 'key' }, `passwordKey: got "key". Rule: ${KEYS_RULE}. Fix: pass two different keys.`],
    [{ usernameKey: 'password' }, `passwordKey: got "password". Rule: ${KEYS_RULE}. Fix: pass two different keys.`],
  ])('%j is refused', (props, message) => {
    const chart = Testing.chart();
    credentials(chart, props);
    expect(faults(chart)).toEqual([`[test/Keys] ${message}`]);
  });
});

describe('the Role of the bootstrap Job', () => {
  const rules = (props: { user?: ICredentials; root?: ICredentials }, chart: Chart) => {
    new Minio(chart, 'Minio', { credentials: props.user, rootCredentials: props.root });
    return get(Testing.synth(chart), 'Role', 'minio-bootstrap').rules;
  };
  const rule = (verbs: string[], resourceNames: string[]) => ({ apiGroups: [''], resources: ['secrets'], resourceNames, verbs });
  // MinIO takes a root user who was made anew at its next start
  const replaced = { apiGroups: [''], resources: ['pods'], resourceNames: ['minio-0'], verbs: ['get', 'delete'] };

  test('gets and patches the generated Secrets', () => {
    expect(rules({}, Testing.chart())).toEqual([rule(['get', 'patch'], ['minio-root', 'minio-user']), replaced]);
  });

  test('only gets the existing ones', () => {
    const chart = Testing.chart();
    const user = Credentials.fromSecretName(chart, 'User', 'my-user');
    const root = Credentials.fromSecretName(chart, 'Root', 'my-root');
    expect(rules({ user, root }, chart)).toEqual([rule(['get'], ['my-root', 'my-user'])]);
  });

  test('only gets those with literals', () => {
    const chart = Testing.chart();
    const user = Credentials.fromLiterals(chart, 'User', { secretName: 'my-user', username: 'user', password: 'password' });
    expect(rules({ user }, chart)).toEqual([rule(['get', 'patch'], ['minio-root']), rule(['get'], ['my-user']), replaced]);
  });
});
