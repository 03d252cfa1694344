import { Construct } from 'constructs';

/** Paths whose requests go to another Service than the rest: transfers of artifacts. */
export interface ArtifactRoutes {
  /** Name of the Service, with the port of the other one. */
  readonly serviceName: string;

  /** Beginnings of the paths, as whole parts of a path. */
  readonly paths: string[];
}

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
   * Paths that go elsewhere, as known so far: a route asks at synth.
   *
   * @default - none
   */
  readonly artifactRoutes?: ArtifactRoutes;

  /**
   * URL that clients outside of the cluster have, where the target knows it better than the route, whose TLS may end before it.
   *
   * @default - made of the first host of the route
   */
  readonly externalUrl?: string;

  /**
   * Whether the headers of an answer can be larger than the 4 KiB that proxies expect, since a session is in its cookies.
   *
   * @default false
   */
  readonly largeHeaders?: boolean;
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
