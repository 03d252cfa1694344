import { Size } from 'cdk8s';

/** What is refused before MLflow sees it. */
export interface GuardSettings {
  /**
   * Whether MLflow's assistant answers. It can run programs on the server, and read its files and its environment with all keys,
   * for everybody who comes from its own machine: by `kubectl port-forward`, or through the proxy of a service mesh.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/genai/getting-started/try-assistant/
   */
  readonly assistant?: boolean;

  /**
   * Largest body of a request, as it comes and as it is unpacked. MLflow takes it into memory as a whole. Uploads of artifacts
   * may be of any size.
   *
   * @default Size.mebibytes(32)
   */
  readonly maxBodySize?: Size;

  /**
   * Whether clients may name a place of their own for the artifacts of an experiment, a model version or a trace, such as another
   * bucket or a folder of somebody else. The server reads what is there with its own keys, for everybody who may see the
   * experiment.
   *
   * @default - false, with `ArtifactTransfer.DIRECT` true
   */
  readonly foreignArtifacts?: boolean;
}

/** What is refused before MLflow sees it, and whether anything is. */
export interface GuardOptions extends GuardSettings {
  /**
   * Whether there is a guard. Without it, everything reaches MLflow.
   *
   * @default true
   */
  readonly enabled?: boolean;
}
