import { ApiObject, App, JsonPatch } from 'cdk8s';

interface Container { readonly resources?: { readonly requests?: { readonly cpu?: string } } }
type Pod = { readonly [list in 'containers' | 'initContainers']?: Container[] };

const PLACES = ['/spec/template/spec', '/spec/jobTemplate/spec/template/spec'];
const LISTS = ['containers', 'initContainers'] as const;

/** Lets all stacks of the tests fit beside each other on a node with two CPUs, however many run at once. Call it before the synth. */
export function requestLittleCpu(app: App): void {
  for (const object of app.node.findAll().filter((node) => ApiObject.isApiObject(node))) {
    const manifest = object.toJson() as object;
    for (const place of PLACES) {
      const pod = place.split('/').slice(1).reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], manifest) as Pod | undefined;
      for (const list of LISTS) {
        (pod?.[list] ?? []).forEach(({ resources }, index) => {
          if (resources?.requests?.cpu !== undefined) object.addJsonPatch(JsonPatch.replace(`${place}/${list}/${index}/resources/requests/cpu`, '20m'));
        });
      }
    }
  }
}
