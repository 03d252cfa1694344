import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { ImageSource } from '../kube/image-source';
import { Part, labels } from '../kube/labels';
import { networkPolicyOptions } from '../kube/network';
import { Secret } from '../kube/objects';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { FILL_SECRETS } from '../secrets/fill-secrets-script';
import { SecretJob, secretRules } from '../secrets/secret-job';
import { rejectSecondUser } from '../secrets/secret-users';
import { ITrackingServer } from '../tracking-server/server';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

const ID = 'SecretsJob';

/** A value of a Secret, in one of the forms that `make_value` of fill-secrets.py knows. */
export interface GeneratedValue {
  /** A text that is no secret. */
  readonly text?: string;
  /** So many random letters and digits. */
  readonly length?: number;
  /** A key of Fernet: 32 random bytes as urlsafe base64. */
  readonly fernet?: true;
}

interface Filled {
  readonly secretName: string;
  readonly values: { [key: string]: GeneratedValue };
}

/**
 * The Job `<name of the server>-secrets`, which makes up what is missing in the Secrets of a server and of its add-ons. There is
 * one for each server that has such Secrets.
 *
 * @example
 * import { App, Chart, JsonPatch } from 'cdk8s';
 * import { MlflowStack, SecretsJob } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { trackingServer } = new MlflowStack(chart, 'Stack');
 *
 * // undefined where Secrets of your own are named for all that it would make up
 * const job = SecretsJob.of(trackingServer)?.job;
 * job?.addJsonPatch(JsonPatch.add('/spec/template/spec/priorityClassName', 'platform'));
 * app.synth();
 */
export class SecretsJob extends Construct {
  /**
   * That of a server.
   *
   * @param server the server
   * @returns nothing where the server and its add-ons have Secrets of somebody else only
   */
  public static of(server: ITrackingServer): SecretsJob | undefined {
    return server.node.tryFindChild(ID) as SecretsJob | undefined;
  }

  /**
   * Declares a Secret without data, whose values the Job of the server makes up.
   *
   * @internal
   */
  public static _fill(server: ITrackingServer, owner: Construct, part: Part, secretName: string, values: { [key: string]: GeneratedValue }): k8s.KubeSecret {
    const { namespace } = server;
    const job = SecretsJob.of(server) ?? new SecretsJob(server);
    rejectSecondUser(owner, new PropChecks(owner), secretName, 'secretName', { secretName, namespace });
    job.filled.push({ secretName, values });
    return new Secret(owner, 'Secret', { metadata: { name: secretName, namespace, labels: labels(part) }, type: 'Opaque' });
  }

  /** The Job. Its name ends with a fingerprint of its spec, after all patches. */
  public readonly job: k8s.KubeJob;

  /** ServiceAccount of the Job. */
  public readonly serviceAccount: k8s.KubeServiceAccount;

  /** Role of the Job: it may fill the Secrets of the server and of its add-ons. */
  public readonly role: k8s.KubeRole;

  /** RoleBinding of the Job. */
  public readonly roleBinding: k8s.KubeRoleBinding;

  /** NetworkPolicy of the Job, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  private readonly filled: Filled[] = [];

  private constructor(server: ITrackingServer) {
    super(server, ID);
    const { name, namespace, options } = server;
    const checks = new PropChecks(this, [server]);
    const images = new ImageSource(checks, options.images);
    const image = images.of('image', options.image ?? Images.MLFLOW);
    const network = networkPolicyOptions(checks, options.networkPolicy);
    // add-ons come later, so it is known at synth what there is to fill
    const rules = Lazy.any({ produce: () => secretRules(this.filled.map(({ secretName }) => secretName), []) });
    const secrets = Lazy.any({ produce: () => JSON.stringify(this.filled) });
    const made = new SecretJob(this, 'Bootstrap', {
      part: { name: 'mlflow', instance: name, component: 'secrets-bootstrap', image },
      name: `${name}-secrets`,
      namespace,
      images,
      pod: new PodSettings(checks, options.pod, images),
      rules: rules as k8s.PolicyRule[],
      steps: [{ name: 'fill', image, command: ['python3', FILL_SECRETS, 'fill'], env: [{ name: 'SECRETS', value: secrets as string }], usesApi: true }],
      volumes: [],
      egress: network && network.egress,
    });
    this.job = made.job;
    this.serviceAccount = made.serviceAccount;
    this.role = made.role;
    this.roleBinding = made.roleBinding;
    this.networkPolicy = made.networkPolicy;
    this.node.defaultChild = this.job;
  }
}
