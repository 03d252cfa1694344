import { Duration, Size, Testing } from 'cdk8s';
import { MlflowStack } from '../../lib';
import { canonicalBytes, canonicalCpu, quantity } from '../../lib/validation/quantity';
import { get } from '../helpers';

test.each([
  [1024 ** 3, '1Gi'],
  [1536 * 1024 ** 2, '1536Mi'],
  [10 * 1024 ** 4, '10Ti'],
  [1024, '1Ki'],
  [1000, '1000'],
])('%s bytes are written as %s', (bytes, text) => {
  expect(canonicalBytes(bytes)).toBe(text);
  expect(quantity(text)).toBe(bytes);
});

test.each([
  ['1000m', '1'],
  ['0.5', '500m'],
  ['2.0', '2'],
  ['250m', '250m'],
  ['1.25', '1250m'],
])('%s of a CPU is written as %s', (given, text) => {
  expect(canonicalCpu(given)).toBe(text);
  expect(quantity(text)).toBeCloseTo(quantity(given));
});

test('whatever a user writes, an apply finds it as it was', () => {
  const chart = Testing.chart();
  const resources = { cpuRequest: '0.5', cpuLimit: '2000m', memoryRequest: Size.mebibytes(1024), memoryLimit: Size.mebibytes(2048) };
  new MlflowStack(chart, 'Stack', { trackingServer: { resources, scratchSize: Size.mebibytes(768), pod: { terminationGracePeriod: Duration.minutes(1) } } });
  const [container] = get(Testing.synth(chart), 'Deployment', 'mlflow').spec.template.spec.containers;
  expect(container.resources).toEqual({
    requests: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '64Mi' },
    limits: { cpu: '2', memory: '2Gi', 'ephemeral-storage': '1Gi' },
  });
});
