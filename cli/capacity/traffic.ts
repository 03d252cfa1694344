import { UsageFault } from '../fault';

/** What runs do in a day, and what they may take. */
export interface Traffic {
  /** Runs a day. */
  readonly runs: number;
  /** GiB of artifacts a day that runs log. */
  readonly artifacts: number;
  /** Values of metrics that a run logs. */
  readonly metrics: number;
  /** Of these, in one call. */
  readonly batch: number;
  /** MiB of a file. */
  readonly fileSize: number;
  /** GiB read for each GiB that is logged. */
  readonly reads: number;
  /** Searches for each run. */
  readonly searches: number;
  /** Percent of the traffic of a day that its busiest hour has. */
  readonly peak: number;
  /** Days that runs and artifacts are kept. */
  readonly days: number;
  /** Percent of a core, or of the network of a node, that may be in use in the busiest hour. */
  readonly load: number;
  /** GiB of the largest volume. */
  readonly volume: number;
  /** Gbit/s of the network of a node. */
  readonly network: number;
}

interface Input {
  readonly option: string;
  readonly what: string;
  readonly least: number;
  readonly most: number;
  /** What is taken where nothing is said: an assumption, and not a figure. */
  readonly otherwise?: number;
  readonly whole?: true;
}

/** The options, in the order of the help. The bounds of `peak` are a day without a busiest hour, and a day of one hour. */
export const INPUTS: { readonly [name in keyof Traffic]: Input } = {
  runs: { option: 'runs', what: 'runs a day', least: 0, most: 10_000_000 },
  artifacts: { option: 'artifacts', what: 'GiB of artifacts that they log in a day', least: 0, most: 100_000 },
  metrics: { option: 'metrics', what: 'values of metrics that a run logs', least: 0, most: 10_000_000, otherwise: 1000 },
  batch: { option: 'batch', what: 'of these, in one call', least: 1, most: 1000, otherwise: 20, whole: true },
  fileSize: { option: 'file-size', what: 'MiB of a file, on average', least: 0.001, most: 1_000_000, otherwise: 10 },
  reads: { option: 'reads', what: 'GiB read for each GiB that is logged', least: 0, most: 10_000, otherwise: 1 },
  searches: { option: 'searches', what: 'searches for each run, by people and programs', least: 0, most: 10_000, otherwise: 5 },
  peak: { option: 'peak', what: 'percent of the traffic of a day in its busiest hour', least: 100 / 24, most: 100, otherwise: 20 },
  days: { option: 'days', what: 'days that runs and artifacts are kept', least: 1, most: 36_500, otherwise: 90 },
  load: { option: 'load', what: 'percent of CPU and network that this hour may take', least: 1, most: 100, otherwise: 50 },
  volume: { option: 'volume', what: 'GiB of the largest volume that there is', least: 10, most: 1_000_000, otherwise: 16_384 },
  network: { option: 'network', what: 'Gbit/s of a node', least: 0.01, most: 10_000, otherwise: 10 },
};

const digits = (value: number) => String(Math.ceil(value * 100) / 100);

/** The traffic that options of a command line say. */
export function trafficOf(given: { readonly [option: string]: string | boolean | undefined }): Traffic {
  const entries = Object.entries(INPUTS).map(([name, { option, what, least, most, otherwise, whole }]) => {
    const text = given[option];
    if (text === undefined) {
      if (otherwise === undefined) throw new UsageFault(`--${option} is not given: ${what}`);
      return [name, otherwise];
    }
    // no other form of a number, which one may have meant differently: 1,000 and 1e3
    const value = /^\d+(\.\d+)?$/.test(String(text)) ? Number(text) : NaN;
    if (!(value >= least && value <= most) || (whole === true && !Number.isInteger(value))) {
      throw new UsageFault(`--${option} (${what}) is a ${whole === true ? 'whole ' : ''}number from ${digits(least)} to ${most}, written like ${otherwise ?? 1000}, and not "${String(text)}"`);
    }
    return [name, value];
  });
  return Object.fromEntries(entries) as Traffic;
}
