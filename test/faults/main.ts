// The stacks that faults are tried on. `test/faults/conftest.py` applies them.
import { App, Chart, JsonPatch, Size } from 'cdk8s';
import { ContainerResources, MlflowStack, MlflowStackProps, ProgramsChart } from '../../lib';

// what they ask for is small, since the node is; what they may have is the default
const server: ContainerResources = { cpuRequest: '10m', cpuLimit: '2', memoryRequest: Size.mebibytes(64), memoryLimit: Size.mebibytes(1536) };
const small = { cpuRequest: '5m', memoryRequest: Size.mebibytes(16) };
const app = new App();

function stack(namespace: string, props: MlflowStackProps, name = namespace): MlflowStack {
  const chart = new Chart(app, name, { namespace });
  new ProgramsChart(app, `${name}-programs`, { chart });
  const made = new MlflowStack(chart, 'Stack', {
    pod: { bootstrapResources: small },
    ...props,
    trackingServer: { resources: server, preflight: { monitorResources: { ...small, memoryLimit: Size.mebibytes(256) } }, ...props.trackingServer },
  });
  for (const store of [made.postgres!, made.minio!]) {
    store.statefulSet.addJsonPatch(
      // process 1 of a container hears neither SIGKILL nor SIGSTOP from inside, and with this the store is not process 1
      JsonPatch.add('/spec/template/spec/shareProcessNamespace', true),
      JsonPatch.replace('/spec/template/spec/containers/0/resources/requests', { 'cpu': '10m', 'memory': '64Mi', 'ephemeral-storage': '64Mi' }),
    );
  }
  return made;
}

/** A volume that is full when it is: the sizes of others are not kept to in every cluster. */
const inMemory = (name: string, sizeLimit: string) => ({ name, emptyDir: { medium: 'Memory', sizeLimit } });

stack('faults-one', {});
stack('faults-other', {});
stack('faults-two', { podDisruptionBudget: {}, trackingServer: { replicas: 2 } });
const full = stack('faults-full', {});
for (const { statefulSet } of [full.postgres!, full.minio!]) {
  statefulSet.addJsonPatch(JsonPatch.remove('/spec/volumeClaimTemplates'), JsonPatch.add('/spec/template/spec/volumes/-', inMemory('data', '400Mi')));
}
full.trackingServer.deployment.addJsonPatch(
  JsonPatch.test('/spec/template/spec/volumes/6/name', 'tmp'),
  JsonPatch.replace('/spec/template/spec/volumes/6', inMemory('tmp', '64Mi')),
);
app.synth();
