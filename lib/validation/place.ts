import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { checkPeers } from './peers';
import { described } from './prop-shape';

/** What is installed stays what it is while a program runs: a first construct looks, for all of them. */
let peersFit = false;

/** The scope, where it is one in which a construct with this id can stand: a chart or a construct in one. */
export function place(scope: Construct, id: string): Construct {
  if (!peersFit) checkPeers();
  peersFit = true;
  if (typeof id !== 'string' || id === '') {
    throw new Error(`id: got ${described(id)}. Rule: a construct has an id, a text that no other construct in its scope has. Fix: pass one such as "Mlflow"`);
  }
  if (!isInChart(scope)) {
    throw new Error(
      `[${id}] scope: got ${described(scope)}. Rule: Kubernetes objects stand in a chart (https://cdk8s.io/docs/latest/basics/chart/). ` +
        'Fix: pass a chart such as new Chart(app, "mlflow"), or a construct in one',
    );
  }
  return scope;
}

function isInChart(scope: unknown): boolean {
  return Construct.isConstruct(scope) && scope.node.scopes.some((construct) => Chart.isChart(construct));
}
