import { ServiceType } from '../../lib';
import { synth, told, wrong } from './server';
import { get } from '../helpers';

const service = (options: object) => get(synth({ service: options }), 'Service', 'mlflow-service');

test('is for the cluster, unless something else is said', () => {
  const { metadata, spec } = get(synth(), 'Service', 'mlflow-service');
  expect(spec.type).toBe('ClusterIP');
  expect(metadata).not.toHaveProperty('annotations');
  expect(service({ type: ServiceType.CLUSTER_IP })).toEqual(get(synth(), 'Service', 'mlflow-service'));
});

test('NODE_PORT, with and without a port', () => {
  expect(service({ type: ServiceType.NODE_PORT }).spec).toMatchObject({ type: 'NodePort', ports: [{ name: 'http', port: 5000, targetPort: 'http' }] });
  expect(service({ type: ServiceType.NODE_PORT, nodePort: 30500 }).spec.ports).toEqual([{ name: 'http', port: 5000, targetPort: 'http', nodePort: 30500 }]);
});

test('LOAD_BALANCER, with all that goes with it', () => {
  const { metadata, spec } = service({
    type: ServiceType.LOAD_BALANCER,
    nodePort: 30500,
    loadBalancerClass: 'example.com/internal',
    loadBalancerSourceRanges: ['10.0.0.0/8', '2001:db8::/32'],
    annotations: { 'example.com/internal': 'true' },
  });
  expect(metadata.annotations).toEqual({ 'example.com/internal': 'true' });
  expect(spec).toMatchObject({ type: 'LoadBalancer', loadBalancerClass: 'example.com/internal', loadBalancerSourceRanges: ['10.0.0.0/8', '2001:db8::/32'] });
  expect(spec.ports[0].nodePort).toBe(30500);
});

test('the second Service and that of the monitor stay in the cluster', () => {
  const objects = synth({ service: { type: ServiceType.NODE_PORT, nodePort: 30500, annotations: { a: 'b' } } });
  for (const name of ['mlflow-server', 'mlflow-monitor']) {
    expect(get(objects, 'Service', name).spec.type).toBe('ClusterIP');
    expect(JSON.stringify(get(objects, 'Service', name))).not.toMatch(/30500|annotations/);
  }
});

test.each<[object, string, string]>([
  [{ nodePort: 30500 }, 'nodePort', '30500'],
  [{ type: 'ClusterIP', nodePort: 30500 }, 'nodePort', '30500'],
  [{ type: 'NodePort', loadBalancerClass: 'a' }, 'loadBalancerClass', '"a"'],
  [{ loadBalancerSourceRanges: ['10.0.0.0/8'] }, 'loadBalancerSourceRanges', '["10.0.0.0/8"]'],
])('%j contradicts the type', (options, prop, got) => {
  expect(wrong({ service: options })).toEqual([told(`service.${prop}`, got, 'a Service of service.type = ', 'pass service.type "LoadBalancer", or leave it out')]);
});

const LB = { type: ServiceType.LOAD_BALANCER };
test.each<[object, string, string, string, string]>([
  [{ type: 'ExternalName' }, 'type', '"ExternalName"', 'the type is one of ClusterIP, NodePort, LoadBalancer', 'pass one of them'],
  [{ type: 'NodePort', nodePort: 0 }, 'nodePort', '0', 'a port of a node is a whole number', '30500'],
  [{ type: 'NodePort', nodePort: 70000 }, 'nodePort', '70000', 'a port of a node is a whole number', '30500'],
  [{ type: 'NodePort', nodePort: '30500' }, 'nodePort', '"30500"', 'a port of a node is a whole number', '30500'],
  [{ ...LB, loadBalancerClass: 'my class' }, 'loadBalancerClass', '"my class"', 'a class is a name', 'example.com/internal'],
  [{ ...LB, loadBalancerClass: 5 }, 'loadBalancerClass', '5', 'a class is a name', 'example.com/internal'],
  [{ ...LB, loadBalancerSourceRanges: [] }, 'loadBalancerSourceRanges', '[]', 'lets everybody through', 'leave it out'],
  [{ ...LB, loadBalancerSourceRanges: ['10.0.0.0/8', '10.0.0.1'] }, 'loadBalancerSourceRanges[1]', '"10.0.0.1"', 'an IP address, a slash', '10.0.0.0/8'],
  [{ ...LB, loadBalancerSourceRanges: ['10.0.0.0/33'] }, 'loadBalancerSourceRanges[0]', '"10.0.0.0/33"', 'an IP address, a slash', '10.0.0.0/8'],
  [{ ...LB, loadBalancerSourceRanges: ['999.0.0.0/8'] }, 'loadBalancerSourceRanges[0]', '"999.0.0.0/8"', 'an IP address, a slash', '10.0.0.0/8'],
  [{ ...LB, loadBalancerSourceRanges: [5] }, 'loadBalancerSourceRanges[0]', 'a number', 'it is a list of address ranges', '10.0.0.0/8'],
  [{ ...LB, loadBalancerSourceRanges: '10.0.0.0/8' }, 'loadBalancerSourceRanges', '"10.0.0.0/8"', 'it is a list', 'pass a list'],
  [{ annotations: { 'example.com/internal': true } }, 'annotations["example.com/internal"]', 'true', 'a text as value', 'in quotes'],
  [{ annotations: { 'no spaces': 'a' } }, 'annotations["no spaces"]', '"a"', 'a key as labels have', ''],
  [{ annotation: {} }, 'annotation', 'an object with nothing in it', 'there is no prop of this name', 'did you mean service.annotations?'],
])('%j is refused', (options, prop, got, rule, fix) => {
  expect(wrong({ service: options })).toEqual([told(`service.${prop}`, got, rule, fix)]);
});
