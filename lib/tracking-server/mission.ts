import { AllowedHosts } from './allowed-hosts';
import { Layer, Owner, ServerProcess, named } from './process';
import { isVariableName } from './stores';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

const ITSELF = 'the construct itself';
const PROXIES = `${ITSELF} (it keeps clients off the artifact store)`;

export interface Mission {
  readonly backendStore: IBackendStore;
  readonly artifactStore: IArtifactStore;
  readonly hosts: AllowedHosts;
  /** Port at which the process listens. */
  readonly port: () => number;
  readonly address: string;
}

/** What makes the process a tracking server that hands artifacts through: flags and variables in the order that everybody knows. */
export function applyMission(process: ServerProcess, { backendStore, artifactStore, hosts, port, address }: Mission): void {
  const argument = (owner: Owner, text: string, produce?: () => string) => process.argument(Layer.MISSION, owner, text, produce);
  argument(ITSELF, 'mlflow');
  argument(ITSELF, 'server');
  argument(`${ITSELF} (the container always listens on all its addresses)`, `--host=${address}`);
  argument('the prop port', '--port', () => `--port=${port()}`);
  process.reserve('--backend-store-uri', 'the prop backendStore');
  if (backendStore.uri !== undefined) argument('the prop backendStore', `--backend-store-uri=${backendStore.uri}`);
  argument('the prop artifactStore', `--artifacts-destination=${artifactStore.artifactsDestination}`);
  argument(PROXIES, '--default-artifact-root=mlflow-artifacts:/');
  argument(PROXIES, '--serve-artifacts');
  argument('the prop settings.allowedHosts', '--allowed-hosts', () => `--allowed-hosts=${hosts.hosts.join(',')}`);
  const own: k8s.EnvVar[] = [
    { name: 'HOME', value: '/tmp' },
    // transfers run in many threads, and glibc would keep a heap for each: measured, 49 MiB less after 600 MiB up and down
    { name: 'MALLOC_ARENA_MAX', value: '2' },
    // HOME is a folder that files come into, of which Python would load programs
    { name: 'PYTHONNOUSERSITE', value: '1' },
  ];
  for (const variable of own) process.variable(Layer.PROCESS, ITSELF, variable.name, () => variable);
  const identity = { name: 'STARTUP_POD_IDENTITY', value: 'true' };
  if (artifactStore.usesPodIdentity) process.variable(Layer.SETTINGS, 'the prop artifactStore', identity.name, () => identity);
}

/** The variables of the stores, in front of all others. They repeat none of these. */
export function applyStores(checks: PropChecks, process: ServerProcess, stores: { readonly artifactStore: IArtifactStore; readonly backendStore: IBackendStore }): void {
  for (const [prop, { environment }] of Object.entries(stores)) {
    environment.forEach((variable, index) => {
      const member = `${prop}.environment[${index}]`;
      if (!isVariableName(checks, member, variable.name) || process.variable(Layer.MISSION, `the prop ${prop}`, variable.name, () => variable)) return;
      checks.fault({
        prop: member,
        value: variable.name,
        rule: `a variable is set once, and ${named(process.ownerOf(variable.name)!)} sets this one: of two values Kubernetes would silently take the last`,
        fix: 'leave it out',
      });
    });
  }
}

/** The origins of the server's own pages, which are known at synth. */
export function applyOrigins(process: ServerProcess, hosts: AllowedHosts): void {
  const name = 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS';
  process.variable(Layer.SETTINGS, 'the prop settings.corsAllowedOrigins', name, () => {
    const origins = hosts.corsOrigins;
    return origins.length === 0 ? undefined : { name, value: origins.join(',') };
  });
}
