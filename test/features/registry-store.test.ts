import { Chart, Testing } from 'cdk8s';
import { ExternalDatabase } from '../../lib';
import { faults, get } from '../helpers';
import { backendStore, server, told } from '../tracking-server/server';

function withStore(props: object = {}) {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  const registryStore = new ExternalDatabase(chart, 'Registry', { secretName: 'registry', port: 5432, ...props });
  server({ registryStore }, chart);
  return chart;
}

const fault = (got: string, rule: string, fix: string) => told('store', got, rule, fix, 'TrackingServer/RegistryStore');

test('the URI comes from its Secret, and stands in no argument', () => {
  const [container] = get(Testing.synth(withStore({ key: 'url' })), 'Deployment', 'mlflow').spec.template.spec.containers;
  const variables = container.env.filter(({ name }: { name: string }) => /_STORE_URI$/.test(name));
  expect(variables).toEqual([{ name: 'MLFLOW_REGISTRY_STORE_URI', valueFrom: { secretKeyRef: { name: 'registry', key: 'url' } } }]);
  expect(container.args.join(' ')).not.toContain('registry');
});

test('the server is let out to it', () => {
  const { egress } = get(Testing.synth(withStore({ cidrs: ['10.1.2.0/24'] })), 'NetworkPolicy', 'mlflow').spec;
  expect(egress).toContainEqual({ to: [{ ipBlock: { cidr: '10.1.2.0/24' } }], ports: [{ port: 5432, protocol: 'TCP' }] });
});

test('a store with its user and password beside its URI is told: there is one pair of them', () => {
  const chart = Testing.chart();
  server({ registryStore: backendStore }, chart);
  expect(faults(chart)).toEqual([fault('an object with uri, environment, egress', 'PGUSER and PGPASSWORD, of which there is one pair', 'pass new ExternalDatabase(…)')]);
});

test('a Secret of another namespace is told', () => {
  expect(faults(withStore({ namespace: 'other' }))).toEqual([fault('"a store with its Secret in namespace \\"other\\""', 'a pod reads Secrets of its own namespace only', 'put the Secret into the namespace of the tracking server')]);
});
