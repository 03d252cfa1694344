import { Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
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

/** What is added to a server behind its construction. */
export type AddOns = (server: TrackingServer, scope: Construct) => unknown;

/** A tracking server on stores that are elsewhere, in a chart of its own. */
export function server(props: object = {}, chart: Chart = Testing.chart(), addOns: AddOns = () => undefined): TrackingServer {
  const made = new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, ...props } as TrackingServerProps);
  addOns(made, chart);
  return made;
}

export function synth(props: object = {}, addOns?: AddOns): Manifests {
  return Testing.synth(Chart.of(server(props, undefined, addOns)));
}

/** The container of the server. */
export function mlflow(props: object = {}, addOns?: AddOns): Manifests[number] {
  return containers(get(synth(props, addOns), 'Deployment', 'mlflow'))[0];
}

export function valueOf(container: Manifests[number], name: string): string | undefined {
  return container.env.find((variable: { name: string }) => variable.name === name)?.value;
}

/** Names of variables, volumes, containers. */
export function namesOf(list: { name: string }[]): string[] {
  return list.map(({ name }) => name);
}

export function wrong(props: object, addOns?: AddOns): string[] {
  return faults(Chart.of(server(props, undefined, addOns)));
}

/** A fault with these words in it. */
export function told(prop: string, got: string, rule: string, fix: string, path = 'TrackingServer'): string {
  const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return expect.stringMatching(
    `^\\[test/${escape(path)}\\] ${escape(prop)}: got ${escape(got)}\\. Rule: [^]*${escape(rule)}[^]*\\. Fix: [^]*${escape(fix)}[^]*\\.$`,
  ) as string;
}
