import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { PropChecks } from '../../lib/validation/prop-checks';
import { checkSchedule, checkTimeZone } from '../../lib/validation/schedule';
import { faults } from '../helpers';

function told(check: (checks: PropChecks) => void): string[] {
  const chart = Testing.chart();
  check(new PropChecks(new Construct(chart, 'Part')));
  return faults(chart);
}
const schedule = (text: unknown) => told((checks) => expect(checkSchedule(checks, 'schedule', text as string)).toBe(text));
const zone = (name: unknown) => told((checks) => expect(checkTimeZone(checks, 'timeZone', name as string)).toBe(name));

// each line was given to ParseStandard of github.com/robfig/cron v3.0.1 as well
test.each([
  ['0 3 * * *', 'every night'],
  ['*/15 * * * *', 'a step'],
  ['5/15 * * * *', 'a step from a value on'],
  ['*/100 * * * *', 'a step longer than all values: the first one only'],
  ['0-59/60 * * * *', 'the same in a range'],
  ['0,30 9-17 * * 1-5', 'a list and ranges'],
  ['*,5 * * * *', 'a list with all'],
  ['0 0 ? * ?', '"?" is "*"'],
  ['?/5 * * * *', 'everywhere'],
  ['0 3 * * mon-FRI', 'names of days, in any case'],
  ['0 3 1 jan/2 *', 'names of months, with a step'],
  ['0 3 1 JAN,MAR-dec/3 *', 'names in lists and ranges'],
  ['0 0 31 2 *', 'a day that never comes is one'],
  ['007 03 * * *', 'zeros before a number'],
  ['1-1 * * * *', 'a range of one'],
  ['  0\t3  * * * ', 'any white space'],
  ['0 0 * * 0', 'Sunday'],
  ['0 0 * * */7', 'seven as a step'],
  ['@yearly', ''], ['@annually', ''], ['@monthly', ''], ['@weekly', ''], ['@daily', ''], ['@midnight', ''], ['@hourly', ''],
  ['@every 1h30m', 'a time span of Go'],
  ['@every 1.5h', 'with a fraction'],
  ['@every .5m10s', ''],
])('%j is a schedule (%s)', (text) => {
  expect(schedule(text)).toEqual([]);
});

test.each<[unknown, string, string]>([
  ['*/0 3 * * FOO', 'the minute is 0-59', 'a step of nothing'],
  ['60 * * * *', 'the minute is 0-59', 'above the last'],
  ['* 24 * * *', 'the hour is 0-23', 'above the last'],
  ['0 0 0 * *', 'the day of the month is 1-31', 'below the first'],
  ['0 0 32 * *', 'the day of the month is 1-31', 'above the last'],
  ['0 0 1 13 *', 'the month is 1-12 or JAN-DEC', 'above the last'],
  ['0 0 * * 7', 'the day of the week is 0-6', 'croner takes it for Sunday'],
  ['0 0 * * 07', 'the day of the week is 0-6', 'the same'],
  ['0 0 * * 5-7', 'the day of the week is 0-6', 'the same at the end of a range'],
  ['0 0 * * mon-sun', 'the day of the week is 0-6', 'the same by its name'],
  ['0 0 * * FOO', 'the day of the week is 0-6', 'no name'],
  ['mon * * * *', 'the minute is 0-59', 'a name where there is none'],
  ['0 0 * jan-feb-mar *', 'the month is', 'two hyphens'],
  ['0 0 1 JANFEB *', 'the month is', 'two names'],
  ['5-1 * * * *', 'the minute is', 'a range backwards'],
  ['*/5/2 * * * *', 'the minute is', 'two steps'],
  ['*/a * * * *', 'the minute is', 'a step that is no number'],
  ['/5 * * * *', 'the minute is', 'a step of no value'],
  ['0 0 L * *', 'the day of the month is', 'croner takes it for the last day'],
  ['0 0 LW * *', 'the day of the month is', 'and this for the last workday'],
  ['0 0 15W * *', 'the day of the month is', 'and this for the next workday'],
  ['0 0 * * 5#2', 'the day of the week is', 'and this for the second Friday'],
  ['0 0 * * 5L', 'the day of the week is', 'and this for the last one'],
  ['1,,2 * * * *', 'the minute is', 'an empty member: robfig takes it by accident'],
  ['+5 * * * *', 'the minute is', 'a sign: the same'],
  ['*-5 * * * *', 'the minute is', 'a range from all: the same'],
  ['0 0 3 * * *', 'a schedule has five fields', 'with seconds'],
  ['0 0 * *', 'a schedule has five fields', 'one is missing'],
  ['', 'a schedule has five fields', 'empty'],
  ['TZ=UTC 0 3 * * *', 'the time zone of a schedule is no part of it', 'the API server refuses it'],
  ['CRON_TZ=UTC 0 3 * * *', 'the time zone of a schedule is no part of it', 'the API server refuses it'],
  ['@Hourly', 'a schedule with "@" is one of', 'in lower-case letters only'],
  ['@reboot', 'a schedule with "@" is one of', 'croner knows no cluster'],
  ['@every', 'a schedule with "@" is one of', 'how often'],
  ['@every 1d', 'a schedule with "@" is one of', 'Go has no days'],
  ['@every 5', 'a schedule with "@" is one of', 'five what'],
  ['@every -1h', 'a schedule with "@" is one of', 'every second, to robfig'],
  ['@every 0h', 'a schedule with "@" is one of', 'every second, to robfig'],
  [5, 'a schedule is a text', 'a number'],
  [{}, 'a schedule is a text', 'an object'],
])('%j is none: %s (%s)', (text, rule) => {
  expect(schedule(text)).toEqual([expect.stringMatching(/^\[test\/Part\] schedule: got .+\. Rule: .+ \(https:\/\/kubernetes\.io\/docs\/.+\)\. Fix: .+\.$/)]);
  expect(schedule(text)[0]).toContain(`Rule: ${rule}`);
});

test.each(['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'America/Port-au-Prince', 'Asia/Kolkata', 'Etc/GMT+5', 'UTC', 'Zulu'])('%s is a time zone', (name) => {
  expect(zone(name)).toEqual([]);
});

test.each([
  ['europe/berlin', 'Europe/Berlin'],
  ['EUROPE/BERLIN', 'Europe/Berlin'],
  ['utc', 'UTC'],
  ['asia/kolkata', 'Europe/Berlin'],
  ['Europe/Bonn', 'Europe/Berlin'],
  ['Local', 'Europe/Berlin'],
  ['+01:00', 'Europe/Berlin'],
  ['', 'Europe/Berlin'],
  [5, 'Europe/Berlin'],
  [{}, 'Europe/Berlin'],
])('%j is none', (name, fix) => {
  expect(zone(name)).toEqual([expect.stringMatching(new RegExp(`^\\[test/Part\\] timeZone: got .+\\. Rule: a time zone .+ \\(https:.+\\)\\. Fix: pass a name such as "${fix}"\\.$`))]);
});
