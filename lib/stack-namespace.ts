import { ApiObject, Chart, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { putBehind } from './kube/chart-order';
import { Namespace } from './kube/objects';
import { programsOf } from './kube/programs-chart';
import { rejectTakenNames } from './validation/unique-names';
import { k8s } from '../imports/k8s';

/**
 * The Namespace comes first: before what stands in the chart already, before its programs, and before parts in other charts. It
 * stands beside the stack, so that something which the user puts before the stack can still come behind it.
 */
export function makeNamespace(stack: Construct, name: string, parts: unknown[]): k8s.KubeNamespace {
  const chart = Chart.of(stack);
  const programs = programsOf(stack);
  const place = programs ?? chart;
  const before = place.node.findAll().filter((construct) => ApiObject.isApiObject(construct));
  const path = stack.node.path.slice(programs === undefined ? chart.node.path.length + 1 : 0);
  const namespace = new Namespace(place, `${path}/Namespace`, {
    metadata: {
      name,
      labels: {
        'app.kubernetes.io/part-of': 'mlflow',
        'app.kubernetes.io/managed-by': 'cdk8s',
        'pod-security.kubernetes.io/enforce': 'restricted',
      },
    },
  });
  // cdk8s gives the namespace of the chart to every object, and a Namespace is in none
  if (chart.namespace !== undefined) namespace.addJsonPatch(JsonPatch.remove('/metadata/namespace'));
  rejectTakenNames(namespace, 'createNamespace', 'let one stack of the namespace make it, and pass createNamespace: false to the others');
  for (const object of before) object.node.addDependency(namespace);
  if (programs === undefined) stack.node.addDependency(namespace);
  const elsewhere = parts.filter((part) => Construct.isConstruct(part)).filter((part) => Chart.of(part) !== chart);
  for (const part of elsewhere) putBehind(part, namespace);
  // where cdk8s numbers the files, names do not order them
  if (programs !== undefined && elsewhere.length > 0) putBehind(stack, namespace);
  return namespace;
}
