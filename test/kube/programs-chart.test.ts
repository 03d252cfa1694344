import { App, Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { ProgramsChart, programPlace } from '../../lib/kube/programs-chart';
import { rejectTakenNames } from '../../lib/validation/unique-names';
import { k8s } from '../../imports/k8s';
import { faults } from '../helpers';

/** A part with a program and something that is none. */
function part(scope: Construct, id: string, name: string): Construct {
  const owner = new Construct(scope, id);
  const inner = new Construct(owner, 'Script');
  new k8s.KubeConfigMap(...programPlace(inner, 'ConfigMap'), { metadata: { name }, data: { program: '1' } });
  new k8s.KubeConfigMap(...programPlace(inner, 'Other'), { metadata: { name: `${name}-other` } });
  new k8s.KubeSecret(owner, 'Secret', { metadata: { name } });
  rejectTakenNames(owner, 'name', 'choose another');
  return owner;
}
const names = (chart: Chart) => Testing.synth(chart).map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);

test('without one a program stands with its part', () => {
  const chart = Testing.chart();
  const owner = new Construct(chart, 'Part');
  expect(programPlace(owner, 'ConfigMap')).toEqual([owner, 'ConfigMap']);
});

test('programs stand in it, with the namespace and the labels of their chart, and nothing else does', () => {
  const app = Testing.app();
  const chart = new Chart(app, 'mlflow', { namespace: 'team', labels: { team: 'vision' } });
  const programs = new ProgramsChart(app, 'mlflow-programs', { chart });
  part(chart, 'Part', 'a');
  expect(names(chart)).toEqual(['Secret team/a']);
  expect(names(programs)).toEqual(['ConfigMap team/a', 'ConfigMap team/a-other']);
  for (const { metadata } of Testing.synth(programs)) expect(metadata.labels).toEqual({ team: 'vision' });
  expect(programs.node.findAll().map(({ node }) => node.path)).toEqual(['', '/mlflow--Part--Script', '/mlflow--Part--Script/ConfigMap', '/mlflow--Part--Script/Other'].map((path) => `mlflow-programs${path}`));
});

test('programs of another chart stay where they are', () => {
  const app = Testing.app();
  const programs = new ProgramsChart(app, 'first-programs', { chart: new Chart(app, 'first') });
  const second = new Chart(app, 'second');
  part(second, 'Part', 'a');
  expect([names(programs).length, names(second).length]).toEqual([0, 3]);
});

test('two charts have their own', () => {
  const app = Testing.app();
  const charts = ['one', 'two'].map((namespace) => new Chart(app, namespace, { namespace }));
  const programs = charts.map((chart) => new ProgramsChart(app, `${chart.node.id}-programs`, { chart }));
  for (const chart of charts) part(chart, 'Part', 'a');
  expect(programs.map(names)).toEqual([['ConfigMap one/a', 'ConfigMap one/a-other'], ['ConfigMap two/a', 'ConfigMap two/a-other']]);
});

test('a name that is taken is told once, by the construct that the program belongs to, with all its others', () => {
  const app = Testing.app();
  const chart = new Chart(app, 'mlflow', { namespace: 'team' });
  new ProgramsChart(app, 'mlflow-programs', { chart });
  part(chart, 'First', 'a');
  part(chart, 'Second', 'a');
  expect(faults(chart)).toEqual([
    expect.stringMatching(
      /^\[mlflow\/Second\] name: got Secret "a" in namespace "team", ConfigMap "a" in namespace "team", ConfigMap "a-other" in namespace "team", which \[mlflow\/First\/Secret\] makes already\. .+ Fix: choose another\.$/,
    ),
  ]);
});

test('the path of a program that has the name first is that of its owner', () => {
  const app = Testing.app();
  const chart = new Chart(app, 'mlflow', { namespace: 'team' });
  new ProgramsChart(app, 'mlflow-programs', { chart });
  part(chart, 'First', 'a');
  const second = new Construct(new Chart(app, 'other', { namespace: 'team' }), 'Second');
  new k8s.KubeConfigMap(second, 'Own', { metadata: { name: 'a' } });
  rejectTakenNames(second, 'name', 'choose another');
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[other\/Second\] name: got ConfigMap "a" in namespace "team", which \[mlflow\/First\/Script\] makes already\./)]);
});

describe('is told', () => {
  const made = (make: (app: App) => unknown) => {
    const app = Testing.app();
    make(app);
    return faults(app.charts[0]);
  };
  const wrong = (got: string, rule: string, fix: string) => [expect.stringMatching(new RegExp(`^\\[.+\\] chart: got ${got}\\. Rule: ${rule} \\(https:.+\\)\\. Fix: ${fix}.*\\.$`))];

  test.each<[unknown, string]>([[{}, 'an object with nothing in it'], [Testing.app(), 'the root of the app'], [undefined, 'undefined']])('what is no chart: %#', (chart, got) => {
    expect(made((app) => new ProgramsChart(app, 'mlflow-programs', { chart: chart as Chart }))).toEqual(wrong(got, 'it is the chart whose programs stand here', 'pass a chart'));
  });

  test('props that are none', () => {
    expect(made((app) => new ProgramsChart(app, 'mlflow-programs', undefined as never))[0]).toMatch(/^\[mlflow-programs\] props: got undefined/);
  });

  test('a chart that has something in it', () => {
    const faulty = made((app) => {
      const chart = new Chart(app, 'mlflow');
      part(chart, 'Part', 'a');
      new ProgramsChart(app, 'mlflow-programs', { chart });
    });
    expect(faulty).toEqual(wrong('"mlflow"', '.+ it has some already', 'make the ProgramsChart right after the chart'));
  });

  test('a chart that has one', () => {
    const faulty = made((app) => {
      const chart = new Chart(app, 'mlflow');
      new ProgramsChart(app, 'mlflow-programs', { chart });
      new ProgramsChart(app, 'again', { chart });
    });
    expect(faulty).toEqual(wrong('"mlflow"', 'the programs of a chart stand in one place', 'make one'));
  });

  test('a chart around it, or of another app', () => {
    const inside = made((app) => {
      const chart = new Chart(app, 'mlflow');
      new ProgramsChart(chart, 'programs', { chart });
    });
    const elsewhere = made((app) => new ProgramsChart(app, 'mlflow-programs', { chart: new Chart(Testing.app(), 'mlflow') }));
    for (const faulty of [inside, elsewhere]) expect(faulty).toEqual(wrong('"mlflow"', 'the programs stand in a file beside that of their chart, in the same app', 'make both charts in one app'));
  });
});

describe('the file of the programs', () => {
  const told = (chart: string, id: string) => {
    const app = Testing.app();
    new ProgramsChart(app, id, { chart: new Chart(app, chart) });
    return faults(app.charts[0]);
  };

  test.each([['mlflow', 'mlflow-programs'], ['zz', 'zz-programs'], ['mlflow', 'a']])('of chart %s may be %s, which is applied first', (chart, id) => {
    expect(told(chart, id)).toEqual([]);
  });

  test.each([['mlflow', 'programs'], ['mlflow', 'mlflowprograms']])('of chart %s may not be %s: pods would start before their programs are there', (chart, id) => {
    expect(told(chart, id)).toEqual([
      `[${id}] id: got "${id}". Rule: kubectl apply takes a folder's files by their names, and pods would start before their programs are there ` +
        `(https://cdk8s.io/docs/latest/basics/chart/). Fix: pass an id whose file comes before that of the chart, such as "${chart}-programs".`,
    ]);
  });
});
