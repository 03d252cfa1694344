import { Notes } from '../kube/notes';

/** Connections that somebody opens to a database. */
export interface ConnectionDemand {
  /** The most that there can be at one time, while pods are replaced too. */
  readonly most: number;
  /** As many as there are under load, of requests as nearly all of them are. */
  readonly usual: number;
}

/** Connections that a database has to have besides those of the tracking servers: for its superuser, the clean-up, Jobs and people. */
export const OTHER_CONNECTIONS = 20;

/** PostgreSQL's own number. */
const FEWEST_CONNECTIONS = 100;

const demands = new Notes<(() => ConnectionDemand)[]>();

/** What a store and its copies have in common. */
interface Store {
  readonly connections?: object;
}

/** Says how many connections somebody opens to a store. It is asked at synth, when add-ons have said how many pods there are. */
export function demandConnections(store: Store, produce: () => ConnectionDemand): void {
  demands.set(store.connections ?? store, [...saidOf(store), produce]);
}

/** The connections that all who use a store open to it. */
export function connectionsTo(store: Store): ConnectionDemand {
  const all = saidOf(store).map((produce) => produce());
  return { most: all.reduce((sum, { most }) => sum + most, 0), usual: all.reduce((sum, { usual }) => sum + usual, 0) };
}

/** The connections that a server has to take where nobody says how many. */
export function neededConnections(store: Store): number {
  return Math.max(FEWEST_CONNECTIONS, connectionsTo(store).most + OTHER_CONNECTIONS);
}

function saidOf(store: Store): (() => ConnectionDemand)[] {
  return demands.get(store.connections ?? store) ?? [];
}
