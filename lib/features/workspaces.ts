import { Construct } from 'constructs';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';

/** Props of `Workspaces`. */
export interface WorkspacesProps {
  /** The server that has workspaces. */
  readonly server: ITrackingServer;
}

/**
 * Workspaces of MLflow: experiments, models and prompts of several teams apart from each other on one server. Who names no
 * workspace is in `default`, where all that was there before stays. A tracking server with `workspaces: true` makes it
 * itself. The clean-up follows by itself: it asks the server.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/workspaces/
 */
export class Workspaces extends Construct {
  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server
   */
  public constructor(scope: Construct, id: string, props: WorkspacesProps) {
    super(place(scope, id), id);
    const { server } = ofServer(this, props);
    server.addVariable(this, { name: 'MLFLOW_ENABLE_WORKSPACES', value: 'true' });
  }
}
