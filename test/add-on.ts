import { Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { TrackingServer } from '../lib';
import { Manifests, faults } from './helpers';
import { server } from './tracking-server/server';

type Type<Made> = new (scope: Construct, id: string, props: never) => Made;

/** An add-on, and the server that it is for, in a chart of their own. */
export interface Added<Made> {
  readonly chart: Chart;
  readonly server: TrackingServer;
  readonly made: Made;
}

/** Tests of one add-on. A route has a target in place of a server, and `before` makes what has to be there before. */
export class AddOn<Made> {
  public constructor(
    private readonly type: Type<Made>,
    public readonly id: string,
    private readonly prop: 'server' | 'target' = 'server',
    private readonly before: (chart: Chart) => object = () => ({}),
  ) {}

  /** The add-on with these options, at a server with these props. */
  public add(options: object = {}, props: object = {}, chart: Chart = Testing.chart()): Added<Made> {
    const tracking = server(props, chart);
    return { chart, server: tracking, made: this.to(chart, tracking, { ...this.before(chart), ...options }) };
  }

  /** Another one, to a server that is there. */
  public to(chart: Chart, target: TrackingServer, options: object = {}, id = this.id): Made {
    return new this.type(chart, id, { ...options, [this.prop]: target } as never);
  }

  public synth(options: object = {}, props: object = {}): Manifests {
    return Testing.synth(this.add(options, props).chart);
  }

  public wrong(options: object, props: object = {}): string[] {
    return faults(this.add(options, props).chart);
  }
}
