import { Construct } from 'constructs';
import { FILL_SECRETS, fillSecretsScript } from './fill-secrets-script';
import { FILL_SECRETS_PY } from '../assets.generated';
import { Connections } from '../kube/connections';
import { fingerprint } from '../kube/hash';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels } from '../kube/labels';
import { TO_KUBERNETES_API, podPolicy } from '../kube/network';
import { ConfigMap, ContentNamedJob, Role, RoleBinding, ServiceAccount } from '../kube/objects';
import { BOOTSTRAP_RESOURCES, CONTAINER_SECURITY, POD_SECURITY, emptyDir } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { programPlace } from '../kube/programs-chart';
import { k8s } from '../../imports/k8s';

const SCRIPTS_DIR = '/scripts';
const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * No end: what a Job waits for, a store or a Secret, may be days away, and an apply does not start a Job again that has given
 * up. The kubelet waits 5 minutes at most between two tries.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
 */
const TRIES = 2 ** 31 - 1;

/** What Kubernetes mounts by itself into every container of a pod, where nothing says otherwise. */
const API_ACCESS: k8s.Volume = {
  name: 'api-access',
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardApi: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ],
  },
};

/** A script that runs in a container of a `SecretJob`. */
export interface Script {
  /** Name of the file. */
  readonly name: string;
  readonly text: string;
}

/** One container of a `SecretJob`: fill-secrets.py or the script of the Job, in an image that can run it. */
export interface Step {
  readonly name: string;
  readonly image: string;
  /** Interpreter, name of the script, arguments. */
  readonly command: [string, string, ...string[]];
  readonly env: k8s.EnvVar[];
  readonly mounts?: k8s.VolumeMount[];
  /** Whether it talks to the API server. */
  readonly usesApi?: boolean;
}

export interface SecretJobProps {
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  readonly images: ImageSource;
  readonly pod: PodSettings;
  readonly rules: k8s.PolicyRule[];
  /** A script of its own, beside fill-secrets.py. */
  readonly script?: Script;
  /** The containers, one after the other. */
  readonly steps: Step[];
  readonly volumes: k8s.Volume[];
  /** What the NetworkPolicy lets out besides name resolution and the API server; without it there is no policy. */
  readonly egress?: k8s.NetworkPolicyEgressRule[];
}

/** A Job that fills Secrets, with rights on these Secrets and no others. */
export class SecretJob extends Construct {
  public readonly job: k8s.KubeJob;
  public readonly serviceAccount: k8s.KubeServiceAccount;
  public readonly role: k8s.KubeRole;
  public readonly roleBinding: k8s.KubeRoleBinding;
  /** ConfigMap with fill-secrets.py, which the Jobs of the instance share. */
  public readonly fillSecretsScript: k8s.KubeConfigMap;
  /** ConfigMap with the script of its own; where there is none, that with fill-secrets.py. */
  public readonly scripts: k8s.KubeConfigMap;
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** To whom the pod connects. Nobody connects to it. */
  public readonly connections: Connections;

  public constructor(scope: Construct, id: string, props: SecretJobProps) {
    super(scope, id);
    const { part, name, namespace, images, pod, script } = props;
    const metadata = { name, namespace, labels: labels(part) };
    const podLabels = selectorLabels(part);
    this.connections = new Connections({ podLabels });
    this.connections.allowTo(TO_KUBERNETES_API, ...(props.egress ?? []));

    this.serviceAccount = new ServiceAccount(this, 'ServiceAccount', { metadata, automountServiceAccountToken: false });
    this.role = new Role(this, 'Role', { metadata, rules: props.rules });
    this.roleBinding = new RoleBinding(this, 'RoleBinding', {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    });
    this.fillSecretsScript = fillSecretsScript(this, part.instance, namespace);
    this.scripts = script === undefined ? this.fillSecretsScript : new ConfigMap(...programPlace(this, 'Scripts'), { metadata, data: { [script.name]: script.text } });
    const configMaps = [...new Set([this.scripts.name, this.fillSecretsScript.name])];
    const checksum = fingerprint({ [FILL_SECRETS]: FILL_SECRETS_PY, ...(script && { [script.name]: script.text }) });

    const containers = props.steps.map(({ command: [interpreter, script, ...args], usesApi, mounts, ...step }) => ({
      ...step,
      imagePullPolicy: images.pullPolicy,
      command: [interpreter, `${SCRIPTS_DIR}/${script}`, ...args],
      resources: BOOTSTRAP_RESOURCES,
      securityContext: CONTAINER_SECURITY,
      terminationMessagePolicy: 'FallbackToLogsOnError',
      volumeMounts: [
        ...(mounts ?? []),
        { name: 'scripts', mountPath: SCRIPTS_DIR, readOnly: true },
        { name: 'tmp', mountPath: '/tmp' },
        ...(usesApi ? [{ name: API_ACCESS.name, mountPath: SERVICE_ACCOUNT_DIR, readOnly: true }] : []),
      ],
    }));
    const initContainers = containers.slice(0, -1);
    this.job = new ContentNamedJob(this, 'Job', {
      metadata,
      spec: {
        backoffLimit: TRIES,
        template: {
          metadata: { labels: pod.labels(podLabels), annotations: pod.annotations({ 'checksum/scripts': checksum }) },
          spec: {
            ...pod.helperPlacement(),
            serviceAccountName: name,
            // only the containers that talk to the API server mount a token, which is good for an hour
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            restartPolicy: 'OnFailure',
            securityContext: POD_SECURITY,
            ...(initContainers.length > 0 && { initContainers }),
            containers: containers.slice(-1),
            volumes: [...props.volumes, { name: 'scripts', projected: { sources: configMaps.map((source) => ({ configMap: { name: source } })) } }, emptyDir('tmp', '64Mi'), API_ACCESS],
          },
        },
      },
    });
    this.node.defaultChild = this.job;
    if (props.egress !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });
  }
}

/** The right to fill, or to read, Secrets. */
export function secretRules(filled: string[], read: string[]): k8s.PolicyRule[] {
  const rule = (verbs: string[], resourceNames: string[]) => ({ apiGroups: [''], resources: ['secrets'], resourceNames, verbs });
  return [rule(['get', 'patch'], filled), rule(['get'], read)].filter((r) => r.resourceNames.length > 0);
}
