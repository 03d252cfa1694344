import { App, Chart, Testing } from 'cdk8s';
import { Minio } from '../../lib';
import { Fault } from '../../lib/validation/fault';
import { spelled } from '../../lib/validation/spelling';

const FAULT: Fault = {
  prop: 'trackingServer.settings.allowedHosts[0]',
  value: 'camelCase',
  rule: 'deriveAllowedHosts sets this one, and "allowedHosts" does as well (https://example.com/allowedHosts)',
  fix: 'pass Credentials.fromSecretName(…), new Minio(…), or a text such as "storageSize"',
};

const told = (agent?: string) => {
  const { prop, rule, fix } = spelled(FAULT, agent);
  return [prop, rule, fix];
};

test.each([undefined, '', 'Java/21.0.1'])('in TypeScript and Java (%j) names are as they are', (agent) => {
  expect(spelled(FAULT, agent)).toEqual(FAULT);
});

test('in Python they have underscores, but neither in addresses nor in what is quoted', () => {
  expect(told('Python/3.13.1')).toEqual([
    'tracking_server.settings.allowed_hosts[0]',
    'derive_allowed_hosts sets this one, and "allowedHosts" does as well (https://example.com/allowedHosts)',
    'pass Credentials.from_secret_name(…), Minio(…), or a text such as "storageSize"',
  ]);
});

test('in Go and .NET they begin with a capital', () => {
  const [prop, rule, fix] = told('go1.24/linux/amd64');
  expect(prop).toBe('TrackingServer.Settings.AllowedHosts[0]');
  expect(rule).toContain('DeriveAllowedHosts sets this one, and "allowedHosts" does');
  expect(fix).toContain('Credentials_FromSecretName(…)');
  expect(told('DotNet/8.0.1/x')[2]).toContain('Credentials.FromSecretName(…)');
});

test('a fault is told by them, and the values are as they were given', () => {
  const before = process.env.JSII_AGENT;
  process.env.JSII_AGENT = 'Python/3.13.1';
  try {
    const chart = new Chart(new App(), 'c');
    new Minio(chart, 'Store', { storageSize: 'camelCase' as never, bucket: 'Camel' });
    expect(() => Testing.synth(chart)).toThrow(/\[c\/Store\] storage_size: got .*\[c\/Store\] bucket: got "Camel"|\[c\/Store\] bucket: got "Camel"[^]*\[c\/Store\] storage_size: got /s);
  } finally {
    if (before === undefined) delete process.env.JSII_AGENT;
    else process.env.JSII_AGENT = before;
  }
});
