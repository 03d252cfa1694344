import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Size, Testing } from 'cdk8s';
import { BasicAuth, Credentials, ExternalS3, Images, MlflowStack, RegistryStore, Relocation } from '../../lib';
import { AddOn } from '../add-on';
import { Manifests, containers, faults, get, ofKind } from '../helpers';
import { artifactStore, backendStore, namesOf, told, valueOf } from '../tracking-server/server';

const addOn = new AddOn(Relocation, 'Relocation');
const UNDO = '20261126-111603-7dd8d4504a9422831eb7db82084cf7fa.jsonl.gz';

function job(options: object = {}, props: object = {}) {
  return of(addOn.synth(options, props));
}

function of(objects: Manifests) {
  const found = ofKind(objects, 'Job').filter(({ metadata }) => metadata.name.startsWith('mlflow-relocate-'));
  expect(found).toHaveLength(1);
  const [relocate, ...others] = containers(found[0]);
  expect(others).toEqual([]);
  return { objects, job: found[0], pod: found[0].spec.template, relocate };
}

/** A stack and a store of before, from which it copies. */
function copying(props: object = {}) {
  const chart = Testing.chart();
  const { trackingServer: server } = new MlflowStack(chart, 'Stack', { namespace: 'mlflow' });
  const copyFrom = new ExternalS3(chart, 'Before', {
    bucket: 'old-bucket',
    endpointUrl: 'https://old.example.com:9000',
    credentials: Credentials.fromSecretName(chart, 'Key', 'old-s3'),
    ca: { configMapName: 'company-ca' },
    ...props,
  });
  return { chart, server, made: new Relocation(chart, 'Relocation', { server, copyFrom, apply: true }) };
}

test('there is none in a stack', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack');
  expect(namesOf(ofKind(Testing.synth(chart), 'Job').map(({ metadata }) => metadata))).not.toContainEqual(expect.stringContaining('relocate'));
});

describe('with nothing said', () => {
  const { objects, job: made, pod, relocate } = job();

  test('it changes nothing', () => {
    expect(relocate.command).toEqual(['python3', '/app/preflight']);
    expect(relocate.args).toEqual(['relocate', '--backend-store-uri=postgresql://db.example.com/runs', '--artifacts-destination=s3://models/team-a']);
    expect(relocate.image).toBe(Images.MLFLOW);
  });

  test('it has the keys of both stores and the address of the server', () => {
    const uri = { name: 'MLFLOW_TRACKING_URI', value: 'http://mlflow-service.mlflow.svc.cluster.local:5000' };
    expect(relocate.env).toEqual(expect.arrayContaining([...artifactStore.environment, ...backendStore.environment, uri]));
  });

  test('it runs once, and again only where its node went away', () => {
    expect(made.spec).toMatchObject({ backoffLimit: 0, podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }] } });
    expect(made.metadata.name).toMatch(/^mlflow-relocate-[0-9a-f]{10}$/);
  });

  test('its pod is restricted, and has the package of the server', () => {
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, restartPolicy: 'Never', securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } });
    expect(relocate.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
    expect(relocate.volumeMounts[0]).toEqual({ name: 'preflight', mountPath: '/app/preflight' });
  });

  test('policies let it to the stores and to the server, and nobody to it', () => {
    const { spec } = get(objects, 'NetworkPolicy', 'mlflow-relocate');
    expect(spec).not.toHaveProperty('ingress');
    expect(spec.egress).toContainEqual({ to: [{ podSelector: get(objects, 'NetworkPolicy', 'mlflow').spec.podSelector }], ports: [{ protocol: 'TCP', port: 5000 }] });
  });
});

test('its options', () => {
  const { relocate } = job({ apply: true, experiments: ['1', '12'], fromUris: ['s3://old', './mlruns'], verifyAll: true, resources: { memoryLimit: Size.gibibytes(3) } });
  expect(relocate.args.slice(3)).toEqual(['--experiment=1', '--experiment=12', '--from=s3://old', '--from=./mlruns', '--verify=all', '--apply']);
  expect(relocate.resources.limits.memory).toBe('3Gi');
});

test('another Job for other options, and the same for the same', () => {
  const name = (options: object) => job(options).job.metadata.name;
  expect(name({ apply: true })).not.toBe(name({}));
  expect(name({ apply: true })).toBe(name({ apply: true }));
});

test('an undo takes back a relocation and does nothing else', () => {
  expect(job({ undo: UNDO, apply: true, experiments: ['1'] }).relocate.args.slice(3)).toEqual([`--undo=${UNDO}`, '--apply']);
});

describe('a store that is copied from', () => {
  const { chart } = copying();
  const { objects, pod, relocate } = of(Testing.synth(chart));

  test('has variables of its own, which the program knows by their beginning', () => {
    expect(relocate.args.slice(3)).toEqual(['--copy-from=s3://old-bucket', '--apply']);
    expect(valueOf(relocate, 'COPY_FROM_MLFLOW_S3_ENDPOINT_URL')).toBe('https://old.example.com:9000');
    expect(relocate.env).toContainEqual({ name: 'COPY_FROM_AWS_SECRET_ACCESS_KEY', valueFrom: { secretKeyRef: expect.objectContaining({ name: 'old-s3' }) } });
    expect(namesOf(relocate.env).length).toBe(new Set(namesOf(relocate.env)).size);
    const program = readFileSync(join(__dirname, '../../lib/preflight/preflight/relocate_files.py'), 'utf8');
    expect(/^COPY_FROM = "(\w+)"$/m.exec(program)![1]).toBe('COPY_FROM_');
  });

  test('has its certificate at a path of its own', () => {
    const bundle = valueOf(relocate, 'COPY_FROM_AWS_CA_BUNDLE')!;
    const mount = relocate.volumeMounts.find(({ mountPath }: { mountPath: string }) => bundle.startsWith(mountPath));
    expect(mount.mountPath).toMatch(/^\/copy-from\//);
    expect(pod.spec.volumes).toContainEqual(expect.objectContaining({ name: mount.name, configMap: expect.objectContaining({ name: 'company-ca' }) }));
  });

  test('may be reached', () => {
    const ports = get(objects, 'NetworkPolicy', 'mlflow-relocate').spec.egress.flatMap((rule: { ports: { port: number }[] }) => rule.ports.map(({ port }) => port));
    expect(ports).toEqual(expect.arrayContaining([9000, 5432, 5000]));
  });
});

test('it logs in where the server has a login, and knows the database of the registry', () => {
  const { chart, server } = addOn.add();
  new BasicAuth(chart, 'Login', { server });
  new RegistryStore(chart, 'Registry', { server, store: { uri: undefined, environment: [{ name: 'MLFLOW_BACKEND_STORE_URI', valueFrom: { secretKeyRef: { name: 'registry', key: 'uri' } } }] } });
  const { relocate } = of(Testing.synth(chart));
  expect(namesOf(relocate.env)).toEqual(expect.arrayContaining(['MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD', 'MLFLOW_REGISTRY_STORE_URI']));
});

test('faults', () => {
  expect(addOn.wrong({ undo: 'latest' })).toEqual([told('undo', '"latest"', 'a date and a fingerprint', 'log of the relocation', 'Relocation')]);
  expect(addOn.wrong({ experiments: ['old'] })).toEqual([told('experiments[0]', '"old"', 'a number', 'URL of the experiment', 'Relocation')]);
  expect(addOn.wrong({ fromUris: ['old bucket'] })).toEqual([told('fromUris[0]', '"old bucket"', 'a URI', 's3://old-bucket', 'Relocation')]);
  expect(addOn.wrong({ copyFrom: { artifactsDestination: 'gs://old', environment: [] } })).toEqual([told('copyFrom', '"gs://old"', 'from one S3 bucket to another', 'fromUris', 'Relocation')]);
  const elsewhere = { artifactsDestination: 's3://old', environment: [], secretNamespace: 'elsewhere' };
  expect(addOn.wrong({ copyFrom: elsewhere })).toEqual([told('copyFrom', '"a store with its Secret in namespace \\"elsewhere\\""', 'of its own namespace only', 'make the Secret in namespace', 'Relocation')]);
  const { chart, server } = addOn.add();
  addOn.to(chart, server, {}, 'Again');
  expect(faults(chart)).toEqual([expect.stringContaining('make one Relocation for each tracking server')]);
});
