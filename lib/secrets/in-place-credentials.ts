import { Construct } from 'constructs';
import { Credentials, CredentialsProps, ICredentials } from './credentials';
import { firstKey, generationOf } from './generation';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** Generated credentials whose values are under the same keys in each generation: a new password takes the place of the old one. */
export class InPlaceCredentials extends Credentials {
  public override readonly generation?: number;

  public constructor(scope: Construct, id: string, { generation, ...props }: CredentialsProps) {
    super(scope, id, props);
    this.generation = generationOf(new PropChecks(this), generation);
  }
}

/** The credentials under the keys of their first generation, where a new password takes the place of the old one. */
export function inPlace({ secretName, namespace, usernameKey, passwordKey, generated, generatedUsername, generation }: ICredentials): ICredentials {
  const key = (given: string) => (generated ? firstKey(given, generation) : given);
  return { secretName, namespace, usernameKey: key(usernameKey), passwordKey: key(passwordKey), generated, generatedUsername, generation };
}

/**
 * Where somebody else changes a value of a Secret, nothing in the YAML would replace the pods that have read it: this variable,
 * which no program reads, does.
 */
export function generationVariable(name: string, { generated, generation }: ICredentials): k8s.EnvVar[] {
  return generated || generation === undefined ? [] : [{ name, value: String(generation) }];
}
