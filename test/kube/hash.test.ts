import { Hash, createHash } from 'node:crypto';
import { fingerprint } from '../../lib/kube/hash';

test('is the beginning of the SHA-256 of a text', () => {
  // printf abc | sha256sum
  expect(fingerprint('abc')).toBe('ba7816bf8f');
});

test('is that of its JSON for everything else', () => {
  expect(fingerprint({ b: [1, 'x'], a: null })).toBe(fingerprint('{"b":[1,"x"],"a":null}'));
});

test('takes the bytes of UTF-8', () => {
  // printf ä | sha256sum
  expect(fingerprint('ä')).toBe('33e6d73fee');
});

test.each([
  ['a', 'a '],
  ['', '0'],
  [{ a: 1 }, { a: 2 }],
  [{ a: [1, 2] }, { a: [2, 1] }],
])('tells %j from %j', (one, other) => {
  expect(fingerprint(one)).not.toBe(fingerprint(other));
});

test('fits into a name', () => {
  expect(fingerprint('x'.repeat(100_000))).toMatch(/^[0-9a-f]{10}$/);
});

test('is computed once for a long text, and again for another one', () => {
  const hashed = jest.spyOn(Hash.prototype, 'update');
  const program = (name: string) => `${'# a program\n'.repeat(100)}${name}`;

  expect([fingerprint(program('a')), fingerprint(program('a')), fingerprint(program('b'))]).toEqual([expect.any(String), fingerprint(program('a')), expect.any(String)]);
  expect(fingerprint(program('a'))).not.toBe(fingerprint(program('b')));
  expect(hashed).toHaveBeenCalledTimes(2);
});

test('is that of its text, however many there are', () => {
  const programs = Array.from({ length: 250 }, (_, index) => `${'x'.repeat(2000)}${index}`);
  const expected = programs.map((text) => createHash('sha256').update(text).digest('hex').slice(0, 10));

  expect([...programs, ...programs].map((text) => fingerprint(text))).toEqual([...expected, ...expected]);
});
