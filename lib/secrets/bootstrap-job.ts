import { Construct } from 'constructs';
import { ICredentials } from './credentials';
import { FILL_SECRETS } from './fill-secrets-script';
import { firstKey } from './generation';
import { inPlace } from './in-place-credentials';
import { PODS_RULE, Script, SecretJob, Step, replacementRule, secretRules } from './secret-job';
import { ImageSource } from '../kube/image-source';
import { Part } from '../kube/labels';
import { emptyDir } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { k8s } from '../../imports/k8s';

/** Where the containers of the Job hand credentials to each other, in memory. */
export const CREDENTIALS_DIR = '/credentials';

export interface BootstrapJobProps {
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  /** Image with Python, for the containers that talk to the API server. */
  readonly pythonImage: string;
  readonly images: ImageSource;
  readonly pod: PodSettings;
  /** What the NetworkPolicy lets out besides name resolution and the API server; without it there is no policy. */
  readonly egress?: k8s.NetworkPolicyEgressRule[];
  /** Who may make users in the store. */
  readonly admin: ICredentials;
  /** Whether the administrator keeps name and keys, and the script gives him another password. */
  readonly adminInPlace?: boolean;
  /** The pods of a server that has its administrator from the Secret, at its start: they are replaced when he was made anew. */
  readonly pods?: string[];
  /** The user to make in the store. */
  readonly user: ICredentials;
  /** Image with the store's client. */
  readonly toolImage: string;
  /** The script that makes the user and what belongs to it. */
  readonly script: Script;
  readonly scriptEnv: k8s.EnvVar[];
  /** Volumes that the script needs, and where. */
  readonly scriptVolumes?: k8s.Volume[];
  readonly scriptMounts?: k8s.VolumeMount[];
  /** URL of the store for clients that want one. */
  readonly storeUrl?: string;
}

/**
 * Makes the user of a store in an order that needs no hooks: the administrator's Secret first, then the user,
 * and the user's Secret last. A pod that needs the user's Secret cannot start before the user exists.
 *
 * From the second generation on it goes on: it waits until no pod has the user of another generation in its environment, removes
 * this user, and then what stands of it in the Secret. Whatever ends it in between, the next run finds what is left to do.
 */
export class BootstrapJob extends SecretJob {
  public constructor(scope: Construct, id: string, props: BootstrapJobProps) {
    const admin = props.adminInPlace === true ? inPlace(props.admin) : props.admin;
    const pods = props.adminInPlace !== true && admin.generated ? props.pods : undefined;
    const credentials = [spec('admin', admin, props.adminInPlace, pods), spec('user', props.user)];
    const secrets = (generated: boolean) => [props.admin, props.user].filter((c) => c.generated === generated).map((c) => c.secretName);
    const directory = { env: { name: 'CREDENTIALS_DIR', value: CREDENTIALS_DIR }, mount: { name: 'credentials', mountPath: CREDENTIALS_DIR } };
    const rotates = (props.user.generated && props.user.generation !== undefined) || (props.adminInPlace !== true && admin.generated && admin.generation !== undefined);
    const fill = (name: string, ...env: k8s.EnvVar[]): Step => ({
      name,
      image: props.pythonImage,
      command: ['python3', FILL_SECRETS, name] as [string, string, string],
      env: [directory.env, { name: 'CREDENTIALS', value: JSON.stringify(credentials) }, ...env],
      mounts: [directory.mount],
      usesApi: true,
    });
    const storeUrl = props.storeUrl === undefined ? [] : [{ name: 'STORE_URL', value: props.storeUrl }];
    const generation = props.user.generation === undefined ? [] : [{ name: 'GENERATION', value: String(props.user.generation) }];
    const store = (name: string, ...words: string[]): Step => ({
      name,
      image: props.toolImage,
      command: ['/bin/bash', props.script.name, ...words],
      env: [directory.env, ...props.scriptEnv, ...generation],
      mounts: [directory.mount, ...(props.scriptMounts ?? [])],
    });
    super(scope, id, {
      ...props,
      part: { ...props.part, component: `${props.part.component}-bootstrap` },
      name: `${props.name}-bootstrap`,
      rules: [...secretRules(secrets(true), secrets(false)), ...(rotates ? [PODS_RULE] : []), ...(pods ? [replacementRule(pods)] : [])],
      steps: [fill('prepare', ...storeUrl), store('store'), fill('publish'), ...(rotates ? [fill('await'), store('retire', 'retire'), fill('forget')] : [])],
      volumes: [emptyDir('credentials', '1Mi', true), ...(props.scriptVolumes ?? [])],
    });
  }
}

function spec(role: string, credentials: ICredentials, keepsKeys?: boolean, pods?: string[]): object {
  const { secretName, usernameKey, passwordKey, generated, generatedUsername, generation } = credentials;
  // the keys of other generations are found by that of the first one
  const first = generated && generation !== undefined && keepsKeys !== true ? { firstUsernameKey: firstKey(usernameKey, generation), firstPasswordKey: firstKey(passwordKey, generation) } : {};
  return { role, secretName, usernameKey, passwordKey, generated, generatedUsername, generation, inPlace: keepsKeys === true && generated && generation !== undefined ? true : undefined, pods, ...first };
}
