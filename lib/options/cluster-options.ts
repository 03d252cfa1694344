import { k8s } from '../../imports/k8s';

/**
 * The family of the addresses of pods.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/dual-stack/
 */
export enum IpFamily {
  /** IPv4 only, or IPv4 first. */
  IPV4 = 'IPv4',

  /** IPv6 only, or IPv6 first. */
  IPV6 = 'IPv6',
}

/** What runs the cluster, where that has rules of its own for pods. */
export enum ClusterPlatform {
  /** Kubernetes as it is: the pods name their user, group and file system group themselves. */
  KUBERNETES = 'Kubernetes',

  /**
   * OpenShift, or another cluster that gives each namespace a range of user ids: the pods name no user, group and file system
   * group, and take those that they are given.
   *
   * @see https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/authentication_and_authorization/managing-pod-security-policies
   */
  OPENSHIFT = 'OpenShift',

  /**
   * GKE Autopilot, which lowers each limit of ephemeral storage to its request: the requests are what the limits are here.
   *
   * @see https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests
   */
  GKE_AUTOPILOT = 'GkeAutopilot',
}

/** What the constructs have to know of the cluster. */
export interface ClusterOptions {
  /**
   * Domain of the cluster, in which the names of Services end.
   *
   * @default "cluster.local"
   * @see https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
   */
  readonly domain?: string;

  /**
   * The family of the addresses of pods; of a cluster with two, the first.
   *
   * @default IpFamily.IPV4
   */
  readonly ipFamily?: IpFamily;

  /**
   * What runs the cluster, where that has rules of its own for pods.
   *
   * @default ClusterPlatform.KUBERNETES
   */
  readonly platform?: ClusterPlatform;

  /**
   * Whether the parts call each other by the bare names of their Services, such as `postgres`, which mean the namespace that a pod
   * is in. Manifests can then be put into another namespace by another program, such as kustomize, whatever the domain of the
   * cluster is. A certificate of MinIO has to be for that name too.
   *
   * @default false: the stores have names with namespace and domain, as in `postgres.mlflow.svc.cluster.local`
   * @see https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#namespaces-of-services
   */
  readonly shortNames?: boolean;

  /**
   * Whom the NetworkPolicies let pods ask for addresses, at port 53, on OpenShift also 5353. DNS has no address that is the same in all clusters,
   * and a request to a name server of somebody else can carry data out: name yours where that matters.
   *
   * @default - anybody
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  readonly dnsPeers?: k8s.NetworkPolicyPeer[];

  /**
   * Whether the pods are in a mesh without sidecars, Istio's ambient mode: what goes from pod to pod comes in at port 15008, and the
   * probes come from an address of the mesh. The NetworkPolicies let both through then.
   *
   * @default false
   * @see https://istio.io/latest/docs/ambient/usage/networkpolicy/
   */
  readonly ambientMesh?: boolean;
}
