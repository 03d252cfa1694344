import { Chart, Testing } from 'cdk8s';
import { MlflowStack, Relocation } from '../../lib';
import { Manifests, containers, get, ofKind } from '../helpers';

const chart = Testing.chart();
const pod = { nodeSelector: { disk: 'fast' }, tolerations: [{ key: 'gpu', operator: 'Exists' }], labels: { team: 'vision' } };
const trackingServer = { preflight: { upgradeSchema: true }, image: 'registry.example.com/mlflow:v3.17.2-full' };
relocated(new MlflowStack(chart, 'Stack', { pod, trackingServer, garbageCollection: {} }), chart);
const objects = Testing.synth(chart);
const jobOf = (name: string) => ofKind(objects, 'Job').find(({ metadata }) => metadata.name.startsWith(name))!;

function relocated({ trackingServer: server }: MlflowStack, scope: Chart): void {
  new Relocation(scope, 'Relocation', { server });
}

describe.each<[string, Manifests[number], string]>([
  ['monitor', get(objects, 'Deployment', 'mlflow-monitor'), 'monitor'],
  ['clean-up', get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate, 'gc'],
  ['relocation', jobOf('mlflow-relocate'), 'relocate'],
  ['upgrade', jobOf('mlflow-schema-upgrade'), 'upgrade'],
])('the pod of the %s', (_, { spec: { template } }, command) => {
  const [container] = containers({ spec: { template: { ...template, spec: { ...template.spec, initContainers: [] } } } });

  test('runs a program of the preflight with the image of the server, and the database in a flag', () => {
    expect([container.image, container.command]).toEqual([trackingServer.image, ['python3', '/app/preflight']]);
    expect(container.args[0]).toBe(command);
    expect(container.args.filter((argument: string) => argument.startsWith('--backend-store-uri=postgresql+psycopg2://postgres.'))).toHaveLength(1);
    expect(container.volumeMounts).toContainEqual({ name: 'preflight', mountPath: '/app/preflight' });
  });

  test('runs where the user says, and as nobody', () => {
    expect(template.spec).toMatchObject({ nodeSelector: pod.nodeSelector, tolerations: pod.tolerations, automountServiceAccountToken: false, enableServiceLinks: false });
    expect(template.spec.securityContext.runAsNonRoot).toBe(true);
    expect(template.metadata.labels).toMatchObject(pod.labels);
    expect(container).toMatchObject({ securityContext: { readOnlyRootFilesystem: true }, terminationMessagePolicy: 'FallbackToLogsOnError' });
    expect(container.env).toEqual(expect.arrayContaining([{ name: 'HOME', value: '/tmp' }, { name: 'PYTHONNOUSERSITE', value: '1' }]));
  });
});
