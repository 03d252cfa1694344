import { Chart, Testing } from 'cdk8s';
import { IArtifactStore, IBackendStore, TrackingServer, TrackingServerProps } from '../../lib';
import { Manifests, containers, faults, get } from '../helpers';

export const backendStore: IBackendStore = {
  uri: 'postgresql://db.example.com/runs',
  environment: [
    { name: 'PGUSER', value: 'me' },
    { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
  ],
  egress: [],
};
export const artifactStore: IArtifactStore = {
  artifactsDestination: 's3://models/team-a',
  environment: [
    { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 'aws', key: 'id' } } },
    { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'https://s3.example.com' },
  ],
  egress: [],
};

/** A tracking server on stores that are elsewhere, in a chart of its own. */
export function server(props: object = {}, chart: Chart = Testing.chart()): TrackingServer {
  return new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, ...props } as TrackingServerProps);
}

export function synth(props: object = {}): Manifests {
  return Testing.synth(Chart.of(server(props)));
}

/** The container of the server. */
export function mlflow(props: object = {}): Manifests[number] {
  return containers(get(synth(props), 'Deployment', 'mlflow'))[0];
}

export function valueOf(container: Manifests[number], name: string): string | undefined {
  return container.env.find((variable: { name: string }) => variable.name === name)?.value;
}

export function wrong(props: object): string[] {
  return faults(Chart.of(server(props)));
}

/** A fault with these words in it. */
export function told(prop: string, got: string, rule: string, fix: string, path = 'TrackingServer'): string {
  const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return expect.stringMatching(
    `^\\[test/${escape(path)}\\] ${escape(prop)}: got ${escape(got)}\\. Rule: [^]*${escape(rule)}[^]*\\. Fix: [^]*${escape(fix)}[^]*\\.$`,
  ) as string;
}
