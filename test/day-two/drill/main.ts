// A stack with backups to a MinIO in another namespace. `test/day-two/test_drill.py` applies it, loses it, and gets it back.
import { App, Chart, Size } from 'cdk8s';
import { Credentials, ExternalS3, Minio, MlflowStack } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

const namespace = 'backup-drill';
const away = 'backup-vault';
const app = new App();

const vaultChart = new Chart(app, 'vault', { namespace: away });
const vault = new Minio(vaultChart, 'Vault', {
  bucket: 'backups',
  storageSize: Size.gibibytes(5),
  networkPolicy: { clients: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }] },
});

const chart = new Chart(app, 'drill', { namespace });
const destination = new ExternalS3(chart, 'Backups', {
  bucket: vault.bucket,
  prefix: 'drill',
  endpointUrl: vault.endpointUrl,
  credentials: Credentials.fromSecretName(chart, 'BackupKey', 'backup-key', {
    namespace,
    usernameKey: vault.credentials.usernameKey,
    passwordKey: vault.credentials.passwordKey,
  }),
});
new MlflowStack(chart, 'Stack', { namespace, backup: { destination, scratchSize: Size.gibibytes(1) } });
requestLittleCpu(app);
app.synth();
