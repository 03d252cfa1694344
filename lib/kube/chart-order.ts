import { Chart } from 'cdk8s';
import { Construct, Dependable, IConstruct } from 'constructs';

/** Whether the question is being asked what else says of the order of charts. */
let asking = false;

/**
 * Puts the file of a construct behind that of another one, where they stand in two charts: `kubectl apply` takes a folder's
 * files by their names. Where the user says the opposite, be it later, that counts.
 */
export function putBehind(construct: Construct, other: IConstruct): void {
  const [behind, before] = [Chart.of(construct), Chart.of(other)];
  if (behind === before || behind.node.root !== before.node.root) return;
  const order = {};
  Dependable.implement(order, {
    get dependencyRoots(): IConstruct[] {
      if (asking) return [];
      asking = true;
      try {
        return dependsOn(before, behind) ? [] : [other];
      } finally {
        asking = false;
      }
    },
  });
  construct.node.addDependency(order);
}

function dependsOn(chart: Chart, other: Chart): boolean {
  return chart.node.findAll().some(({ node }) => node.dependencies.some((dependency) => Chart.of(dependency) === other));
}
