import { Construct } from 'constructs';

/** Where the requests of a route go. */
export interface RouteBackend {
  /** Name of the tracking server, which its routes have too. */
  readonly name: string;

  /** Namespace of the Service. */
  readonly namespace: string;

  /** Labels of the route. */
  readonly labels: { [key: string]: string };

  /** Name of the Service. */
  readonly serviceName: string;

  /** Port of the Service, whose name is `http`. */
  readonly port: number;

  /** Path under which the server answers, "/" where it has no prefix. */
  readonly path: string;

  /**
   * URL that clients outside of the cluster have, where the target knows it better than the route, whose TLS may end before it.
   *
   * @default - made of the first host of the route
   */
  readonly externalUrl?: string;
}

/** What a route leads to: a tracking server, or the login before it. */
export interface IRouteTarget {
  /** Where the requests of a route go. */
  readonly routeBackend: RouteBackend;

  /**
   * Tells the target of a route that leads to it.
   *
   * @param route the construct of the route, to which a fault of its hosts belongs
   * @param hosts the hosts of the route
   */
  addRoute(route: Construct, hosts: string[]): void;
}
