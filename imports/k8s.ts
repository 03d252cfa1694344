/**
 * The Kubernetes API as typed constructs: what `cdk8s import k8s` generates, as cdk8s-plus-28 ships it.
 * Every construct takes it from here, so a newer API is one line.
 */
export { k8s } from 'cdk8s-plus-28';
