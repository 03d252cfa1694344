import { Construct } from 'constructs';
import { putBehind } from '../kube/chart-order';
import { Cluster } from '../kube/cluster';
import { envFromSecret } from '../kube/pod';
import { described } from '../validation/prop-shape';
import { ITrackingServer } from './server';
import { k8s } from '../../imports/k8s';

/** The props of an add-on, which comes behind its server. Without one, nothing of it can be made, and nothing of it be checked. */
export function ofServer<Props extends { readonly server: ITrackingServer }>(addOn: Construct, props: Props): Props {
  const server: unknown = (props as Props | undefined)?.server;
  if (typeof (server as ITrackingServer | undefined)?.addFlag === 'function') {
    putBehind(addOn, server as ITrackingServer);
    Cluster.share(addOn, server as ITrackingServer);
    return props;
  }
  throw new Error(
    `[${addOn.node.path}] server: got ${described(server)}. Rule: an add-on is for one tracking server. ` +
      'Fix: pass a TrackingServer, such as trackingServer of a MlflowStack',
  );
}

/** How a program beside the server logs in to it, where it has a login. */
export function variablesOfLogin({ clientCredentials }: ITrackingServer): k8s.EnvVar[] {
  if (clientCredentials === undefined) return [];
  const { secretName, usernameKey, passwordKey } = clientCredentials;
  return [envFromSecret('MLFLOW_TRACKING_USERNAME', secretName, usernameKey), envFromSecret('MLFLOW_TRACKING_PASSWORD', secretName, passwordKey)];
}
