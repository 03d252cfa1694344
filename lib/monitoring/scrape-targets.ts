import { Construct } from 'constructs';
import { Panel } from './grafana-dashboard';
import { Connections } from '../kube/connections';
import { ITrackingServer } from '../tracking-server/server';
import { k8s } from '../../imports/k8s';
import { PrometheusRuleSpecGroupsRules } from '../../imports/prometheusrule-monitoring.coreos.com';

const ID = 'ScrapeTargets';

/** What an add-on of a server has for Prometheus. */
export interface ScrapeTarget {
  /** The id of its objects. */
  readonly id: string;
  /** The Service with the page /metrics, at its port "metrics", or "http" where its pods are servers. */
  readonly service: k8s.KubeService;
  readonly labels: { [key: string]: string };
  readonly podLabels: { [key: string]: string };
  readonly connections: Connections;
  /** Whether its pods are further ones of the server, which ask who Prometheus is as the others do. */
  readonly asServer?: boolean;
  /** Its alerts, with these labels besides its own. */
  readonly rules: (further: { [label: string]: string }) => PrometheusRuleSpecGroupsRules[];
  /** Rows of its panels in the dashboard. */
  readonly panels?: Panel[][];
}

/** What the add-ons of a server have for Prometheus, and who makes objects of it: in whatever order they are added. */
export class ScrapeTargets extends Construct {
  /** Those of a server. */
  public static of(server: ITrackingServer): ScrapeTargets {
    return (server.node.tryFindChild(ID) as ScrapeTargets | undefined) ?? new ScrapeTargets(server, ID);
  }

  private readonly targets: ScrapeTarget[] = [];
  private readonly listeners: ((target: ScrapeTarget) => void)[] = [];

  public add(target: ScrapeTarget): void {
    this.targets.push(target);
    for (const listener of this.listeners) listener(target);
  }

  /** Those known so far. */
  public get all(): ScrapeTarget[] {
    return [...this.targets];
  }

  public forEach(listener: (target: ScrapeTarget) => void): void {
    this.listeners.push(listener);
    for (const target of this.targets) listener(target);
  }
}
