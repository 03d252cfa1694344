import { Construct } from 'constructs';
import { ICredentials } from './credentials';
import { FILL_SECRETS_PY } from '../assets.generated';
import { fingerprint } from '../common/hash';
import { Part, labels, selectorLabels } from '../common/labels';
import { ConfigMap, ContentNamedJob, Role, RoleBinding, ServiceAccount } from '../common/objects';
import { BOOTSTRAP_RESOURCES, CONTAINER_SECURITY, POD_SECURITY, emptyDir } from '../common/pod';
import { Images } from '../images';
import { k8s } from '../../imports/k8s';

const SCRIPTS_DIR = '/scripts';

/** Where the containers of the Job hand credentials to each other, in memory. */
export const CREDENTIALS_DIR = '/credentials';

export interface BootstrapJobProps {
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  /** Image with Python, for the containers that talk to the API server. */
  readonly pythonImage?: string;
  /** Who may make users in the store. */
  readonly admin: ICredentials;
  /** The user to make in the store. */
  readonly user: ICredentials;
  /** Image with the store's client. */
  readonly toolImage: string;
  /** File name and text of the script that makes the user and what belongs to it. */
  readonly script: { readonly name: string; readonly text: string };
  readonly scriptEnv: k8s.EnvVar[];
  /** URL of the store for clients that want one. */
  readonly storeUrl?: string;
}

/**
 * Makes the user of a store in an order that needs no hooks: the administrator's Secret first, then the user,
 * and the user's Secret last. A pod that needs the user's Secret cannot start before the user exists.
 */
export class BootstrapJob extends Construct {
  public readonly job: k8s.KubeJob;
  public readonly serviceAccount: k8s.KubeServiceAccount;
  public readonly role: k8s.KubeRole;
  public readonly roleBinding: k8s.KubeRoleBinding;
  public readonly scripts: k8s.KubeConfigMap;

  public constructor(scope: Construct, id: string, props: BootstrapJobProps) {
    super(scope, id);
    const part: Part = { ...props.part, component: `${props.part.component}-bootstrap` };
    const name = `${props.name}-bootstrap`;
    const metadata = { name, namespace: props.namespace, labels: labels(part) };
    const scripts = { 'fill-secrets.py': FILL_SECRETS_PY, [props.script.name]: props.script.text };
    const credentials = [spec('admin', props.admin), spec('user', props.user)];

    this.serviceAccount = new ServiceAccount(this, 'ServiceAccount', { metadata, automountServiceAccountToken: false });
    this.role = new Role(this, 'Role', { metadata, rules: rules([props.admin, props.user]) });
    this.roleBinding = new RoleBinding(this, 'RoleBinding', {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: props.namespace }],
    });
    this.scripts = new ConfigMap(this, 'Scripts', { metadata, data: scripts });

    const container = (containerName: string, image: string, command: string[], env: k8s.EnvVar[]): k8s.Container => ({
      name: containerName,
      image,
      imagePullPolicy: 'IfNotPresent',
      command,
      env: [{ name: 'CREDENTIALS_DIR', value: CREDENTIALS_DIR }, ...env],
      resources: BOOTSTRAP_RESOURCES,
      securityContext: CONTAINER_SECURITY,
      terminationMessagePolicy: 'FallbackToLogsOnError',
      volumeMounts: [
        { name: 'credentials', mountPath: CREDENTIALS_DIR },
        { name: 'scripts', mountPath: SCRIPTS_DIR, readOnly: true },
        { name: 'tmp', mountPath: '/tmp' },
      ],
    });
    const python = (step: string): k8s.Container =>
      container(step, props.pythonImage ?? Images.MLFLOW, ['python3', `${SCRIPTS_DIR}/fill-secrets.py`, step], [
        { name: 'CREDENTIALS', value: JSON.stringify(credentials) },
        ...(props.storeUrl === undefined ? [] : [{ name: 'STORE_URL', value: props.storeUrl }]),
      ]);

    this.job = new ContentNamedJob(this, 'Job', {
      metadata,
      spec: {
        template: {
          metadata: {
            labels: selectorLabels(part),
            annotations: { 'checksum/scripts': fingerprint(scripts) },
          },
          spec: {
            serviceAccountName: name,
            automountServiceAccountToken: true,
            enableServiceLinks: false,
            restartPolicy: 'OnFailure',
            securityContext: POD_SECURITY,
            initContainers: [
              python('prepare'),
              container('store', props.toolImage, ['/bin/bash', `${SCRIPTS_DIR}/${props.script.name}`], props.scriptEnv),
            ],
            containers: [python('publish')],
            volumes: [
              emptyDir('credentials', '1Mi', true),
              { name: 'scripts', configMap: { name } },
              emptyDir('tmp', '64Mi'),
            ],
          },
        },
      },
    });
    this.node.defaultChild = this.job;
  }
}

function spec(role: string, credentials: ICredentials): object {
  const { secretName, usernameKey, passwordKey, generated, generatedUsername } = credentials;
  return { role, secretName, usernameKey, passwordKey, generated, generatedUsername };
}

function rules(credentials: ICredentials[]): k8s.PolicyRule[] {
  const names = (generated: boolean) => credentials.filter((c) => c.generated === generated).map((c) => c.secretName);
  const rule = (verbs: string[], resourceNames: string[]) => ({ apiGroups: [''], resources: ['secrets'], resourceNames, verbs });
  return [rule(['get', 'patch'], names(true)), rule(['get'], names(false))].filter((r) => r.resourceNames.length > 0);
}

