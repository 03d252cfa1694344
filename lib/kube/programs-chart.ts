import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { belongsTo } from '../validation/unique-names';

const CONTEXT = 'cdk8s-mlflow/programs';
const SHAPE: Shape<ProgramsChartProps> = { chart: {} };

/** Props of `ProgramsChart`. */
export interface ProgramsChartProps {
  /** The chart whose programs stand here: one of the same app, with nothing in it yet. */
  readonly chart: Chart;
}

/**
 * A file of its own for the programs of another chart: the ConfigMaps with scripts, Python modules and dashboards of all
 * parts that are made in it later. What a review looks at first is then free of them. They have the namespace and the
 * labels of that chart, whose Namespace comes with them.
 *
 * The file comes before that of the chart, since `kubectl apply -f` takes a folder's files by their names: a pod that starts
 * before its program is there would run the old one. `<name of the chart>-programs` is such a name. Where charts depend on each
 * other, cdk8s numbers the files: the chart then depends on its programs, too.
 *
 * @see https://cdk8s.io/docs/latest/basics/chart/
 */
export class ProgramsChart extends Chart {
  /**
   * @param scope the app
   * @param id the name of the chart, and of its file
   * @param props the chart whose programs stand here
   * @throws at synth, where it is no chart of this app, has a ProgramsChart, has parts already, whose programs would stay there, or where the file would come behind it
   */
  public constructor(scope: Construct, id: string, props: ProgramsChartProps) {
    const given: unknown = props?.chart;
    super(scope, id, Chart.isChart(given) ? { namespace: given.namespace, labels: given.labels } : {});
    const checks = new PropChecks(this);
    const { chart } = checks.props(props, SHAPE);
    const fault = (value: unknown, rule: string, fix: string) =>
      checks.fault({ prop: 'chart', value, hidden: !Chart.isChart(chart), rule: `${rule} (https://cdk8s.io/docs/latest/basics/chart/)`, fix });
    if (!Chart.isChart(chart)) {
      fault(chart, 'it is the chart whose programs stand here', 'pass a chart such as new Chart(app, "mlflow")');
    } else if (chart.node.root !== this.node.root || this.node.scopes.includes(chart)) {
      fault(chart.node.path, 'the programs stand in a file beside that of their chart, in the same app', 'make both charts in one app: new ProgramsChart(app, "programs", { chart })');
    } else if (chart.node.tryGetContext(CONTEXT) !== undefined) {
      fault(chart.node.path, 'the programs of a chart stand in one place', 'make one ProgramsChart for this chart');
    } else if (chart.node.children.length > 0) {
      fault(chart.node.path, 'its programs are put here when its parts are made, and it has some already', 'make the ProgramsChart right after the chart');
    } else {
      chart.node.setContext(CONTEXT, this);
      // a dot comes behind a hyphen, and before letters
      if (`${id}.` > `${chart.node.id}.`) {
        checks.fault({
          prop: 'id',
          value: id,
          rule: `kubectl apply takes a folder's files by their names, and pods would start before their programs are there (https://cdk8s.io/docs/latest/basics/chart/)`,
          fix: `pass an id whose file comes before that of the chart, such as ${JSON.stringify(`${chart.node.id}-programs`)}`,
        });
      }
    }
  }
}

/** The file of the programs of a construct's chart, where it has one. */
export function programsOf(construct: Construct): Chart | undefined {
  return construct.node.tryGetContext(CONTEXT) as Chart | undefined;
}

/** Where a construct puts an object that is a program, and the id that it has there. */
export function programPlace(owner: Construct, id: string): [Construct, string] {
  const programs = programsOf(owner);
  if (programs === undefined) return [owner, id];
  const name = owner.node.path.replaceAll('/', '--');
  return [(programs.node.tryFindChild(name) as Construct | undefined) ?? belongsTo(owner, new Construct(programs, name)), id];
}
