import { Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { appWide } from '../../lib/secrets/app-wide';

test('all constructs of an app know the same, and those of another app nothing of it', () => {
  const app = Testing.app();
  const [one, other] = ['one', 'other'].map((id) => new Construct(new Chart(app, id), 'Part'));
  appWide<number>(one, 'cats').set('tom', 9);
  expect(appWide<number>(other, 'cats')).toBe(appWide<number>(one, 'cats'));
  expect(appWide<number>(one, 'dogs').size).toBe(0);
  expect(appWide<number>(Testing.chart(), 'cats').size).toBe(0);
});

test('it adds nothing to the tree', () => {
  const app = Testing.app();
  const chart = new Chart(app, 'chart');
  appWide(chart, 'cats').set('tom', 9);
  expect(app.node.findAll()).toEqual([app, chart]);
});
