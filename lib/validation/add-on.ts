import { Construct } from 'constructs';
import { putBehind } from '../kube/chart-order';
import { described } from './prop-shape';
import type { TrackingServer } from '../tracking-server/tracking-server';

/** The props of an add-on, which comes behind its server. Without one, nothing of it can be made, and nothing of it be checked. */
export function ofServer<Props extends { readonly server: TrackingServer }>(addOn: Construct, props: Props): Props {
  const server: unknown = (props as Props | undefined)?.server;
  if (typeof (server as TrackingServer | undefined)?.addFlag === 'function') {
    putBehind(addOn, server as TrackingServer);
    return props;
  }
  throw new Error(
    `[${addOn.node.path}] server: got ${described(server)}. Rule: an add-on is for one tracking server. ` +
      'Fix: pass a TrackingServer, such as trackingServer of a MlflowStack',
  );
}
