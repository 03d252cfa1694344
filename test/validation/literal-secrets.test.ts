import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { checkNoLiteralSecret, checkNoPasswordInArgument } from '../../lib/validation/literal-secrets';
import { PropChecks } from '../../lib/validation/prop-checks';
import { faults } from '../helpers';

function told(check: (checks: PropChecks) => void): string[] {
  const chart = Testing.chart();
  check(new PropChecks(new Construct(chart, 'Part')));
  return faults(chart);
}
const variable = (name: unknown, value?: unknown) => told((checks) => checkNoLiteralSecret(checks, 'extraEnv[0]', { name, value } as never));
const value = (before: string, text: string) => told((checks) => checkNoPasswordInArgument(checks, 'extraArgs[1]', text, before));
const argument = (text: unknown) => told((checks) => checkNoPasswordInArgument(checks, 'extraArgs[0]', text as string));

describe('a variable', () => {
  test.each([
    'AWS_SECRET_ACCESS_KEY', 'ACCESSKEY', 'MY_SECRETKEY', 'API_KEYS', 'GITHUB_PAT', 'OPENAI_API_KEY', 'MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'KEY', 'MLFLOW_TRACKING_TOKEN', 'AWS_SESSION_TOKEN', 'TOKEN', 'PGPASSWORD', 'MYSQL_PWD',
    'MINIO_ROOT_PASSWORD', 'MLFLOW_CRYPTO_KEK_PASSPHRASE', 'KEYPASSPHRASE', 'CLIENT_SECRET', 'MY_CREDENTIALS', 'AZURE_STORAGE_SAS', 'AZURE_STORAGE_SAS_TOKEN', 'BLOB_SAS_URL', 'openai_api_key', 'OPENAI_APIKEY',
    'SMTP_PASS', 'DB_PW',
  ])('%s is a secret by its name', (name) => {
    const [fault, ...others] = variable(name, 'hunter2');
    expect(fault).toBe(
      `[test/Part] extraEnv[0].value: got a string. Rule: ${name} is a secret by its name, and what stands in the YAML is read by all who see the manifests or the pod ` +
        '(https://kubernetes.io/docs/concepts/security/secrets-good-practices/). ' +
        `Fix: keep it in a Secret, and pass { name: "${name}", valueFrom: { secretKeyRef: { name: "my-secret", key: "value" } } }.`,
    );
    expect(others).toEqual([]);
  });

  test.each<[string, string, string]>([
    ['an identifier', 'AWS_ACCESS_KEY_ID', 'AKIAIOSFODNN7EXAMPLE'],
    ['a file by its name', 'SSL_KEY_FILE', '/etc/tls/tls.key'],
    ['a file by its name', 'AWS_WEB_IDENTITY_TOKEN_FILE', '/var/run/token'],
    ['a file by its value', 'GOOGLE_APPLICATION_CREDENTIALS', '/var/run/secrets/gcp/key'],
    ['a file by its value', 'PGSSLKEY', '/etc/tls/tls.key'],
    ['a file by its value', 'TLS_KEY', '/etc/tls/tls.key'],
    ['a public key', 'JWT_PUBLIC_KEY', 'MIIB'],
    ...['SORT_KEY', 'PRIMARY_KEY', 'PARTITION_KEY', 'CACHE_KEY', 'default_sort_key', 'MLFLOW_LABEL_KEY', 'GROUP-KEY'].map((name): [string, string, string] => ['a key by which things are found', name, 'created_at']),
    ['a number', 'MAX_TOKEN', '100'],
    ...['true', 'FALSE', 'yes', 'No', 'on', 'off', 'none', 'null', '0', '1'].map((value): [string, string, string] => ['a switch', 'REQUIRE_API_KEY', value]),
    ['a URL', 'OIDC_TOKEN_URL', 'https://login.example.com/token'],
    ['the name of a Secret', 'ADMIN_SECRET_NAME', 'postgres'],
    ['another word that ends alike', 'MONKEY', 'yes'],
    ['another word that ends alike', 'HTTP_BYPASS', 'db'],
    ['a number of tokens', 'MAX_TOKENS', '100'],
    ['a reference', 'MY_TOKEN', '$(OTHER)'],
    ['a text with a reference', 'MY_TOKEN', 'Bearer $(OTHER)'],
    ['empty', 'MY_TOKEN', ''],
    ['a switch', 'REQUIRE_TOKEN', 'true'],
    ['a URI without a password', 'DATABASE', 'postgresql://db.example.com:5432/runs'],
    ['a URI with a user', 'DATABASE', 'postgresql://mlflow@db.example.com/runs'],
    ['a URI with a reference', 'DATABASE', 'postgresql://mlflow:$(PGPASSWORD)@db.example.com/runs'],
    ['a parameter with a reference', 'DATABASE', 'postgresql://db/runs?password=$(PGPASSWORD)&sslmode=require'],
    ['a parameter that is empty', 'DATABASE', 'postgresql://db/runs?password=&sslmode=require'],
    ['a host in a path', 'URL', 'https://example.com:80/a:b@c'],
    ['a time', 'WHEN', '10:30@noon'],
    ['a header with a reference', 'OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer $(OTEL_TOKEN)'],
    ['a text', 'HELP', 'with basic auth, or a bearer'],
  ])('is none where it is %s: %s=%s', (_, name, value) => {
    expect(variable(name, value)).toEqual([]);
  });

  test.each([
    'postgresql://mlflow:hunter2@db.example.com/runs',
    'mysql+pymysql://mlflow:hunter2@db:3306/runs?charset=utf8',
    'redis://:hunter2@redis:6379/0',
    'postgresql://mlflow:hunter2:@@db/runs',
    'postgresql://mlflow:$$(hunter2)@db/runs',
    'postgresql://db/runs?user=mlflow&password=hunter2',
    'host=db user=mlflow password=hunter2',
    'DefaultEndpointsProtocol=https;AccountName=mlflow;AccountKey=hunter2==;EndpointSuffix=core.windows.net',
    'https://mlflow.blob.core.windows.net/runs?sv=2024&sig=hunter2',
    'Endpoint=sb://bus/;SharedAccessKey=hunter2',
    'authorization=Bearer hunter2hunter2,x-team=a',
    'Authorization=Basic%20hunter2hunter2',
    'x-team=a,api-key=hunter2',
  ])('has a password in it: %s', (value) => {
    const found = variable('ANYTHING', value);
    expect(found).toEqual([expect.stringMatching(/^\[test\/Part\] extraEnv\[0\]\.value: got a string\. Rule: ANYTHING has a password in it, .+ Fix: .+ secretKeyRef/)]);
    expect(found[0]).not.toContain('hunter2');
  });

  test.each([['DB_PASSWORD', '12345'], ['SORT_PASSWORD', 'created_at'], ['API_KEY', '123456789'], ['MY_ASSORT_KEY', 'abc'], ['HASH_KEY', 'abc']])('is one: %s=%s', (name, value) => {
    expect(variable(name, value)).toHaveLength(1);
  });

  test.each([[undefined, 'x'], ['MY_TOKEN', undefined], ['MY_TOKEN', 5], [{}, {}]])('of another type is left to the other checks: %j %j', (name, value) => {
    expect(variable(name, value)).toEqual([]);
  });
});

describe('an argument', () => {
  test.each([
    ['--registry-store-uri=postgresql://u:hunter2@h/db', '--registry-store-uri=postgresql://u:***@h/db', 'MLFLOW_REGISTRY_STORE_URI'],
    ['--registry-store-uri=postgresql://u:$(PGPASSWORD)@h/db', '--registry-store-uri=postgresql://u:***@h/db', 'MLFLOW_REGISTRY_STORE_URI'],
    ['--registry-store-uri=postgresql://h/db?password=hunter2&sslmode=require', '--registry-store-uri=postgresql://h/db?password=***&sslmode=require', 'MLFLOW_REGISTRY_STORE_URI'],
    ['--admin-password=hunter2', '--admin-password=***', 'MLFLOW_ADMIN_PASSWORD'],
    ['--admin-password=$(PASSWORD)', '--admin-password=***', 'MLFLOW_ADMIN_PASSWORD'],
    ['--flask-secret-key=hunter2=', '--flask-secret-key=***', 'MLFLOW_FLASK_SECRET_KEY'],
    ['postgresql://u:hunter2@h/db', 'postgresql://u:***@h/db', 'MY_VARIABLE'],
    ['--uvicorn-opts=--ssl-keyfile-password=hunter2 --reload', '--uvicorn-opts=--ssl-keyfile-password=*** --reload', 'MLFLOW_UVICORN_OPTS'],
    ['--uvicorn-opts=--a 1 --ssl-keyfile-password hunter2', '--uvicorn-opts=--a 1 --ssl-keyfile-password ***', 'MLFLOW_UVICORN_OPTS'],
  ])('%s is told without its password', (text, shown, name) => {
    const found = argument(text);
    expect(found).toEqual([
      `[test/Part] extraArgs[0]: got ${JSON.stringify(shown)}. Rule: there is a password in it, and arguments are read by all who see the manifests, the pod or the processes of the node ` +
        '(https://kubernetes.io/docs/concepts/security/secrets-good-practices/). ' +
        `Fix: leave the argument out, keep its value in a Secret, and pass the variable { name: "${name}", valueFrom: { secretKeyRef: { name: "my-secret", key: "value" } } }.`,
    ]);
  });

  test('may be the value of the flag before it', () => {
    expect(value('--admin-password', 'hunter2')).toEqual([expect.stringMatching(/^\[test\/Part\] extraArgs\[1\]: got "\*\*\*"\. .*MLFLOW_ADMIN_PASSWORD/)]);
    expect(value('--sort-key', 'created_at')).toEqual([]);
    expect(value('--admin-password', '--other')).toEqual([]);
    expect(value('--registry-store-uri', 'postgresql://h/db')).toEqual([]);
  });

  test.each([['--uvicorn-opts=--timeout-keep-alive=120 --token-limit 5'], ['--registry-store-uri=postgresql://h/db'], ['--gunicorn-opts=--timeout=120'], ['--ssl-keyfile=/etc/tls/tls.key'], ['--key=/etc/tls/tls.key'], ['--require-token=true'], ['--password='], ['--host'], [''], [5], [undefined]])('%j is fine', (text) => {
    expect(argument(text)).toEqual([]);
  });
});
