import { connectionsTo, demandConnections } from '../../lib/store/connection-demand';

test('all that is said of a store is added up, when it is asked', () => {
  const [store, other] = [{}, {}];
  let pods = 1;
  demandConnections(store, () => ({ most: 10 * pods, usual: pods }));
  demandConnections(store, () => ({ most: 5, usual: 2 }));
  demandConnections(other, () => ({ most: 1000, usual: 1000 }));
  pods = 3;
  expect(connectionsTo(store)).toEqual({ most: 35, usual: 5 });
});

test('a store of which nothing is said has none', () => {
  expect(connectionsTo({})).toEqual({ most: 0, usual: 0 });
});

test('a copy of a store is the store', () => {
  const store = { connections: {}, uri: 'postgresql+psycopg2://db/runs' };
  demandConnections({ ...store }, () => ({ most: 7, usual: 3 }));
  expect(connectionsTo(store)).toEqual({ most: 7, usual: 3 });
});
