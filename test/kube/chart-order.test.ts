import { readdirSync } from 'node:fs';
import { App, Chart, Testing } from 'cdk8s';
import { putBehind } from '../../lib/kube/chart-order';
import { k8s } from '../../imports/k8s';

const object = (chart: Chart, id = 'Object') => new k8s.KubeConfigMap(chart, id, { metadata: { name: `${chart.node.id}-${id.toLowerCase()}` } });
const charts = (app: App) => ['a', 'b'].map((id) => new Chart(app, id));
const files = (app: App) => {
  app.synth();
  return readdirSync(app.outdir).sort();
};

test('a file comes behind another one', () => {
  const app = Testing.app();
  const [a, b] = charts(app);
  putBehind(object(a), object(b));
  expect(files(app)).toEqual(['0000-b.k8s.yaml', '0001-a.k8s.yaml']);
});

test('within a chart nothing changes', () => {
  const chart = Testing.chart();
  const [one, two] = ['One', 'Two'].map((id) => object(chart, id));
  putBehind(one, two);
  expect(one.node.dependencies).toEqual([]);
});

test.each<[string, (a: Chart, b: Chart) => void]>([
  ['of charts', (a, b) => b.addDependency(a)],
  ['of objects', (a, b) => object(b, 'Later').addDependency(object(a, 'Earlier'))],
])('a dependency %s that says the opposite counts, be it said later', (_, say) => {
  for (const before of [true, false]) {
    const app = Testing.app();
    const [a, b] = charts(app);
    if (before) say(a, b);
    putBehind(object(a), object(b));
    if (!before) say(a, b);
    expect(files(app)).toEqual(['0000-a.k8s.yaml', '0001-b.k8s.yaml']);
  }
});
