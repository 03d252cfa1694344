import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { TraceArchivalOptions } from './trace-archival-options';
import { ConfigMap } from '../kube/objects';
import { fingerprint } from '../kube/hash';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const FILE = 'trace-archival.yaml';
const MOUNT_PATH = '/app/trace-archival';
const DOCS = 'https://mlflow.org/docs/latest/genai/tracing/observe-with-traces/archive-traces/';
const MAX_INTERVAL = Duration.days(1);

/** Props of `TraceArchival`. */
export interface TraceArchivalProps extends TraceArchivalOptions {
  /** The server whose traces leave its database. */
  readonly server: ITrackingServer;
}

export const TRACE_ARCHIVAL: Shape<TraceArchivalOptions> = { retention: 'value', interval: 'value', maxTracesPerPass: 'value', longRetentionExperiments: 'list', location: 'value' };

/**
 * Archives traces of a tracking server, whose prop `traceArchival` makes it. MLflow's job runners run the schedule, so it
 * turns them on, with the one pod that they need.
 *
 * @see https://mlflow.org/docs/latest/genai/tracing/observe-with-traces/archive-traces/
 */
export class TraceArchival extends Construct {
  /** ConfigMap `<name of the server>-trace-archival`. A change of it reaches the running server. */
  public readonly configMap: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and which traces leave its database
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: TraceArchivalProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const options = checks.props(given, TRACE_ARCHIVAL);
    const retention = checks.required('retention', options.retention, Duration.days(30), 'the age of the traces that leave', 'Duration.days(30)');
    const seconds = checks.seconds('retention', retention);
    if (seconds % 60 !== 0) {
      checks.fault({ prop: 'retention', value: `${seconds} seconds`, rule: `it is counted in whole minutes, 1 or more (${DOCS})`, fix: 'pass a duration such as Duration.days(30)' });
    }
    const interval = checks.seconds('interval', options.interval ?? Duration.minutes(5));
    if (interval > MAX_INTERVAL.toSeconds()) {
      checks.fault({ prop: 'interval', value: `${interval} seconds`, rule: `it is a day at most (${DOCS})`, fix: 'pass a duration such as Duration.minutes(5)' });
    }
    const most = options.maxTracesPerPass === undefined ? undefined : checks.count('maxTracesPerPass', options.maxTracesPerPass, 'the number of traces');
    const experiments = checks.members('longRetentionExperiments', options.longRetentionExperiments ?? [], 'string', 'ids of experiments', '"1"');
    experiments.forEach((experiment, index) => {
      if (!/^\d+$/.test(experiment)) checks.fault({ prop: `longRetentionExperiments[${index}]`, value: experiment, rule: `an experiment is named by its id, a number (${DOCS})`, fix: 'pass an id such as "1"' });
    });
    const location = String(options.location ?? server.artifactStore.artifactsDestination);
    if (!/^[a-z][a-z0-9+.]*:\/\/[^\s@?#]+$/.test(location) || location.startsWith('mlflow-artifacts:')) {
      checks.fault({
        prop: 'location',
        value: location,
        hidden: location.includes('@') && !location.startsWith('wasbs:'),
        rule: `it is a URI of a store that the server reaches by itself, without credentials in it (${DOCS})`,
        fix: `leave it out for ${server.artifactStore.artifactsDestination}, or pass a URI such as "s3://bucket/traces"`,
      });
    }
    const text = [
      'trace_archival:',
      '  enabled: true',
      `  location: ${JSON.stringify(location)}`,
      `  retention: "${seconds / 60}m"`,
      `  interval_seconds: ${interval}`,
      ...(most === undefined ? [] : [`  max_traces_per_pass: ${most}`]),
      ...(experiments.length === 0 ? [] : [`  long_retention_allowlist: ${JSON.stringify(experiments)}`]),
      '',
    ].join('\n');
    const name = `${server.name}-trace-archival`;
    this.configMap = new ConfigMap(this, 'ConfigMap', { metadata: { name, namespace: server.namespace, labels: server.labels }, data: { [FILE]: text } });
    this.node.defaultChild = this.configMap;
    rejectTakenNames(this, 'server', 'make one TraceArchival for each tracking server');
    server.addVolume(this, { name: 'trace-archival', configMap: { name } }, { name: 'trace-archival', mountPath: MOUNT_PATH });
    server.addVariable(this, { name: 'MLFLOW_TRACE_ARCHIVAL_CONFIG', value: `${MOUNT_PATH}/${FILE}` });
    // the server takes a change as it runs; its location is what was tried at the start
    server.addPodAnnotation(this, 'checksum/trace-archival', fingerprint({ location }));
    server.runJobs(this, 'run its schedule');
  }
}
