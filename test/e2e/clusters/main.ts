// A stack for a cluster with rules of its own: another program chooses the namespace, the namespace the user ids, and the database
// is behind a container of each pod that connects. `test/e2e/test_clusters.py` applies it.
import { App, Chart, Size } from 'cdk8s';
import { ClusterPlatform, Credentials, ExternalPostgres, Images, MlflowStack, Postgres, PostgresTlsMode, ScratchVolume } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

/** What a proxy of a managed database does: it hands on what comes in at the address of the pod itself. */
const PROXY = `
import asyncio, signal
async def hand_on(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def connected(reader, writer):
    there = await asyncio.open_connection("postgres", 5432)
    await asyncio.gather(hand_on(reader, there[1]), hand_on(there[0], writer))
async def main():
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await asyncio.start_server(connected, "127.0.0.1", 5432)
    await stopped.wait()
asyncio.run(main())
`;

const app = new App();
const namespace = 'mlflow';
const chart = new Chart(app, 'mlflow', { namespace });
const cluster = { platform: ClusterPlatform.OPENSHIFT, shortNames: true };
const postgres = new Postgres(chart, 'Postgres', { instance: 'mlflow', cluster });
for (const component of ['tracking-server', 'store-monitor', 'garbage-collection']) {
  postgres.connections?.allowFromPods({ 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': component });
}
new MlflowStack(chart, 'Stack', {
  cluster,
  backendStore: new ExternalPostgres(chart, 'BackendStore', {
    host: '127.0.0.1',
    tls: { mode: PostgresTlsMode.DISABLE },
    credentials: Credentials.fromSecretName(chart, 'Database', 'postgres-user', { namespace }),
  }),
  garbageCollection: { suspend: true },
  trackingServer: {
    scratchSize: Size.mebibytes(300),
    scratchVolume: ScratchVolume.ephemeral({ storageClassName: 'mlflow-small' }),
    storeClients: {
      sidecars: [{ name: 'database-proxy', image: Images.MLFLOW, command: ['python3', '-c', PROXY] }],
      egress: [postgres.connections!.toThese],
    },
  },
});
requestLittleCpu(app);
app.synth();
