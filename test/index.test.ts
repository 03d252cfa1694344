import * as library from '../lib';

test('what the package exports', () => {
  expect(Object.keys(library).sort()).toEqual([
    'ArtifactTransfer',
    'Credentials',
    'Images',
    'Minio',
    'MlflowStack',
    'Postgres',
    'StartupScript',
    'TrackingServer',
  ]);
});
