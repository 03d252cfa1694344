import { Construct } from 'constructs';
import { FILL_SECRETS } from './fill-secrets-script';
import { SecretJob, secretRules } from './secret-job';
import { rejectSecondUser } from './secret-users';
import { ImageSource } from '../kube/image-source';
import { Part, labels } from '../kube/labels';
import { Secret } from '../kube/objects';
import { PodSettings } from '../kube/pod-settings';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** A value of a Secret, in one of the forms that `make_value` of fill-secrets.py knows. */
export interface GeneratedValue {
  /** A text that is no secret. */
  readonly text?: string;
  /** So many random letters and digits. */
  readonly length?: number;
}

export interface GeneratedSecretProps {
  readonly part: Part;
  readonly secretName: string;
  readonly namespace: string;
  readonly values: { [key: string]: GeneratedValue };
  /** Image with Python. */
  readonly image: string;
  readonly images: ImageSource;
  readonly pod: PodSettings;
  readonly networkPolicy: boolean;
}

/** A Secret that is declared without data, and the Job that makes up what is missing in it. */
export class GeneratedSecret extends Construct {
  public readonly secret: k8s.KubeSecret;
  public readonly bootstrap: SecretJob;

  public constructor(scope: Construct, id: string, props: GeneratedSecretProps) {
    super(scope, id);
    const { secretName, namespace } = props;
    rejectSecondUser(this, new PropChecks(this), secretName, 'secretName', props);
    const part: Part = { ...props.part, component: `${props.part.component}-bootstrap` };
    this.secret = new Secret(this, 'Secret', { metadata: { name: secretName, namespace, labels: labels(props.part) }, type: 'Opaque' });
    this.bootstrap = new SecretJob(this, 'Bootstrap', {
      ...props,
      part,
      name: `${secretName}-bootstrap`,
      rules: secretRules([secretName], []),
      steps: [
        {
          name: 'fill',
          image: props.image,
          command: ['python3', FILL_SECRETS, 'fill'],
          env: [{ name: 'SECRETS', value: JSON.stringify([{ secretName, values: props.values }]) }],
          usesApi: true,
        },
      ],
      volumes: [],
      egress: props.networkPolicy ? [] : undefined,
    });
    this.node.defaultChild = this.secret;
  }
}
