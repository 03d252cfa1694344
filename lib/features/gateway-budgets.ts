import { GatewayOptions } from './gateway-options';
import { ITrackingServer } from '../tracking-server/server';

const REDIS = 'MLFLOW_GATEWAY_BUDGET_REDIS_URL';

/** Warns where several processes would each spend the budgets of the gateway, which they count for themselves. */
export function warnOfBudgets(server: ITrackingServer, { enabled, providers, publicUpstreams, privateUpstreams }: GatewayOptions, pods: number, workers: number): void {
  // a number that is none is a fault of its own
  const processes = Number.isInteger(pods) && Number.isInteger(workers) ? pods * workers : 1;
  const used = [providers, publicUpstreams, privateUpstreams].some((option) => option !== undefined && option !== false);
  // whether a source of variables has it is not known here
  const shared = server.environment.some(({ name }) => name === REDIS) || (server.options.envFrom ?? []).length > 0;
  if (!(processes > 1) || enabled === false || !used || shared) return;
  console.warn(
    `WARNING: [${server.node.path}] gateway: up to ${processes} server processes count the budgets of the gateway each for itself, and learn of each other every 10 minutes: ` +
      `until then a budget can be spent ${processes} times. Pass ${REDIS} in extraEnv, from a Secret, for a Redis that they share, or have one pod with one worker.`,
  );
}
