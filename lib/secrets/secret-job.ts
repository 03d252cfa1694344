import { Construct } from 'constructs';
import { FILL_SECRETS_FILES, fillSecretsScript } from './fill-secrets-script';
import { Connections } from '../kube/connections';
import { fingerprint } from '../kube/hash';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels } from '../kube/labels';
import { TO_KUBERNETES_API, podPolicy } from '../kube/network';
import { ConfigMap, ContentNamedJob, Role, RoleBinding, ServiceAccount } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, emptyDir } from '../kube/pod';
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

/**
 * Seconds after its end in which a Job is there to be looked at. Then it goes, so that the next apply makes it anew, and a Secret
 * that was deleted or emptied meanwhile gets values again.
 *
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
 */
const KEPT_SECONDS = 60;

/** What Kubernetes mounts by itself into every container of a pod, where nothing says otherwise; the token has the namespace. */
const API_ACCESS: k8s.Volume = {
  name: 'api-access',
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
      { configMap: { name: 'kube-root-ca.crt' } },
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
    const checksum = fingerprint([...Object.values(FILL_SECRETS_FILES), ...(script === undefined ? [] : [script.text])].map(fingerprint));

    const containers = props.steps.map(({ command: [interpreter, script, ...args], usesApi, mounts, ...step }) => ({
      ...step,
      imagePullPolicy: images.pullPolicy,
      command: [interpreter, `${SCRIPTS_DIR}/${script}`, ...args],
      resources: pod.bootstrapResources,
      securityContext: CONTAINER_SECURITY,
      terminationMessagePolicy: 'FallbackToLogsOnError',
      volumeMounts: [
        ...(mounts ?? []),
        { name: 'scripts', mountPath: SCRIPTS_DIR },
        { name: 'tmp', mountPath: '/tmp' },
        ...(usesApi ? [{ name: API_ACCESS.name, mountPath: SERVICE_ACCOUNT_DIR }] : []),
      ],
    }));
    const initContainers = containers.slice(0, -1);
    this.job = new ContentNamedJob(this, 'Job', {
      metadata,
      spec: {
        backoffLimit: TRIES,
        ttlSecondsAfterFinished: KEPT_SECONDS,
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
            volumes: [...props.volumes, scriptsOf(configMaps), emptyDir('tmp', '64Mi'), API_ACCESS],
          },
        },
      },
    });
    this.node.defaultChild = this.job;
    if (props.egress !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });
  }
}

function scriptsOf([first, ...others]: string[]): k8s.Volume {
  const sources = [first, ...others].map((name) => ({ configMap: { name } }));
  return { name: 'scripts', ...(others.length === 0 ? sources[0] : { projected: { sources } }) };
}

/** The right to see which pods have what of a Secret in their environment. */
export const PODS_RULE: k8s.PolicyRule = { apiGroups: [''], resources: ['pods'], verbs: ['list'] };

/** The right to let a StatefulSet replace these pods. */
export function replacementRule(resourceNames: string[]): k8s.PolicyRule {
  return { apiGroups: [''], resources: ['pods'], resourceNames, verbs: ['get', 'delete'] };
}

/** The right to fill, or to read, Secrets. */
export function secretRules(filled: string[], read: string[]): k8s.PolicyRule[] {
  const rule = (verbs: string[], resourceNames: string[]) => ({ apiGroups: [''], resources: ['secrets'], resourceNames, verbs });
  return [rule(['get', 'patch'], filled), rule(['get'], read)].filter((r) => r.resourceNames.length > 0);
}
