/**
 * When a node asks the registry for an image.
 *
 * @see https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
 */
export enum ImagePullPolicy {
  /** Only when the node does not have it: a pod starts without the registry, too. */
  IF_NOT_PRESENT = 'IfNotPresent',

  /** At every start of a container: whoever has the namespace needs the rights to pull as well. */
  ALWAYS = 'Always',
}

/** Where the images of a construct come from. */
export interface ImageOptions {
  /**
   * Registry, with a path if need be, that takes the place of the registry of every image:
   * with `registry.example.com/mirror`, `ghcr.io/mlflow/mlflow:v1` is `registry.example.com/mirror/mlflow/mlflow:v1`.
   *
   * @default - each image comes from its own registry
   */
  readonly registry?: string;

  /**
   * Digests that are added to images, by the image as it is without `registry`: the key is for example
   * `Images.POSTGRES`, the value `sha256:` and 64 hexadecimal digits.
   *
   * @default - images are pinned by their tags
   * @see https://kubernetes.io/docs/concepts/containers/images/#image-names
   */
  readonly digests?: { [image: string]: string };

  /**
   * Names of the Secrets with which nodes log in to the registry.
   *
   * @default - none
   * @see https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
   */
  readonly pullSecrets?: string[];

  /**
   * When a node asks the registry for an image.
   *
   * @default ImagePullPolicy.IF_NOT_PRESENT
   */
  readonly pullPolicy?: ImagePullPolicy;
}
