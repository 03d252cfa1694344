import { Size } from 'cdk8s';
import { StoreOptions } from './store-options';
import { PropChecks } from '../validation/prop-checks';
import { Kind, Shape } from '../validation/prop-shape';
import { ICredentials } from '../secrets/credentials';
import { ContainerResources } from '../options/resources';

/** What a store needs of its credentials. */
export const CREDENTIALS: Kind = { secretName: 'string', namespace: 'string', usernameKey: 'string', passwordKey: 'string', generated: 'boolean' };

/** Props of a store that this library runs. */
export interface StatefulStoreProps extends StoreOptions {
  readonly name?: string;
  readonly image?: string;
  readonly credentials?: ICredentials;
}

/** What these props are. */
export const STORE: Shape<StatefulStoreProps> = {
  name: 'value',
  namespace: 'value',
  instance: 'value',
  image: 'value',
  bootstrapImage: 'value',
  credentials: CREDENTIALS,
  credentialsGeneration: 'value',
  administratorGeneration: 'value',
  storageSize: 'value',
  storageClassName: 'value',
  resources: {},
  images: {},
  pod: {},
  networkPolicy: {},
  cluster: {},
};

/** Longest name of a store: its bootstrap Job appends 21 characters, and the name of a Job has at most 63. */
const MAX_STORE_NAME = 42;

export const STORE_RESOURCES: Required<ContainerResources> = {
  cpuRequest: '100m',
  cpuLimit: '1',
  memoryRequest: Size.mebibytes(256),
  memoryLimit: Size.gibibytes(1),
};

export function storeName(checks: PropChecks, name: string): string {
  return checks.name('name', name, MAX_STORE_NAME);
}

export const STORE_SIZE = Size.gibibytes(10);

/** Faults where a store is given Secrets of another namespace, which its pods could not read. */
export function checkSecretNamespaces(checks: PropChecks, namespace: string, credentials: { [prop: string]: ICredentials }): void {
  for (const [prop, { secretName, namespace: elsewhere }] of Object.entries(credentials)) {
    if (elsewhere !== namespace) {
      checks.fault({
        prop,
        value: `Secret "${secretName}" in namespace "${elsewhere}"`,
        rule: `a pod reads Secrets of its own namespace only, here "${namespace}" (https://kubernetes.io/docs/concepts/configuration/secret/)`,
        fix: `pass credentials with namespace "${namespace}"`,
      });
    }
  }
}

/** The props without those that are a Secret where credentials belong: it has a name, and does not say under which keys they stand. */
export function withoutSecrets<Props extends object>(checks: PropChecks, props: Props, names: string[]): Props {
  const isSecret = (value: unknown): boolean => {
    const { name, secretName } = (value ?? {}) as { name?: unknown; secretName?: unknown };
    return typeof value === 'object' && typeof name === 'string' && secretName === undefined;
  };
  const given = (props ?? {}) as { [prop: string]: unknown };
  const secrets = names.filter((name) => isSecret(given[name]));
  if (secrets.length === 0) return props;
  for (const prop of secrets) {
    checks.fault({
      prop,
      value: given[prop],
      hidden: true,
      rule: 'credentials are a Secret and the keys under which user name and password stand in it (https://kubernetes.io/docs/concepts/configuration/secret/)',
      fix: 'pass Credentials.fromSecret(…) with this object, or Credentials.fromSecretName(…) with its name',
    });
  }
  return { ...props, ...Object.fromEntries(secrets.map((prop) => [prop, undefined])) };
}
