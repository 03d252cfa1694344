import { Duration } from 'cdk8s';

/**
 * Traces that leave the database after a while: their spans go to the artifact store, and are read from there when
 * somebody opens them. What is searched and counted stays in the database.
 *
 * @see https://mlflow.org/docs/latest/genai/tracing/observe-with-traces/archive-traces/
 */
export interface TraceArchivalOptions {
  /** How old a trace is when its spans leave the database: whole minutes. */
  readonly retention: Duration;

  /**
   * How often the server looks for such traces: seconds, at most a day. MLflow looks once a minute whether it is time.
   *
   * @default Duration.minutes(5)
   */
  readonly interval?: Duration;

  /**
   * Most traces that leave at one time.
   *
   * @default - all that are old enough
   */
  readonly maxTracesPerPass?: number;

  /**
   * Ids of experiments that may keep their traces longer than `retention`, by their tag `mlflow.trace.archivalRetention`.
   *
   * @default - none
   */
  readonly longRetentionExperiments?: string[];

  /**
   * Where the spans go: a URI of the artifact store, for which the server has keys. `mlflow-artifacts:` is none.
   *
   * @default - the artifacts destination of the server: each trace goes to the folder of its experiment, for which MLflow
   * asks for the permissions of that experiment
   */
  readonly location?: string;
}
