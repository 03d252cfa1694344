/** A panel of the dashboard, of what is shown of it here. */
interface Shown {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly fieldConfig: { readonly defaults: { readonly unit?: string; readonly mappings: { readonly options: { readonly [value: string]: { readonly text: string } } }[]; readonly custom?: { readonly stacking?: { readonly mode: string } } } };
  readonly targets: { readonly expr: string; readonly legendFormat: string }[];
}

const UNITS: { [unit: string]: string } = { reqps: 'requests/s', percent: '%', s: 's' };
const VALUES: { [unit: string]: string } = { reqps: 'printf "%.1f/s"', percent: 'printf "%.1f %%"', s: 'humanizeDuration' };
const BY_LABEL = '__auto';

/**
 * The dashboard as a console of Prometheus, for its pictures: the titles, places and queries of its panels, of which Prometheus'
 * own templates and graphs show values. `seconds` is how much of the past.
 *
 * @see https://prometheus.io/docs/visualization/consoles/
 */
export function consoleOf({ title, panels }: { title: string; panels: Shown[] }, seconds: number): string {
  return `<!doctype html><html><head><title>${title}</title>{{ template "prom_console_head" . }}<style>
body { margin: 16px; } h1 { font-size: 20px; } h2 { font-size: 14px; margin: 0 0 4px; }
main { display: grid; grid-template-columns: repeat(24, 1fr); gap: 12px; }
section { border: 1px solid #ddd; border-radius: 4px; padding: 8px; min-width: 0; overflow: hidden; } .value { font-size: 26px; text-align: center; }
</style></head><body><h1>${title}</h1><main>${panels.map((panel, index) => section(panel, index, seconds)).join('\n')}</main></body></html>`;
}

function section({ title, type, gridPos: { x, w }, fieldConfig: { defaults }, targets }: Shown, index: number, seconds: number): string {
  const queries = targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '15s'));
  const units = UNITS[defaults.unit ?? ''] ?? '';
  const head = `<section style="grid-column: ${x + 1} / span ${w}"><h2>${title}</h2>`;
  if (type === 'stat') {
    const [mapping] = defaults.mappings;
    const value = mapping === undefined ? `{{ . | first | value | ${VALUES[defaults.unit ?? ''] ?? 'humanize'} }}` : `{{ if eq (. | first | value) 1.0 }}${mapping.options['1'].text}{{ else }}${mapping.options['0'].text}{{ end }}`;
    return `${head}<div class="value">{{ with query ${JSON.stringify(queries[0])} }}${value}{{ end }}</div></section>`;
  }
  const names = targets.map(({ legendFormat }) => (legendFormat === BY_LABEL ? undefined : legendFormat));
  const options = {
    expr: queries,
    duration: seconds,
    height: 150,
    min: 0,
    renderer: defaults.custom?.stacking?.mode === 'normal' ? 'area' : 'line',
    yUnits: units,
    xTitle: '',
    colorScheme: ['#5794f2', '#f2cc0c', '#73bf69'],
    ...(names.every((name) => name !== undefined) && { name: names }),
  };
  return `${head}<div id="panel-${index}"></div><script>new PromConsole.Graph({ node: document.querySelector('#panel-${index}'), ...${JSON.stringify(options)}, yAxisFormatter: PromConsole.NumberFormatter.humanizeNoSmallPrefix });</script></section>`;
}
