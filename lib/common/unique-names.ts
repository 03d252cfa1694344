import { ApiObject, Chart } from 'cdk8s';
import { Construct } from 'constructs';

/** Faults where an earlier object of the chart has the kind, namespace and name of an object of this construct. */
export function rejectTakenNames(construct: Construct, prop: string, fix: string): void {
  construct.node.addValidation({
    validate: () => {
      const key = (object: ApiObject) => `${object.kind} "${object.name}" in namespace "${object.metadata.namespace ?? '(none)'}"`;
      const own = new Set(objectsOf(construct));
      const earlier = new Map<string, ApiObject>();
      for (const object of objectsOf(Chart.of(construct))) {
        if (own.has(object)) break;
        earlier.set(key(object), object);
      }
      const taken = [...own].filter((object) => earlier.has(key(object)));
      if (taken.length === 0) return [];
      return [
        `${prop}: got ${taken.map(key).join(', ')}, which [${earlier.get(key(taken[0]))!.node.path}] makes already. ` +
          'Rule: in one namespace each kind has a name once, and the second object would overwrite the first ' +
          '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). ' +
          `Fix: ${fix}.`,
      ];
    },
  });
}

function objectsOf(scope: Construct): ApiObject[] {
  return scope.node.findAll().filter((construct): construct is ApiObject => ApiObject.isApiObject(construct));
}
