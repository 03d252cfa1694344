import { Testing } from 'cdk8s';
import { ExternalS3, ExternalS3Props, S3AddressingStyle, S3Checksums, S3ServerSideEncryption } from '../../lib/artifact-store/external-s3';
import { Credentials, ICredentials } from '../../lib/secrets/credentials';
import { faults } from '../helpers';

/** With keys, unless `credentials` says otherwise. */
function made(props: Partial<ExternalS3Props> = {}) {
  const chart = Testing.chart();
  const credentials = Credentials.fromSecretName(chart, 'Keys', 's3-keys', { usernameKey: 'id', passwordKey: 'key', namespace: 'team-a' });
  const store = new ExternalS3(chart, 'Store', { bucket: 'models', credentials, ...props });
  return { chart, store, faults: faults(chart) };
}

function withoutKeys(props: Partial<ExternalS3Props> = {}) {
  return made({ credentials: undefined, ...props });
}

function valueOf(store: ExternalS3, name: string) {
  return store.environment.find((variable) => variable.name === name)?.value;
}

function connections(store: ExternalS3) {
  return store.egress!.map(({ to, ports }) => [to?.map(({ ipBlock }) => ipBlock!.cidr), ports!.map(({ port }) => port!.value)]);
}

test('what it tells the tracking server of a bucket on AWS', () => {
  const { chart, store } = made();
  expect(Testing.synth(chart)).toEqual([]);
  expect(store).toMatchObject({ artifactsDestination: 's3://models', bucket: 'models', region: 'us-east-1', secretNamespace: 'team-a', usesPodIdentity: false });
  expect(store.environment).toEqual([
    { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 's3-keys', key: 'id' } } },
    { name: 'AWS_SECRET_ACCESS_KEY', valueFrom: { secretKeyRef: { name: 's3-keys', key: 'key' } } },
    { name: 'AWS_DEFAULT_REGION', value: 'us-east-1' },
    { name: 'AWS_REGION', value: 'us-east-1' },
  ]);
  expect(store.endpointUrl).toBeUndefined();
  expect(store.volumes).toBeUndefined();
  expect(store.volumeMounts).toBeUndefined();
  expect(connections(store)).toEqual([[undefined, [443]]]);
});

test('all that it can tell, in order', () => {
  const { store, faults } = made({
    prefix: 'mlflow/team-a',
    endpointUrl: 'https://s3.example.com:9000',
    region: 'garage',
    addressingStyle: S3AddressingStyle.PATH,
    ca: { configMapName: 'ca' },
    serverSideEncryption: S3ServerSideEncryption.AWS_KMS,
    kmsKeyId: 'alias/mlflow',
    expectedBucketOwner: '012345678901',
    checksums: S3Checksums.WHEN_REQUIRED,
  });
  expect(faults).toEqual([]);
  expect(store.artifactsDestination).toBe('s3://models/mlflow/team-a');
  expect(store.endpointUrl).toBe('https://s3.example.com:9000');
  expect(store.environment.slice(2)).toEqual([
    { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'https://s3.example.com:9000' },
    { name: 'AWS_DEFAULT_REGION', value: 'garage' },
    { name: 'AWS_REGION', value: 'garage' },
    { name: 'AWS_CA_BUNDLE', value: '/etc/mlflow/artifact-store-ca/ca.crt' },
    { name: 'MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE', value: 'path' },
    { name: 'MLFLOW_S3_UPLOAD_EXTRA_ARGS', value: '{"ServerSideEncryption":"aws:kms","SSEKMSKeyId":"alias/mlflow"}' },
    { name: 'MLFLOW_S3_EXPECTED_BUCKET_OWNER', value: '012345678901' },
    { name: 'AWS_REQUEST_CHECKSUM_CALCULATION', value: 'when_required' },
    { name: 'AWS_RESPONSE_CHECKSUM_VALIDATION', value: 'when_required' },
  ]);
  expect(store.volumes).toEqual([{ name: 'artifact-store-ca', configMap: { name: 'ca', items: [{ key: 'ca.crt', path: 'ca.crt' }], defaultMode: 0o440 } }]);
  expect(store.volumeMounts).toEqual([{ name: 'artifact-store-ca', mountPath: '/etc/mlflow/artifact-store-ca' }]);
  expect(connections(store)).toEqual([[undefined, [9000]]]);
});

describe('without keys', () => {
  test('the pods are known by their ServiceAccount: no key in the environment, and a way to the tokens', () => {
    const { store, faults } = withoutKeys({ region: 'eu-west-1' });
    expect(faults).toEqual([]);
    expect(store).toMatchObject({ usesPodIdentity: true });
    expect(store.credentials).toBeUndefined();
    expect(store.secretNamespace).toBeUndefined();
    expect(store.environment.map(({ name }) => name)).toEqual(['AWS_DEFAULT_REGION', 'AWS_REGION']);
    expect(connections(store)).toEqual([
      [undefined, [443]],
      [['169.254.170.23/32', 'fd00:ec2::23/128'], [80]],
    ]);
  });

  test.each([
    'https://s3.us-east-1.amazonaws.com',
    'https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com',
    'https://s3.dualstack.us-east-1.amazonaws.com',
    'https://s3-fips.us-east-1.amazonaws.com',
    'https://s3.amazonaws.com',
  ])('the endpoint may be %s', (endpointUrl) => {
    expect(withoutKeys({ endpointUrl }).faults).toEqual([]);
  });

  test('STS is reached at 443 also where the endpoint has another port', () => {
    expect(connections(withoutKeys({ endpointUrl: 'http://s3.us-east-1.amazonaws.com', cidrs: ['10.0.0.0/8'] }).store)[0]).toEqual([['10.0.0.0/8'], [80, 443]]);
  });

  test.each(['http://minio.mlflow.svc:9000', 'https://s3.example.com', 'https://amazonaws.com.example.com', 'https://evilamazonaws.com'])('the endpoint cannot be %s', (endpointUrl) => {
    expect(withoutKeys({ endpointUrl }).faults).toEqual([
      `[test/Store] endpointUrl: got "${endpointUrl}". Rule: without credentials the pods are known by their ServiceAccount, and only AWS knows it ` +
        '(https://docs.aws.amazon.com/eks/latest/userguide/service-accounts.html). Fix: pass credentials, such as Credentials.fromSecretName(…), or leave endpointUrl out.',
    ]);
  });
});

describe('endpoint', () => {
  test.each<[string, number]>([
    ['http://minio.mlflow.svc.cluster.local:9000', 9000],
    ['http://garage:3900', 3900],
    ['https://s3.example.com', 443],
    ['http://s3.example.com/', 80],
    ['https://10.1.2.3:8333', 8333],
    ['https://[2001:db8::5]:7480', 7480],
    ['https://s3.example.com:443', 443],
    // the bucket of these tests is "models", and this is a host of that name
    ['http://models.storage.svc:9000', 9000],
    ['https://ref.supabase.co/storage/v1/s3', 443],
  ])('%s leads to port %d', (endpointUrl, port) => {
    const { store, faults } = made({ endpointUrl });
    expect(faults).toEqual([]);
    expect(valueOf(store, 'MLFLOW_S3_ENDPOINT_URL')).toBe(endpointUrl);
    expect(connections(store)).toEqual([[undefined, [port]]]);
  });

  test('the pods behind a Service may listen at another port', () => {
    expect(connections(made({ endpointUrl: 'http://rgw.ceph.svc', targetPort: 8080, cidrs: ['10.0.0.0/8'] }).store)).toEqual([[['10.0.0.0/8'], [80, 8080]]]);
  });

  const FORM = 'an endpoint is http:// or https://, a host and, if need be, a port';
  const HOST = 'an endpoint has a DNS name or an IP address as host, and a port from 1 to 65535';
  const PATH = 'an endpoint has no query, and a path only of letters, digits, ".", "_", "~" and "-" between single slashes';
  const BUCKET = 'an endpoint is without the bucket, which stands in the prop bucket: uploads would be stored under a wrong key';
  test.each<[unknown, string]>([
    ['', FORM],
    ['minio:9000', FORM],
    ['ftp://minio', FORM],
    ['s3://models', FORM],
    ['HTTP://minio', FORM],
    ['http://', FORM],
    [' http://minio:9000', FORM],
    ['http://minio:9000\n', FORM],
    ['http://minio :9000', FORM],
    [9000, FORM],
    ['http://min_io:9000', HOST],
    ['http://minio:0', HOST],
    ['http://minio:65536', HOST],
    ['http://:9000', HOST],
    ['http://10.0.0.300', HOST],
    ['http://minio:9000/models', BUCKET],
    ['http://minio:9000/storage/models/', BUCKET],
    ['http://minio:9000/a%20b', PATH],
    ['http://minio:9000//', PATH],
    ['http://minio:9000?region=x', PATH],
    ['http://minio:9000/?region=x', PATH],
    ['http://minio:9000/#x', PATH],
  ])('%j is refused', (endpointUrl, rule) => {
    expect(made({ endpointUrl: endpointUrl as string }).faults).toEqual([
      `[test/Store] endpointUrl: got ${JSON.stringify(endpointUrl)}. Rule: ${rule} (https://docs.aws.amazon.com/general/latest/gr/s3.html). ` +
        'Fix: pass an endpoint such as "https://s3.example.com:9000".',
    ]);
  });

  test.each(['https://AKIA123:hunter2@s3.example.com', 'AKIA123:hunter2@s3.example.com'])('credentials in %s are refused and not shown', (endpointUrl) => {
    const { faults } = made({ endpointUrl });
    expect(faults).toEqual([expect.stringMatching(/^\[test\/Store\] endpointUrl: got a string\. Rule: /)]);
    expect(faults[0]).not.toMatch(/hunter2|AKIA/);
  });

  test.each(['https://models.s3.us-east-1.amazonaws.com', 'https://models.s3.example.com'])('%s, which has the bucket in it, is refused', (endpointUrl) => {
    expect(made({ endpointUrl }).faults).toEqual([
      expect.stringMatching(`Rule: the S3 client adds the bucket to the endpoint.+ Fix: pass "${endpointUrl.replace('models.', '')}", with S3AddressingStyle\\.VIRTUAL`),
    ]);
  });

  test.each(['https://s3.eu-west-1.amazonaws.com', 'https://s3.dualstack.eu-west-1.amazonaws.com', 'https://vpce-1.s3.eu-west-1.vpce.amazonaws.com', 'https://s3-fips.eu-west-1.amazonaws.com'])(
    '%s in another region is a fault that names both',
    (endpointUrl) => {
      expect(made({ endpointUrl, region: 'eu-west-1' }).faults).toEqual([]);
      expect(made({ endpointUrl }).faults).toEqual([
        '[test/Store] region: got "us-east-1". Rule: a request is signed for the region that it goes to, and endpointUrl is in eu-west-1 ' +
          '(https://docs.aws.amazon.com/general/latest/gr/s3.html). Fix: pass region "eu-west-1", or leave endpointUrl out.',
      ]);
    },
  );
});

describe('addressing style', () => {
  test.each<[string | undefined, S3AddressingStyle]>([
    [undefined, S3AddressingStyle.VIRTUAL],
    ['https://s3.example.com', S3AddressingStyle.VIRTUAL],
    ['http://minio.mlflow.svc:9000', S3AddressingStyle.PATH],
    ['http://10.0.0.1:9000', S3AddressingStyle.AUTO],
  ])('with endpoint %s it may be %s', (endpointUrl, addressingStyle) => {
    const { store, faults } = made({ endpointUrl, addressingStyle });
    expect(faults).toEqual([]);
    expect(valueOf(store, 'MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE')).toBe(addressingStyle);
  });

  test.each([
    ['http://10.0.0.1:9000', '10.0.0.1'],
    ['http://[2001:db8::5]:9000', '2001:db8::5'],
    ['http://minio:9000', 'minio'],
    ['http://minio.mlflow.svc:9000', 'minio.mlflow.svc'],
    ['http://minio.mlflow.svc.cluster.local:9000', 'minio.mlflow.svc.cluster.local'],
    ['http://minio.mlflow.svc.k8s.example.com:9000', 'minio.mlflow.svc.k8s.example.com'],
  ])('VIRTUAL with %s is a fault that names both', (endpointUrl, host) => {
    const [message, ...rest] = made({ endpointUrl, addressingStyle: S3AddressingStyle.VIRTUAL }).faults;
    expect(rest).toEqual([]);
    expect(message).toContain(`[test/Store] addressingStyle: got "virtual". Rule: it puts the bucket before the host of endpointUrl, and ${host} has no names below it`);
  });

  test('another one is refused', () => {
    expect(made({ addressingStyle: 'Path' as S3AddressingStyle }).faults).toEqual([
      '[test/Store] addressingStyle: got "Path". Rule: addressingStyle is one of auto, path, virtual. Fix: pass one of them.',
    ]);
  });
});

describe('encryption', () => {
  test.each<[Partial<ExternalS3Props>, string | undefined]>([
    [{}, undefined],
    [{ serverSideEncryption: S3ServerSideEncryption.AES256 }, '{"ServerSideEncryption":"AES256"}'],
    [{ serverSideEncryption: S3ServerSideEncryption.AWS_KMS }, '{"ServerSideEncryption":"aws:kms"}'],
    [
      { serverSideEncryption: S3ServerSideEncryption.AWS_KMS, kmsKeyId: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab' },
      '{"ServerSideEncryption":"aws:kms","SSEKMSKeyId":"arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab"}',
    ],
  ])('%j goes along with uploads', (props, value) => {
    const { store, faults } = made(props);
    expect(faults).toEqual([]);
    expect(valueOf(store, 'MLFLOW_S3_UPLOAD_EXTRA_ARGS')).toBe(value);
  });

  test.each<[Partial<ExternalS3Props>, string]>([
    [{ kmsKeyId: 'alias/a' }, 'not given'],
    [{ kmsKeyId: 'alias/a', serverSideEncryption: S3ServerSideEncryption.AES256 }, 'AES256'],
  ])('%j is a fault that names both', (props, given) => {
    expect(made(props).faults).toEqual([
      `[test/Store] kmsKeyId: got "alias/a". Rule: a key of a key management service is used with S3ServerSideEncryption.AWS_KMS only, and serverSideEncryption is ${given}. ` +
        'Fix: pass S3ServerSideEncryption.AWS_KMS as serverSideEncryption, or leave kmsKeyId out.',
    ]);
  });

  test.each(['', 'my key', 'a"b', '{{ .Values.key }}'])('the key %j is refused', (kmsKeyId) => {
    expect(made({ kmsKeyId, serverSideEncryption: S3ServerSideEncryption.AWS_KMS }).faults).toEqual([expect.stringMatching(/^\[test\/Store\] kmsKeyId: got ".*"\. Rule: a key is named by /)]);
  });
});

describe('authority', () => {
  test('with an endpoint without TLS is a fault that names both', () => {
    expect(made({ endpointUrl: 'http://minio:9000', ca: { secretName: 'ca' } }).faults).toEqual([
      '[test/Store] ca: got an object with secretName. Rule: a certificate is checked where there is one, and endpointUrl is http, without TLS. ' +
        'Fix: leave ca out, or pass an endpointUrl with https.',
    ]);
  });

  test('may be needed on the way to AWS', () => {
    expect(made({ ca: { secretName: 'ca', key: 'proxy.pem' } }).store.volumes).toEqual([
      { name: 'artifact-store-ca', secret: { secretName: 'ca', items: [{ key: 'proxy.pem', path: 'ca.crt' }], defaultMode: 0o440 } },
    ]);
  });

  test.each<[object, string]>([
    [{}, 'ca'],
    [{ secretName: 'a', configMapName: 'b' }, 'ca'],
    [{ secretName: 'A' }, 'ca\\.secretName'],
  ])('%j is refused', (ca, prop) => {
    expect(made({ ca }).faults).toEqual([expect.stringMatching(`^\\[test/Store\\] ${prop}: got .+\\. Rule: .+\\. Fix: .+\\.$`)]);
  });
});

test.each(['ML_flow', 'Big.Bucket', 'a', 'my-ap-ab12cd34-s3alias', 'models--use1-az4--x-s3', '192.0.2.1'])('the bucket may be called %s, since it exists', (bucket) => {
  const { store, faults } = made({ bucket });
  expect(faults).toEqual([]);
  expect(store.artifactsDestination).toBe(`s3://${bucket}`);
});

test.each(['arn:aws:s3:eu-west-1:123456789012:accesspoint/models', 'arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:models', 'arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/models'])(
  'the bucket may be the access point %s, which has no slash in the URI',
  (bucket) => {
    const { store, faults } = made({ bucket, prefix: 'team' });
    expect(faults).toEqual([]);
    expect(store).toMatchObject({ bucket, artifactsDestination: `s3://${bucket.replaceAll('/', ':')}/team` });
  },
);

test.each(['RegionOne', 'GRA', 'garage', 'default', 'us-east-1', '1a'])('the region may be %s', (region) => {
  const { store, faults } = made({ region });
  expect(faults).toEqual([]);
  expect(valueOf(store, 'AWS_DEFAULT_REGION')).toBe(region);
});

test.each<[string, unknown]>([
  ['bucket', 'my bucket'],
  ['bucket', ''],
  ['bucket', 's3://models'],
  ['bucket', 'models/team'],
  ['bucket', 'a'.repeat(256)],
  ['bucket', 'arn:aws:s3:eu-west-1:123456789012:bucket/models'],
  ['bucket', 5],
  ['region', '12345'],
  ['region', '-east'],
  ['region', 'a'.repeat(64)],
  ['region', 5],
  ['prefix', ''],
  ['prefix', '/mlflow'],
  ['prefix', 'mlflow/'],
  ['prefix', 'a//b'],
  ['prefix', 'a/../b'],
  ['prefix', '.'],
  ['prefix', 'a b'],
  ['prefix', 'a?b'],
  ['prefix', 'a%20b'],
  ['prefix', 'a'.repeat(201)],
  ['prefix', 5],
  ['region', 'EU West'],
  ['region', ''],
  ['serverSideEncryption', 'aes256'],
  ['expectedBucketOwner', '12345'],
  ['expectedBucketOwner', 123456789012],
  ['checksums', 'never'],
  ['targetPort', 0],
  ['cidrs', ['10.0.0.1']],
])('%s cannot be %j', (prop, value) => {
  expect(made({ [prop]: value }).faults).toEqual([expect.stringMatching(`^\\[test/Store\\] ${prop}(\\[0\\])?: got .+\\. Rule: .+\\. Fix: .+\\.$`)]);
});

test('credentials that a Job would fill are refused: no Job knows this server', () => {
  const chart = Testing.chart();
  new ExternalS3(chart, 'Store', { bucket: 'models', credentials: new Credentials(chart, 'Keys', { secretName: 'keys' }) });
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Store\] credentials: got "Secret \\"keys\\", whose values a bootstrap Job would make up"\. Rule: /)]);
});

test('the bucket has to be given', () => {
  const chart = Testing.chart();
  new ExternalS3(chart, 'Store', {} as ExternalS3Props);
  expect(faults(chart)).toEqual(['[test/Store] bucket: got undefined. Rule: the bucket has to be given. Fix: pass "my-mlflow-artifacts".']);
});

test('a prop with a wrong name is refused', () => {
  expect(made({ endpointUri: 'http://minio' } as object).faults).toEqual(['[test/Store] endpointUri: got a string. Rule: there is no prop of this name. Fix: did you mean endpointUrl?.']);
});

test('a Secret of cdk8s-plus as credentials is a fault that says how to pass it', () => {
  const credentials = { name: 'keys' } as unknown as ICredentials;
  expect(made({ credentials }).faults).toContainEqual(expect.stringMatching(/^\[test\/Store\] credentials: got an object with name\. .* Fix: pass Credentials\.fromSecret\(…\)/));
});
