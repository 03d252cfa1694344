import { FeatureOptions } from './feature-options';
import { Gateway } from './gateway';
import { RegistryStore } from './registry-store';
import { TraceArchival } from './trace-archival';
import { Workspaces } from './workspaces';
import { ITrackingServer } from '../tracking-server/server';
import { PropChecks } from '../validation/prop-checks';

/** Adds what the props of a server ask for. */
export function addFeatures(checks: PropChecks, server: ITrackingServer, { workspaces, traceArchival, gateway, registryStore }: FeatureOptions): void {
  if (checks.flag('workspaces', workspaces ?? false)) new Workspaces(server, 'Workspaces', { server });
  if (traceArchival) new TraceArchival(server, 'TraceArchival', { ...traceArchival, server });
  if (gateway) new Gateway(server, 'Gateway', { ...gateway, server });
  if (registryStore) new RegistryStore(server, 'RegistryStore', { store: registryStore, server });
}
