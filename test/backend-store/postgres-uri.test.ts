import { postgresUri } from '../../lib/backend-store/postgres-uri';
import { PATIENCE } from '../helpers';

test('it says how long libpq waits for a server that is silent', () => {
  expect(postgresUri('db.example.com', 6543, 'runs')).toBe(`postgresql+psycopg2://db.example.com:6543/runs${PATIENCE}`);
});
