import { ApiObject, Chart, Testing } from 'cdk8s';
import { StartupScript } from '../../lib';
import { START_MLFLOW_PY } from '../../lib/assets.generated';
import { faults } from '../helpers';

test('a ConfigMap with the script of the library', () => {
  const chart = Testing.chart();
  const script = new StartupScript(chart, 'Script');
  expect(Testing.synth(chart)).toEqual([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mlflow-startup-script', namespace: 'mlflow' },
      data: { 'start-mlflow.py': START_MLFLOW_PY },
    },
  ]);
  expect(script).toMatchObject({
    configMapName: 'mlflow-startup-script',
    namespace: 'mlflow',
    key: 'start-mlflow.py',
    mountPath: '/app/start-mlflow.py',
  });
  expect(ApiObject.of(script)).toBe(script.configMap);
});

test('name, namespace, labels and text can be others', () => {
  const chart = Testing.chart();
  new StartupScript(chart, 'Script', { name: 'script', namespace: 'team-a', labels: { team: 'a' }, content: 'pass\n' });
  expect(Testing.synth(chart)).toEqual([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'script', namespace: 'team-a', labels: { team: 'a' } },
      data: { 'start-mlflow.py': 'pass\n' },
    },
  ]);
});

test('the namespace is that of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new StartupScript(chart, 'Script').namespace).toBe('from-chart');
});

test('the checksum is that of the text', () => {
  const chart = Testing.chart();
  const checksum = (id: string, content?: string) => new StartupScript(chart, id, { name: id, content }).checksum;
  expect(checksum('one', 'pass')).toMatch(/^[0-9a-f]{10}$/);
  expect(checksum('same', 'pass')).toBe(checksum('again', 'pass'));
  expect(checksum('other', 'pass ')).not.toBe(checksum('former', 'pass'));
  expect(checksum('default')).toBe(checksum('library', START_MLFLOW_PY));
});

test.each<[unknown, string]>([
  ['', '""'],
  [' \n', '" \\n"'],
  [7, '7'],
])('the text cannot be %j', (content, got) => {
  const chart = Testing.chart();
  new StartupScript(chart, 'Script', { content: content as string });
  expect(faults(chart)).toEqual([
    `[test/Script] content: got ${got}. Rule: the script is a Python program that ends with os.execvp of its arguments. ` +
      'Fix: pass the text of the program, or leave the prop out.',
  ]);
});

test('the name cannot be that of no object', () => {
  const chart = Testing.chart();
  new StartupScript(chart, 'Script', { name: 'My Script' });
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Script\] name: got "My Script"\. Rule: .+ Fix: pass a name such as "my-script"\.$/)]);
});

test('the namespace is checked', () => {
  const chart = Testing.chart();
  new StartupScript(chart, 'Script', { namespace: 'Team A' });
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Script\] namespace: got "Team A"\. Rule: .+ Fix: pass a namespace such as "team-a"\.$/)]);
});
