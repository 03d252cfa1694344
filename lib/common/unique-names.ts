import { ApiObject, Chart } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';

/** Faults where an earlier object of the chart has the kind, namespace and name of an object of this construct, which may have made both. */
export function rejectTakenNames(construct: Construct, prop: string, fix: string): void {
  CHECKED.add(construct);
  construct.node.addValidation({
    validate: () => {
      // the construct around this one tells, with all that is taken in one message
      if (construct.node.scopes.slice(0, -1).some((scope) => CHECKED.has(scope))) return [];
      const key = (object: ApiObject) => `${object.kind} "${object.name}" in namespace "${object.metadata.namespace ?? '(none)'}"`;
      const own = new Set(objectsOf(construct));
      const earlier = new Map<string, ApiObject>();
      const taken: ApiObject[] = [];
      for (const object of objectsOf(Chart.of(construct))) {
        if (!earlier.has(key(object))) earlier.set(key(object), object);
        else if (own.has(object)) taken.push(object);
      }
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

const CHECKED = new WeakSet<IConstruct>();

function objectsOf(scope: Construct): ApiObject[] {
  return scope.node.findAll().filter((construct): construct is ApiObject => ApiObject.isApiObject(construct));
}
