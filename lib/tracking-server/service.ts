import { isCidr } from '../kube/network';
import { PropChecks } from '../validation/prop-checks';
import { Shape, fits } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/**
 * How a Service can be reached.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types
 */
export enum ServiceType {
  /** From the cluster. */
  CLUSTER_IP = 'ClusterIP',

  /** At a port of every node, too. */
  NODE_PORT = 'NodePort',

  /** At an address of a load balancer, too. */
  LOAD_BALANCER = 'LoadBalancer',
}

/** Options of Service `<name>-service`. */
export interface ServiceOptions {
  /**
   * How the Service can be reached.
   *
   * @default ServiceType.CLUSTER_IP
   */
  readonly type?: ServiceType;

  /**
   * Annotations of the Service, which many load balancers are set up by.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };

  /**
   * Port of every node, with `NODE_PORT` and `LOAD_BALANCER`.
   *
   * @default - the cluster chooses one
   * @see https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport
   */
  readonly nodePort?: number;

  /**
   * Which load balancer takes the Service, with `LOAD_BALANCER`.
   *
   * @default - that of the cloud
   * @see https://kubernetes.io/docs/concepts/services-networking/service/#load-balancer-class
   */
  readonly loadBalancerClass?: string;

  /**
   * Addresses of clients that the load balancer lets through, with `LOAD_BALANCER`, such as `10.0.0.0/8`.
   *
   * @default - all
   * @see https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
   */
  readonly loadBalancerSourceRanges?: string[];
}

const SHAPE: Shape<ServiceOptions> = { type: 'value', annotations: {}, nodePort: 'value', loadBalancerClass: 'value', loadBalancerSourceRanges: 'list' };

/** Annotations and spec of a Service, but for its selector. */
export interface ServiceShape {
  readonly annotations?: { [key: string]: string };
  readonly spec: k8s.ServiceSpec;
}

/** The prop `service`, checked. */
export function serviceSpec(checks: PropChecks, given: ServiceOptions | undefined, port: number): ServiceShape {
  const options = checks.props(given ?? {}, SHAPE, 'service.');
  const type = checks.oneOf('service.type', options.type ?? ServiceType.CLUSTER_IP, Object.values(ServiceType), 'the type');
  const typesOf: { [prop: string]: ServiceType[] } = {
    nodePort: [ServiceType.NODE_PORT, ServiceType.LOAD_BALANCER],
    loadBalancerClass: [ServiceType.LOAD_BALANCER],
    loadBalancerSourceRanges: [ServiceType.LOAD_BALANCER],
  };
  for (const [prop, types] of Object.entries(typesOf)) {
    const value = options[prop as keyof ServiceOptions];
    if (value !== undefined && !types.includes(type as ServiceType)) {
      checks.fault({ prop: `service.${prop}`, value, rule: `a Service of service.type = "${type}" has none`, fix: `pass service.type "${types.at(-1)}", or leave it out` });
    }
  }
  const { nodePort, loadBalancerClass, loadBalancerSourceRanges, annotations } = options;
  if (nodePort !== undefined && !(Number.isInteger(nodePort) && nodePort >= 1 && nodePort <= 65535)) {
    checks.fault({ prop: 'service.nodePort', value: nodePort, rule: 'a port of a node is a whole number, in most clusters from 30000 to 32767 (https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport)', fix: 'pass a port such as 30500, or leave it out' });
  }
  if (loadBalancerClass !== undefined && (typeof loadBalancerClass !== 'string' || !fits({ [loadBalancerClass]: '' }, 'labels'))) {
    checks.fault({ prop: 'service.loadBalancerClass', value: loadBalancerClass, rule: 'a class is a name as labels have, with a prefix if need be (https://kubernetes.io/docs/concepts/services-networking/service/#load-balancer-class)', fix: 'pass a class such as "example.com/internal", or leave it out' });
  }
  const ranges = loadBalancerSourceRanges && checks.members('service.loadBalancerSourceRanges', loadBalancerSourceRanges, 'string', 'address ranges', '"10.0.0.0/8"');
  if (loadBalancerSourceRanges?.length === 0) {
    checks.fault({ prop: 'service.loadBalancerSourceRanges', value: [], rule: 'the list has one range or more: with none the load balancer lets everybody through', fix: 'leave it out for all addresses, or pass ["10.0.0.0/8"]' });
  }
  ranges?.forEach((range, index) => {
    if (!isCidr(range)) checks.fault({ prop: `service.loadBalancerSourceRanges[${index}]`, value: range, rule: 'a range is an IP address, a slash and the number of fixed bits (https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer)', fix: 'pass a range such as "10.0.0.0/8"' });
  });
  return {
    annotations: checks.annotations('service.annotations', annotations),
    spec: {
      type,
      ...(loadBalancerClass && { loadBalancerClass }),
      ...(ranges && { loadBalancerSourceRanges: ranges }),
      ports: [{ name: 'http', port, targetPort: k8s.IntOrString.fromString('http'), ...(nodePort && { nodePort }) }],
    },
  };
}
