import { Construct } from 'constructs';
import { IBackendStore } from '../backend-store/backend-store';
import { egressTo } from '../tracking-server/stores';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** Props of `RegistryStore`. */
export interface RegistryStoreProps {
  /** The server whose model registry has a database of its own. */
  readonly server: ITrackingServer;

  /** The database, with its URI in a Secret: an `ExternalDatabase`. */
  readonly store: IBackendStore;
}

/**
 * A database of its own for the model registry of a tracking server, whose prop `registryStore` makes it. The preflight and the
 * doctor try it as well.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-registry-store-uri
 */
export class RegistryStore extends Construct {
  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and the database
   * @throws at synth, where the URI of the database is in no Secret of the namespace of the server
   */
  public constructor(scope: Construct, id: string, props: RegistryStoreProps) {
    super(place(scope, id), id);
    const { server, store } = ofServer(this, props);
    const checks = new PropChecks(this);
    const uri = this.uriOf(store);
    if (uri === undefined) {
      checks.fault({
        prop: 'store',
        value: store,
        hidden: true,
        rule: 'user and password of the backend store are in PGUSER and PGPASSWORD, of which there is one pair, so those of a second database are in its URI, and that is in a Secret (https://www.postgresql.org/docs/current/libpq-envars.html)',
        fix: 'pass new ExternalDatabase(…) with such a Secret, for a PostgreSQL too',
      });
      return;
    }
    if (store.secretNamespace !== undefined && store.secretNamespace !== server.namespace) {
      checks.fault({
        prop: 'store',
        value: `a store with its Secret in namespace "${store.secretNamespace}"`,
        rule: `a pod reads Secrets of its own namespace only, here "${server.namespace}" (https://kubernetes.io/docs/concepts/configuration/secret/)`,
        fix: 'put the Secret into the namespace of the tracking server',
      });
    }
    server.addVariable(this, { ...uri, name: 'MLFLOW_REGISTRY_STORE_URI' });
    server.allowTo(...egressTo(store));
    store.connections?.allowFromPods(server.podLabels);
  }

  /** The variable with the URI, where it stands in a Secret. */
  private uriOf(store: IBackendStore): k8s.EnvVar | undefined {
    const variables = Array.isArray(store?.environment) ? store.environment : [];
    return variables.find(({ name, valueFrom }) => name === 'MLFLOW_BACKEND_STORE_URI' && valueFrom?.secretKeyRef !== undefined);
  }
}
