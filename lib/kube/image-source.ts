import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { ImageOptions, ImagePullPolicy } from '../options/image-options';
import { k8s } from '../../imports/k8s';

const IMAGES: Shape<ImageOptions> = { registry: 'value', digests: {}, pullSecrets: 'list', pullPolicy: 'value' };

/** The images of a construct: where they come from, and how they are pulled. */
export class ImageSource {
  public readonly pullPolicy: string;
  public readonly pullSecrets?: k8s.LocalObjectReference[];
  private readonly registry?: string;
  private readonly digests: { [image: string]: string };

  public constructor(
    private readonly checks: PropChecks,
    options: ImageOptions | undefined,
  ) {
    const given = checks.props(options ?? {}, IMAGES, 'images.');
    this.pullPolicy = checks.oneOf('images.pullPolicy', given.pullPolicy ?? ImagePullPolicy.IF_NOT_PRESENT, Object.values(ImagePullPolicy), 'the policy');
    const secrets = checks.members('images.pullSecrets', given.pullSecrets ?? [], 'string', 'names of Secrets', '"registry-login"');
    secrets.forEach((name, index) => checks.objectName(`images.pullSecrets[${index}]`, name));
    this.pullSecrets = secrets.length === 0 ? undefined : secrets.map((name) => ({ name }));
    this.registry = given.registry === undefined ? undefined : this.checkedRegistry(given.registry);
    this.digests = {};
    for (const [image, digest] of Object.entries(given.digests ?? {})) {
      checks.image(`images.digests[${JSON.stringify(image)}]`, image);
      if (typeof digest === 'string' && /^sha256:[a-f0-9]{64}$/.test(digest)) {
        this.digests[image] = digest;
      } else {
        checks.fault({
          prop: `images.digests[${JSON.stringify(image)}]`,
          value: digest,
          rule: 'a digest is sha256: and 64 hexadecimal digits (https://kubernetes.io/docs/concepts/containers/images/#image-names)',
          fix: 'pass the digest that the registry shows for this image',
        });
      }
    }
  }

  /** The image as the pod names it. */
  public of(prop: string, image: string): string {
    this.checks.image(prop, image);
    if (typeof image !== 'string') return String(image);
    const digest = image.includes('@') ? undefined : this.digests[image];
    const path = this.registry === undefined ? image : `${this.registry}/${withoutRegistry(image)}`;
    return digest === undefined ? path : `${path}@${digest}`;
  }

  private checkedRegistry(registry: string): string {
    if (typeof registry !== 'string' || !/^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(registry)) {
      this.checks.fault({
        prop: 'images.registry',
        value: registry,
        rule: 'a registry is a host, with port and path if need be, without scheme and without "/" at the end (https://kubernetes.io/docs/concepts/containers/images/#image-names)',
        fix: 'pass a registry such as "registry.example.com/mirror"',
      });
    }
    return registry;
  }
}

/** The first part of a path is a registry where it could be a host. */
function withoutRegistry(image: string): string {
  const [first, ...rest] = image.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? rest.join('/') : image;
}
