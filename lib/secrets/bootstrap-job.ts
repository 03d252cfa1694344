import { Construct } from 'constructs';
import { ICredentials } from './credentials';
import { FILL_SECRETS } from './fill-secrets-script';
import { Script, SecretJob, secretRules } from './secret-job';
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
 */
export class BootstrapJob extends SecretJob {
  public constructor(scope: Construct, id: string, props: BootstrapJobProps) {
    const credentials = [spec('admin', props.admin), spec('user', props.user)];
    const secrets = (generated: boolean) => [props.admin, props.user].filter((c) => c.generated === generated).map((c) => c.secretName);
    const directory = { env: { name: 'CREDENTIALS_DIR', value: CREDENTIALS_DIR }, mount: { name: 'credentials', mountPath: CREDENTIALS_DIR } };
    const fill = (name: string) => ({
      name,
      image: props.pythonImage,
      command: ['python3', FILL_SECRETS, name] as [string, string, string],
      env: [directory.env, { name: 'CREDENTIALS', value: JSON.stringify(credentials) }, ...(props.storeUrl === undefined ? [] : [{ name: 'STORE_URL', value: props.storeUrl }])],
      mounts: [directory.mount],
      usesApi: true,
    });
    super(scope, id, {
      ...props,
      part: { ...props.part, component: `${props.part.component}-bootstrap` },
      name: `${props.name}-bootstrap`,
      rules: secretRules(secrets(true), secrets(false)),
      steps: [
        fill('prepare'),
        {
          name: 'store',
          image: props.toolImage,
          command: ['/bin/bash', props.script.name],
          env: [directory.env, ...props.scriptEnv],
          mounts: [directory.mount, ...(props.scriptMounts ?? [])],
        },
        fill('publish'),
      ],
      volumes: [emptyDir('credentials', '1Mi', true), ...(props.scriptVolumes ?? [])],
    });
  }
}

function spec(role: string, credentials: ICredentials): object {
  const { secretName, usernameKey, passwordKey, generated, generatedUsername } = credentials;
  return { role, secretName, usernameKey, passwordKey, generated, generatedUsername };
}
