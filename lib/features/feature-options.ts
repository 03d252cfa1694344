import { GatewayOptions } from './gateway-options';
import { TraceArchivalOptions } from './trace-archival-options';
import { IBackendStore } from '../backend-store/backend-store';
import { Shape } from '../validation/prop-shape';

/** What MLflow offers besides tracking, as props of a tracking server. */
export interface FeatureOptions {
  /**
   * Whether the server has workspaces, which keep the experiments and models of several teams apart. There is no way back
   * while a workspace other than `default` has an experiment.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/workspaces/
   */
  readonly workspaces?: boolean;

  /**
   * Traces whose spans leave the database for the artifact store after a while. It turns `settings.jobExecution` on.
   *
   * @default - all traces stay in the database
   */
  readonly traceArchival?: TraceArchivalOptions;

  /**
   * MLflow's AI gateway: whether there is one, and to which models it hands requests on.
   *
   * @default - there is one, which reaches no model unless `networkPolicy.egress` lets it
   */
  readonly gateway?: GatewayOptions;

  /**
   * A database of its own for the model registry, with its URI in a Secret: an `ExternalDatabase`.
   *
   * @default - the registry is in the backend store
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-registry-store-uri
   */
  readonly registryStore?: IBackendStore;
}

export const FEATURES: Shape<FeatureOptions> = { workspaces: 'value', traceArchival: {}, gateway: {}, registryStore: {} };
