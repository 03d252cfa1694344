import { Chart, Testing } from 'cdk8s';
import { ArgoCdHooks, MlflowStack } from '../../lib';
import { ofKind } from '../helpers';

const HOOK = { 'argocd.argoproj.io/hook': 'Sync', 'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation' };

function stack(change: (chart: Chart) => void = () => undefined) {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  new MlflowStack(chart, 'Stack');
  change(chart);
  return Testing.synth(chart);
}

test('each Job is a hook, of the same name as without, and nothing else is', () => {
  const [plain, hooked] = [stack(), stack((chart) => ArgoCdHooks.add(chart))];

  expect(ofKind(hooked, 'Job').map(({ metadata }) => metadata.annotations)).toEqual([HOOK, HOOK, HOOK]);
  const without = hooked.map((object) => (object.kind === 'Job' ? { ...object, metadata: { ...object.metadata, annotations: undefined } } : object));
  expect(JSON.parse(JSON.stringify(without))).toEqual(plain);
});

test('a hook that is there stays as it is', () => {
  const objects = stack((chart) => {
    const [job] = chart.node.findAll().filter((construct) => (construct as unknown as { kind?: string }).kind === 'Job') as unknown as { metadata: { addAnnotation(key: string, value: string): void } }[];
    job.metadata.addAnnotation('argocd.argoproj.io/hook', 'PreSync');
    ArgoCdHooks.add(chart);
  });

  expect(ofKind(objects, 'Job').filter(({ metadata }) => metadata.annotations['argocd.argoproj.io/hook'] === 'PreSync').map(({ metadata }) => Object.keys(metadata.annotations))).toEqual([['argocd.argoproj.io/hook']]);
});

test('every Job goes a minute after its end, so that the next apply makes it anew', () => {
  expect(ofKind(stack(), 'Job').map(({ spec }) => spec.ttlSecondsAfterFinished)).toEqual([60, 60, 60]);
});
