import { Cron, CronPattern } from 'croner';
import { PropChecks } from './prop-checks';

const SCHEDULE_PAGE = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax';
const ZONE_PAGE = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones';
const FIELDS = [
  { name: 'minute', values: '0-59', size: 60 },
  { name: 'hour', values: '0-23', size: 24 },
  { name: 'day of the month', values: '1-31', size: 31 },
  { name: 'month', values: '1-12 or JAN-DEC', size: 12 },
  { name: 'day of the week', values: '0-6 or SUN-SAT, from Sunday on', size: 7 },
];
const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
const EVERY = /^@every (?=.*[1-9])((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/;
const FIELD = /^((\*|\?|(\d+|[a-z]{3})(-(\d+|[a-z]{3}))?)(\/\d+)?)(,((\*|\?|(\d+|[a-z]{3})(-(\d+|[a-z]{3}))?)(\/\d+)?))*$/i;
/** croner knows Sunday as the last day of a week, too. */
const LAST_SUNDAY = /(?<![/\d])0*7(?!\d)|-sun/i;

/**
 * A schedule as Kubernetes takes it: what ParseStandard of robfig/cron takes, but for what that one takes by accident: empty
 * members of lists, signs, ranges that begin with "*", intervals of no time.
 */
export function checkSchedule(checks: PropChecks, prop: string, schedule: string): string {
  const fault = (rule: string, fix = 'pass a schedule such as "0 3 * * *", every night at three') => {
    checks.fault({ prop, value: schedule, rule: `${rule} (${SCHEDULE_PAGE})`, fix });
    return schedule;
  };
  if (typeof schedule !== 'string') return fault('a schedule is a text of five fields');
  if (schedule.includes('TZ')) return fault('the time zone of a schedule is no part of it', 'leave it out, and pass timeZone');
  if (schedule.startsWith('@')) {
    if (DESCRIPTORS.includes(schedule) || EVERY.test(schedule)) return schedule;
    return fault(`a schedule with "@" is one of ${DESCRIPTORS.join(', ')}, or "@every" with a time span such as 1h30m`, 'pass a schedule such as "@daily"');
  }
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) return fault(`a schedule has five fields: ${FIELDS.map(({ name, values }) => `${name} (${values})`).join(', ')}`);
  const wrong = FIELDS.find((_, index) => !isField(fields[index], index));
  if (wrong === undefined) return schedule;
  return fault(`the ${wrong.name} is ${wrong.values}, or "*", with lists (1,2), ranges (1-5) and steps (*/2)`);
}

const UNITS: { [unit: string]: number } = { ns: 1e-9, us: 1e-6, 'µs': 1e-6, 'μs': 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };
/** Runs of a schedule that are looked at, from a day on that stays the same: those of two years, where there is one a day. */
const RUNS = 800;
const FIRST = '2026-01-01T00:00:00Z';

/** The longest time between two runs of a good schedule, in seconds; undefined where it never runs twice. */
export function longestGap(schedule: string): number | undefined {
  const every = EVERY.test(schedule) ? [...schedule.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)] : [];
  if (every.length > 0) return every.reduce((seconds, [, amount, unit]) => seconds + Number(amount) * UNITS[unit], 0);
  const runs = new Cron(schedule.replaceAll('?', '*'), { paused: true, mode: schedule.startsWith('@') ? 'auto' : '5-part', sloppyRanges: true, timezone: 'UTC' }).nextRuns(RUNS, new Date(FIRST));
  const gaps = runs.slice(1).map((run, index) => (run.getTime() - runs[index].getTime()) / 1000);
  return gaps.length === 0 ? undefined : Math.max(...gaps);
}

/** A time zone that the API server finds by its name, in which capital letters count. */
export function checkTimeZone(checks: PropChecks, prop: string, name: string): string {
  const zone = resolved(name);
  const wrongCase = zone !== undefined && zone !== name && zone.toLowerCase() === name.toLowerCase();
  if (zone === undefined || wrongCase || !/^[A-Z][^/]*(\/[A-Z][^/]*)*$/.test(name)) {
    checks.fault({
      prop,
      value: name,
      rule: `a time zone has its name in the IANA database, with its capital letters (${ZONE_PAGE})`,
      fix: `pass a name such as ${JSON.stringify(wrongCase ? zone : 'Europe/Berlin')}`,
    });
  }
  return name;
}

/** Whether croner takes the field, in the words that it shares with Kubernetes: with "*" for "?", and no step that is longer than all values. */
function isField(field: string, index: number): boolean {
  if (!FIELD.test(field) || (index === 4 && LAST_SUNDAY.test(field))) return false;
  const shared = field.replaceAll('?', '*').replace(/(?<=\/)\d+/g, (step) => String(Math.min(Number(step), FIELDS[index].size)));
  try {
    return new CronPattern(FIELDS.map((_, position) => (position === index ? shared : '*')).join(' '), undefined, { mode: '5-part', sloppyRanges: true }) !== undefined;
  } catch {
    return false;
  }
}

function resolved(name: string): string | undefined {
  try {
    return typeof name === 'string' ? new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone : undefined;
  } catch {
    return undefined;
  }
}
