import { Notes } from '../../lib/kube/notes';

describe('a note', () => {
  const notes = new Notes<string | undefined>();
  const object = { name: 'a' };

  test('stands on its object, which looks as before', () => {
    notes.set(object, 'first');
    notes.set(object, 'second');
    expect([notes.get(object), notes.has(object), notes.get({}), notes.has({})]).toEqual(['second', true, undefined, false]);
    expect([Object.keys(object), { ...object }, JSON.stringify(object)]).toEqual([['name'], { name: 'a' }, '{"name":"a"}']);
  });

  test('is none of other notes', () => {
    expect(new Notes<string>().has(object)).toBe(false);
  });
});
