import { createHash } from 'crypto';

/** Texts from this length on, programs most of them, are the same in many stacks. */
const LONG = 1000;
const MAX_KNOWN = 100;
const KNOWN = new Map<string, string>();

/** A short fingerprint of a text or of a JSON value, the same on every machine. That of a long text is computed once for all stacks of a process. */
export function fingerprint(content: unknown): string {
  if (typeof content !== 'string') return hash(JSON.stringify(content));
  if (content.length < LONG) return hash(content);
  const known = KNOWN.get(content);
  if (known !== undefined) return known;
  const made = hash(content);
  // programs of users may be other ones in each stack
  if (KNOWN.size === MAX_KNOWN) KNOWN.clear();
  KNOWN.set(content, made);
  return made;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}
