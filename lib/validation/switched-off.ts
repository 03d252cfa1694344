import { PropChecks } from './prop-checks';

/** The settings of a part that has a switch, from its prop; undefined where it is switched off, beside which each setting is a fault. */
export function unlessSwitchedOff<Settings extends object>(checks: PropChecks, prop: string, enabled: boolean | undefined, given: Settings, consequence: string): Settings | undefined {
  const settings = Object.entries(given).filter(([, value]) => value !== undefined);
  if (checks.flag(`${prop}.enabled`, enabled ?? true)) return Object.fromEntries(settings) as Settings;
  for (const [name, value] of settings) {
    checks.fault({ prop: `${prop}.${name}`, value, hidden: true, rule: `with ${prop}.enabled = false ${consequence}`, fix: `leave ${prop}.${name} out, or ${prop}.enabled` });
  }
  return undefined;
}
