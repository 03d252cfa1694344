import measured from './measured.json';

/** A figure of `npm run bench -- costs`. */
export interface Figure {
  readonly what: string;
  readonly with: string;
  readonly value: number;
  readonly unit: string;
}

export type FigureName = keyof typeof measured.figures;

export const FIGURES: { readonly [name in FigureName]: Figure } = measured.figures;
export const { date: MEASURED_ON, machine: MACHINE, cpus: MEASURED_CPUS } = measured;

/** What was measured, in the unit of the file. */
export function figure(name: FigureName): number {
  return FIGURES[name].value;
}
