import { PropChecks } from '../validation/prop-checks';

/** The prop `generation`, checked; undefined for the first one, which leaves no trace in the YAML. */
export function generationOf(checks: PropChecks, given: number | undefined, prop = 'generation'): number | undefined {
  const generation = checks.count(prop, given ?? 1, 'the generation');
  return generation === 1 ? undefined : generation;
}

/** The key under which a value of a generation stands. Each has its own: pods with the old and with the new value are there at one time. */
export function keyOf(key: string, generation: number | undefined): string {
  return generation === undefined ? key : `${key}-${generation}`;
}

/** The key of the first generation. */
export function firstKey(key: string, generation: number | undefined): string {
  const suffix = `-${generation}`;
  return generation !== undefined && key.endsWith(suffix) ? key.slice(0, -suffix.length) : key;
}
