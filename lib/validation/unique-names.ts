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

/** Faults where an earlier part of the chart, of another name, has the same selector: a Service would send requests to the pods of both. */
export function rejectSharedSelector(construct: Construct, name: string, namespace: string, selector: { [label: string]: string }): void {
  const values: unknown[] = [namespace, ...Object.values(selector)];
  // what is no string is a fault of its own
  if (!values.every((value) => typeof value === 'string')) return;
  const key = JSON.stringify(values);
  SELECTORS.set(construct, { key, name });
  construct.node.addValidation({
    validate: () => {
      const all = Chart.of(construct).node.findAll();
      const earlier = all.slice(0, all.indexOf(construct)).find((other) => SELECTORS.get(other)?.key === key);
      // parts of one name are told by their names
      if (earlier === undefined || SELECTORS.get(earlier)!.name === name) return [];
      return [
        `instance: got ${JSON.stringify(selector['app.kubernetes.io/instance'])}, which [${earlier.node.path}] has in namespace "${namespace}" too. ` +
          'Rule: the selector of a Service is made of it, and the Service of each would send its requests to the pods of both ' +
          '(https://kubernetes.io/docs/concepts/services-networking/service/). ' +
          'Fix: leave instance out, or give each its own.',
      ];
    },
  });
}

const SELECTORS = new WeakMap<IConstruct, { readonly key: string; readonly name: string }>();
