import { ACTIONS, Change, manifestOf } from './changes';
import { isProgram } from './findings';
import { safe } from './lines';
import { labelOf } from './manifests';
import { Finding } from './review';

/** A comparison, as all forms of output show it. */
export interface Comparison {
  /** The sentence that says what is compared, in Markdown. */
  readonly compared: string;
  /** A word about a side that is not there. */
  readonly note?: string;
  readonly findings: readonly Finding[];
  readonly changes: readonly Change[];
  /** The lines of the diff of each change. */
  readonly lines: ReadonlyMap<Change, string[]>;
  /** The command that shows all of it. */
  readonly again: string;
}

const SUMMARY_SHARE = 1 / 3;

/** The lines of findings. Each page is linked once. A word in backticks is the link in Markdown, and stands for it in a terminal. */
function linesOf(findings: readonly Finding[], form: 'text' | 'markdown'): string[] {
  const linked = new Set<string>();
  return findings.map(({ sign, text: words, link }) => {
    const isFirst = link !== undefined && !linked.has(link.url);
    if (link === undefined || !isFirst) return `${sign} ${words}`;
    linked.add(link.url);
    if (!words.includes('`')) return `${sign} ${words} (${link.words}: ${link.url})`;
    return `${sign} ${form === 'text' ? words : words.replace(/`[^`]+`/, (code) => `[${code}](${link.url})`)}`;
  });
}

function count(lines: string[], sign: string): number {
  return lines.filter((line) => line.startsWith(sign)).length;
}

/** "1 removed, 2 changed" */
export function countActions(changes: readonly Change[]): string {
  return ACTIONS.map((action) => [changes.filter((change) => change.action === action).length, action] as const)
    .filter(([number]) => number > 0)
    .map(([number, action]) => `${number} ${action}`)
    .join(', ');
}

function namesOf({ before, after }: Change): string[] {
  return [before, after].flatMap((side) => (side === undefined ? [] : labelOf(side))).filter((name, index, all) => name !== all[index - 1]).map(safe);
}

/** For a terminal: what happens, then the objects, and their lines where they are asked for. */
export function text({ note, findings, changes, lines, compared }: Comparison, full: boolean, colours: boolean): string {
  const paint = (code: number, line: string) => (colours ? `\x1b[${code}m${line}\x1b[0m` : line);
  const colour = { '⚠': 31, '↻': 33, '·': 2 };
  const plain = (markdown: string) => markdown.replace(/[`*]/g, '');
  const parts = [`${plain(compared)}: ${countActions(changes) || 'no change'}`, ...(note === undefined ? [] : [plain(note)])];
  if (changes.length > 0) parts.push('', ...linesOf(findings, 'text').map((line) => paint(colour[line[0] as Finding['sign']], line)));
  if (full) {
    const painted = (line: string) => (line.startsWith('@@') ? paint(36, line) : line.startsWith('+') ? paint(32, line) : line.startsWith('-') ? paint(31, line) : line);
    for (const change of changes) parts.push('', paint(1, `${change.action} ${safe(manifestOf(change).kind)} ${namesOf(change).join(' → ')}`), ...lines.get(change)!.map((line) => painted(printable(line))));
  }
  return `${parts.join('\n')}\n`;
}

/** Without what would steer a terminal. */
function printable(line: string): string {
  return line.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '?');
}

/** For programs. */
export function json({ note, findings, changes, lines }: Comparison): string {
  const about = ({ findings: found }: { findings: readonly Finding[] }) =>
    found.map(({ sign, rule, text: words, link, about: objects }) => ({ sign, rule, text: words, link, objects: objects.map(({ kind, namespace, name }) => ({ kind, namespace, name })) }));
  const objects = changes.map((change) => {
    const { file, kind, namespace, name } = manifestOf(change);
    return { action: change.action, kind, namespace, name, before: change.action === 'replaced' ? change.before!.name : undefined, file, diff: lines.get(change) };
  });
  const counts = Object.fromEntries(ACTIONS.map((action) => [action, changes.filter((change) => change.action === action).length]));
  return `${JSON.stringify({ note, counts, findings: about({ findings }), objects }, undefined, 2)}\n`;
}

/** For a comment, in at most `limit` characters. Programs have one line for each file unless there is no limit. */
export function markdown({ compared, note, findings, changes: all, lines, again }: Comparison, limit: number): string {
  const parts = [`### Manifests: ${countActions(all) || 'no change'}\n`, `${compared}${all.length === 0 ? ', no object is added, removed or changed.' : ':'}\n`];
  if (note !== undefined) parts.push(`${note}\n`);
  const [programs, changes] = [all.filter((change) => limit !== Infinity && isProgram(change)), all.filter((change) => limit === Infinity || !isProgram(change))];
  // two spaces end a line
  const told = cutTo(linesOf(findings, 'markdown'), (limit * SUMMARY_SHARE) / 2);
  if (told.lines.length > 0) parts.push(`${[...told.lines, ...(told.left > 0 ? [`And ${told.left} more lines.`] : [])].join('  \n')}\n`);
  if (changes.length > 0) parts.push(tableOf(changes, (limit * SUMMARY_SHARE) / 2));
  const filesOf = (list: readonly Change[]) => [...new Set(list.map((change) => manifestOf(change).file))].sort();
  const inFile = (list: readonly Change[], file: string) => list.filter((change) => manifestOf(change).file === file).flatMap((change) => lines.get(change)!);
  parts.push(...filesOf(programs).map((file) => programsLine(file, programs.filter((change) => manifestOf(change).file === file), inFile(programs, file))));
  if (programs.length > 0) parts.push(`To read the programs, run this on the branch: \`${again}\`\n`);
  if (all.some(({ action }) => ['removed', 'replaced'].includes(action))) parts.push('What is removed or replaced stays in the cluster until somebody deletes it, or a controller prunes it: `apply.sh` deletes nothing.\n');

  const diffs = filesOf(changes).map((file) => ({ file, lines: inFile(changes, file) }));
  const total = diffs.reduce((sum, diff) => sum + diff.lines.length, 0);
  const footer = (shown: number) => `**Cut here**, since a comment has a limit: ${shown} of ${total} lines are shown. To see all of it, run this on the branch:\n\n    ${again}\n`;
  let room = limit - parts.join('\n').length - footer(total).length - 10;
  let shown = 0;
  for (const diff of diffs) {
    const block = (end: number) => fileBlock(diff.file, diff.lines.slice(0, end), count(diff.lines, '+'), count(diff.lines, '-'));
    let end = diff.lines.length;
    while (end > 0 && block(end).length >= room) end = Math.min(end - 1, Math.floor((end * room) / block(end).length));
    if (end <= 0) break;
    parts.push(block(end));
    room -= block(end).length + 1;
    shown += end;
    if (end < diff.lines.length) break;
  }
  if (shown < total) parts.push(footer(shown));
  return parts.join('\n');
}

function cutTo(lines: string[], limit: number): { lines: string[]; left: number } {
  const kept = [...lines];
  while (kept.join('\n').length > limit) kept.splice(-Math.ceil(kept.length / 10));
  return { lines: kept, left: lines.length - kept.length };
}

function tableOf(changes: readonly Change[], limit: number): string {
  const rows = cutTo(
    changes.map((change) => `| ${change.action} | ${safe(manifestOf(change).kind)} | ${namesOf(change).map((name) => `\`${name}\``).join(' → ')} |`),
    limit,
  );
  const more = rows.left > 0 ? `\nAnd ${rows.left} more objects.\n` : '';
  return `<details><summary>Objects: ${countActions(changes)}</summary>\n\n| | Kind | Name |\n| --- | --- | --- |\n${rows.lines.join('\n')}\n${more}\n</details>\n`;
}

/** What changes in the programs of a file, in one line. */
function programsLine(file: string, changes: readonly Change[], lines: string[]): string {
  return `Programs in \`${safe(file)}\`: ${countActions(changes)} (+${count(lines, '+')} −${count(lines, '-')})\n`;
}

function fileBlock(name: string, lines: string[], added: number, removed: number): string {
  const longest = lines.reduce((length, line) => Math.max(length, ...(line.match(/`+/g) ?? []).map((run) => run.length)), 2);
  const fence = '`'.repeat(longest + 1);
  return [`<details><summary><code>${safe(name)}</code> (+${added} −${removed})</summary>`, '', `${fence}diff`, ...lines, fence, '', '</details>', ''].join('\n');
}
