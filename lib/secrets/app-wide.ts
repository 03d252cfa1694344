import { IConstruct } from 'constructs';

/**
 * What constructs of one app have to know of each other, whatever charts they stand in. It is kept at the root of their tree,
 * and found there at once, however many they are.
 */
export function appWide<T>(construct: IConstruct, what: string): Map<string, T> {
  const root = construct.node.root.node;
  const type = `cdk8s-mlflow/${what}`;
  const known = root.metadata.find((entry) => entry.type === type);
  if (known !== undefined) return known.data as Map<string, T>;
  const made = new Map<string, T>();
  root.addMetadata(type, made);
  return made;
}
