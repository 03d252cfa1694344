import { Construct } from 'constructs';
import { SecretsJob } from './secrets-job';
import { ServerSecretsOptions } from './server-secrets-options';
import { Part } from '../kube/labels';
import { envFromSecret } from '../kube/pod';
import { Images } from '../options/images';
import { keyOf } from '../secrets/generation';
import { ofServer } from '../tracking-server/add-on';
import { ITrackingServer } from '../tracking-server/server';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/** Props of `ServerSecrets`. */
export interface ServerSecretsProps extends ServerSecretsOptions {
  /** The server whose secrets these are. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<ServerSecretsOptions> = { secretName: 'value', kekVersion: 'value', webhookKeyVersion: 'value' };
const WEBHOOK_KEY = 'webhook-key';
const PASSPHRASE_LENGTH = 64;

/**
 * The secrets with which a tracking server encrypts what users store in its database: one for all its processes and pods, and
 * the same after a restart. They belong into the backup. A tracking server makes it itself.
 *
 * @see https://mlflow.org/docs/latest/ml/webhooks/
 * @example
 * import { App, Chart } from 'cdk8s';
 * import { MlflowStack } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { trackingServer } = new MlflowStack(chart, 'Stack', {
 *   trackingServer: { secrets: { kekVersion: 2 } }, // the second passphrase: a rotation
 * });
 * console.log(`into the backup: Secret ${trackingServer.secrets.secretName}`);
 * app.synth();
 */
export class ServerSecrets extends Construct {
  /** Name of the Secret. */
  public readonly secretName: string;

  /** Version of the passphrase of the API keys. */
  public readonly kekVersion: number;

  /** Version of the key for the secrets of webhooks. */
  public readonly webhookKeyVersion: number;

  /** The Secret, where the cluster makes up its values. */
  public readonly secret?: k8s.KubeSecret;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and where its secrets are
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ServerSecretsProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const options = checks.props(given, SHAPE);
    this.secretName = checks.objectName('secretName', options.secretName ?? `${server.name}-server-secrets`);
    this.kekVersion = checks.count('kekVersion', options.kekVersion ?? 1, 'the version of the passphrase');
    this.webhookKeyVersion = checks.count('webhookKeyVersion', options.webhookKeyVersion ?? 1, 'the version of the key');
    const webhookKey = (version: number) => keyOf(WEBHOOK_KEY, version === 1 ? undefined : version);
    const passphrase = (version: number) => `kek-passphrase-${version}`;
    if (options.secretName === undefined) {
      const part: Part = { name: 'mlflow', instance: server.name, component: 'server-secrets', image: server.options.image ?? Images.MLFLOW };
      this.secret = SecretsJob._fill(server, this, part, this.secretName, { [webhookKey(this.webhookKeyVersion)]: { fernet: true }, [passphrase(this.kekVersion)]: { length: PASSPHRASE_LENGTH } });
      this.node.defaultChild = this.secret;
      rejectTakenNames(this, 'secretName', 'give each tracking server of the namespace its own name');
    }
    server.addVariable(this, envFromSecret('MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', this.secretName, webhookKey(this.webhookKeyVersion)));
    server.addVariable(this, envFromSecret('MLFLOW_CRYPTO_KEK_PASSPHRASE', this.secretName, passphrase(this.kekVersion)));
    server.addVariable(this, { name: 'MLFLOW_CRYPTO_KEK_VERSION', value: String(this.kekVersion) });
    // with them the preflight opens what was encrypted before; after the rotation they may be removed from the Secret
    const previous = (name: string, key: string) => server.addVariable(this, { name, valueFrom: { secretKeyRef: { name: this.secretName, key, optional: true } } });
    if (this.kekVersion > 1) previous('PREVIOUS_KEK_PASSPHRASE', passphrase(this.kekVersion - 1));
    if (this.webhookKeyVersion > 1) previous('PREVIOUS_WEBHOOK_KEY', webhookKey(this.webhookKeyVersion - 1));
  }
}
