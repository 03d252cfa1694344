import * as library from '../lib';

test('what the package exports', () => {
  expect(Object.keys(library).sort()).toEqual([
    'ArtifactTransfer',
    'AzureBlob',
    'AzureCloud',
    'Credentials',
    'DefaultPermission',
    'ExternalDatabase',
    'ExternalPostgres',
    'ExternalS3',
    'ExternalSecretCredentials',
    'Gcs',
    'ImagePullPolicy',
    'Images',
    'IssuerKind',
    'LogLevel',
    'Minio',
    'MlflowStack',
    'Oauth2Proxy',
    'Postgres',
    'PostgresTlsMode',
    'ResourcePresets',
    'S3AddressingStyle',
    'S3Checksums',
    'S3ServerSideEncryption',
    'SecretStoreKind',
    'ServiceType',
    'StartupScript',
    'TrackingServer',
    'XFrameOptions',
  ]);
});
