import { ApiObject } from 'cdk8s';
import { IConstruct, IValidation } from 'constructs';
import { Notes } from '../kube/notes';

/** Kinds of Kubernetes that are in no namespace, whatever cdk8s says of the chart's. */
const CLUSTER_SCOPED = new Set(
  ('APIService CertificateSigningRequest ClusterRole ClusterRoleBinding CSIDriver CSINode CustomResourceDefinition DeviceClass FlowSchema IngressClass ' +
    'MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace Node PersistentVolume PriorityClass PriorityLevelConfiguration ' +
    'RuntimeClass StorageClass ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment').split(' '),
);

interface Selector {
  readonly key: string;
  readonly name: string;
}

/** The objects of a construct whose names are taken, and who else has the first of them, before it or behind it. */
interface Taken {
  readonly objects: ApiObject[];
  readonly other: string;
  readonly before: boolean;
}

// what constructs say of themselves; what follows from it for an app is in the Index of its pass
const CHECKED = new Notes<true>();
const OWNERS = new Notes<IConstruct>();
const SELECTORS = new Notes<Selector>();
const BASE_NAMES = new Notes<string>();
const INDEXES = new Notes<Index>();

/** Says that what is in a construct belongs to another one, which tells where a name of it is taken. */
export function belongsTo<T extends IConstruct>(owner: IConstruct, construct: T): T {
  OWNERS.set(construct, owner);
  return construct;
}

/** Gives an object whose name is made at synth the name by which it is compared. */
export function compareBy(object: ApiObject, name: string): void {
  BASE_NAMES.set(object, name);
}

/**
 * Faults where another object of the app has the kind, namespace and name of an object of this construct, which may have made
 * both. Of two constructs that reject taken names, the second is at fault.
 */
export function rejectTakenNames(construct: IConstruct, prop: string, fix: string): void {
  CHECKED.set(construct, true);
  const validation = {
    validate: () => {
      const taken = Index.for(construct, validation).taken.get(construct);
      if (taken === undefined) return [];
      return [
        `${prop}: got ${taken.objects.map(shown).join(', ')}, which [${taken.other}] makes ${taken.before ? 'already' : 'too'}. ` +
          'Rule: in one namespace each kind has a name once, and the second object would overwrite the first ' +
          '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). ' +
          `Fix: ${fix}.`,
      ];
    },
  };
  construct.node.addValidation(validation);
}

/** Faults where an earlier part of the app, of another name, has the same selector: a Service would send requests to the pods of both. */
export function rejectSharedSelector(construct: IConstruct, name: string, namespace: string, selector: { [label: string]: string }): void {
  const values: unknown[] = [namespace, ...Object.values(selector)];
  // what is no string is a fault of its own
  if (!values.every((value) => typeof value === 'string')) return;
  const key = JSON.stringify(values);
  SELECTORS.set(construct, { key, name });
  const validation = {
    validate: () => {
      const earlier = Index.for(construct, validation).selectors.get(key)!;
      // parts of one name are told by their names
      if (earlier === construct || SELECTORS.get(earlier)!.name === name) return [];
      return [
        `instance: got ${JSON.stringify(selector['app.kubernetes.io/instance'])}, which [${earlier.node.path}] has in namespace "${namespace}" too. ` +
          'Rule: the selector of a Service is made of it, and the Service of each would send its requests to the pods of both ' +
          '(https://kubernetes.io/docs/concepts/services-networking/service/). ' +
          'Fix: leave instance out, or give each its own.',
      ];
    },
  };
  construct.node.addValidation(validation);
}

/** The names and selectors of an app in one pass of its validation: made once for all of its constructs, which ask one after the other. */
class Index {
  /**
   * The index of the pass that runs. Another one has begun where a validation asks a second time, or its construct is not in
   * the index: objects may have been added since.
   */
  public static for(construct: IConstruct, validation: IValidation): Index {
    const { root } = construct.node;
    let index = INDEXES.get(root);
    if (index === undefined || index.asked.has(validation) || !index.constructs.has(construct)) {
      index = new Index(root);
      INDEXES.set(root, index);
    }
    index.asked.add(validation);
    return index;
  }

  public readonly taken = new Map<IConstruct, Taken>();

  /** The first construct of each selector. */
  public readonly selectors = new Map<string, IConstruct>();

  private readonly constructs = new Set<IConstruct>();
  private readonly asked = new Set<IValidation>();
  private readonly names = new Map<string, { readonly object: ApiObject; readonly teller?: IConstruct }>();

  private constructor(root: IConstruct) {
    this.visit(root);
  }

  /** `teller` is the outermost construct around that rejects taken names, which tells them all in one message. */
  private visit(construct: IConstruct, teller?: IConstruct): void {
    this.constructs.add(construct);
    const selector = SELECTORS.get(construct);
    if (selector !== undefined && !this.selectors.has(selector.key)) this.selectors.set(selector.key, construct);
    const owner = OWNERS.get(construct);
    if (owner !== undefined) teller = owner.node.scopes.find((scope) => CHECKED.has(scope));
    teller ??= CHECKED.has(construct) ? construct : undefined;
    if (ApiObject.isApiObject(construct)) this.add(construct, teller);
    for (const child of construct.node.children) this.visit(child, teller);
  }

  private add(object: ApiObject, teller: IConstruct | undefined): void {
    const place: unknown[] = [object.apiGroup, object.kind, namespaceOf(object) ?? '', nameOf(object)];
    // what is no string is a fault of its own
    if (!place.every((value) => typeof value === 'string')) return;
    const key = JSON.stringify(place);
    const first = this.names.get(key);
    if (first === undefined) this.names.set(key, { object, teller });
    else if (teller !== undefined) this.take(teller, object, first.object, true);
    else if (first.teller !== undefined) this.take(first.teller, first.object, object, false);
  }

  private take(teller: IConstruct, object: ApiObject, other: ApiObject, before: boolean): void {
    const taken = this.taken.get(teller);
    if (taken === undefined) this.taken.set(teller, { objects: [object], other: (OWNERS.get(other.node.scope!) ?? other).node.path, before });
    else if (!taken.objects.includes(object)) taken.objects.push(object);
  }
}

function nameOf(object: ApiObject): string {
  return BASE_NAMES.get(object) ?? object.name;
}

/** The namespace of an object, which cdk8s takes from the chart where the object names none. */
function namespaceOf(object: ApiObject): string | undefined {
  return CLUSTER_SCOPED.has(object.kind) ? undefined : object.metadata.namespace;
}

function shown(object: ApiObject): string {
  const where = CLUSTER_SCOPED.has(object.kind) ? '' : ` in namespace "${object.metadata.namespace ?? '(none)'}"`;
  return `${object.kind} "${nameOf(object)}"${where}`;
}
