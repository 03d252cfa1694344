import { Change, manifestOf } from './changes';
import { data, secrets } from './data';
import { safe } from './lines';
import { Json, Manifest } from './manifests';
import { network } from './network';
import { plainSecrets } from './plain-secrets';
import { pods } from './pods';
import { refused } from './refused';
import { Finding, Review, differing, list, same, without } from './review';
import { rights } from './rights';

/** A ConfigMap in a file of programs, which a `ProgramsChart` makes: it changes with a version of the library, by thousands of lines. */
const PROGRAMS = /-programs\.[^\\/]*ya?ml$/;

const SIGNS = ['⚠', '↻', '·'];

/** Whether a change is one of a program, which a review of what happens leaves out. */
export function isProgram(change: Change): boolean {
  const { file, kind } = manifestOf(change);
  return kind === 'ConfigMap' && PROGRAMS.test(file);
}

/** What happens when the changes are applied, what is to be looked at first. Every object that changes is in one of them. */
export function findings(review: Review): Finding[] {
  const no = refused(review);
  // what is refused comes last: it changes nothing that runs
  const found = [...data(review), ...plainSecrets(review), ...secrets(review), ...network(review), ...rights(review), ...pods(review, new Set(no.flatMap(({ about }) => about))), ...no];
  const all = [...found, ...rest(review, found)];
  return all.sort((one, other) => SIGNS.indexOf(one.sign) - SIGNS.indexOf(other.sign));
}

/** What no rule has an eye on, folded. */
function rest(review: Review, found: Finding[]): Finding[] {
  const told = new Set(found.flatMap(({ about }) => about));
  const left = review.changes.filter(({ before, after }) => !(after !== undefined && told.has(after)) && !(before !== undefined && told.has(before)));
  const programs = left.filter(isProgram);
  const others = left.filter((change) => !isProgram(change));
  const folded = (rule: string, changes: Change[], words: (change: Change) => string): Finding[] =>
    changes.length === 0 ? [] : [{ sign: '·', rule, text: `${rule}: ${list(changes.map(words), 20)}`, about: changes.map(manifestOf) }];
  const name = (change: Change) => review.name(manifestOf(change));
  const by = (...actions: string[]) => others.filter(({ action }) => actions.includes(action));
  const changed = by('changed').filter((change) => !isNoise(change));
  if (review.base.size === 0) return folded('new', left, name);
  return [
    ...folded('runs again', by('replaced').filter(({ after }) => after!.kind === 'Job'), name),
    ...folded('made under another name', by('replaced').filter(({ after }) => after!.kind !== 'Job'), name),
    ...folded('new', by('added'), name),
    ...folded('not there any more', by('removed'), name),
    ...folded('changes', changed, (change) => `${name(change)}${fields(change)}`),
    ...folded('labels and annotations only', by('changed').filter(isNoise), name),
    ...folded('programs', programs, name),
  ];
}

function isNoise({ before, after }: Change): boolean {
  const bare = ({ object }: Manifest): Json => ({ ...object, metadata: without(object.metadata, 'labels', 'annotations') });
  return same(bare(before!), bare(after!));
}

/** The fields that differ, a level below spec. */
function fields({ before, after }: Change): string {
  const [old, fresh] = [before!, after!].map(({ object }) => object as Json);
  const top = differing(old, fresh).filter((key) => key !== 'metadata');
  const told = top.flatMap((key) => (key === 'spec' ? differing(old.spec, fresh.spec) : key)).map(safe);
  return told.length === 0 ? '' : ` (${list(told, 3)})`;
}
