import { createHash } from 'crypto';

/** A short fingerprint of a text or of a JSON value, the same on every machine. */
export function fingerprint(content: unknown): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}
