import { Duration, Size } from 'cdk8s';
import { PropChecks } from '../validation/prop-checks';
import { Kind } from '../validation/prop-shape';
import { ICredentials } from '../secrets/credentials';
import { ContainerResources } from '../options/resources';

/** What a store needs of its credentials. */
export const CREDENTIALS: Kind = { secretName: 'string', namespace: 'string', usernameKey: 'string', passwordKey: 'string', generated: 'boolean' };

/** Longest name of a store: its bootstrap Job appends 21 characters, and the name of a Job has at most 63. */
const MAX_STORE_NAME = 42;

/** How long a bootstrap Job waits for its store before it fails, says why, and is tried again. */
export const BOOTSTRAP_DEADLINE = Duration.minutes(10);

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
