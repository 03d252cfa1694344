const QUANTITY_UNITS: Record<string, number> = { '': 1, m: 1e-3, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4, Pi: 1024 ** 5 };

/** The value of a Kubernetes quantity as a plain number. */
export function quantity(text: string): number {
  const match = /^([0-9.]+)([A-Za-z]*)$/.exec(text);
  return match === null ? NaN : Number(match[1]) * (QUANTITY_UNITS[match[2]] ?? NaN);
}

/** Bytes as the API server writes them: `kubectl apply` takes any other way of writing them for a change, each time. */
export function canonicalBytes(bytes: number): string {
  const unit = ['Pi', 'Ti', 'Gi', 'Mi', 'Ki', ''].find((name) => bytes % QUANTITY_UNITS[name] === 0)!;
  return `${bytes / QUANTITY_UNITS[unit]}${unit}`;
}

/** CPU as the API server writes it. */
export function canonicalCpu(text: string): string {
  const thousandths = Math.round(quantity(text) * 1000);
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`;
}
