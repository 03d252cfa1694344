import { Construct } from 'constructs';
import { SecretJob, secretRules } from './secret-job';
import { FILL_SECRETS_PY } from '../assets.generated';
import { ImageSource } from '../kube/image-source';
import { Part, labels } from '../kube/labels';
import { Secret } from '../kube/objects';
import { PodSettings } from '../kube/pod-settings';
import { k8s } from '../../imports/k8s';

/** A value of a Secret: a text that is no secret, or so many random letters and digits. */
export interface GeneratedValue {
  readonly text?: string;
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
    const part: Part = { ...props.part, component: `${props.part.component}-bootstrap` };
    this.secret = new Secret(this, 'Secret', { metadata: { name: secretName, namespace, labels: labels(props.part) }, type: 'Opaque' });
    this.bootstrap = new SecretJob(this, 'Bootstrap', {
      ...props,
      part,
      name: `${secretName}-bootstrap`,
      rules: secretRules([secretName], []),
      scripts: { 'fill-secrets.py': FILL_SECRETS_PY },
      steps: [
        {
          name: 'fill',
          image: props.image,
          command: ['python3', 'fill-secrets.py', 'fill'],
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
