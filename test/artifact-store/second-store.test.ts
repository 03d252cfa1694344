import { secondStore } from '../../lib/artifact-store/second-store';

const NAMES = { variable: 'OTHER_', volume: 'other-', path: '/other' };

test('nothing of a second store has the name of something of the first, and paths lead to where it is mounted', () => {
  const store = {
    artifactsDestination: 's3://bucket',
    environment: [
      { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 's3', key: 'id' } } },
      { name: 'AWS_CA_BUNDLE', value: '/etc/ca/ca.crt' },
      { name: 'AWS_REGION', value: 'us-east-1' },
    ],
    volumes: [{ name: 'ca', configMap: { name: 'company-ca' } }],
    volumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }],
  };
  expect(secondStore(store, NAMES)).toEqual({
    environment: [
      { name: 'OTHER_AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 's3', key: 'id' } } },
      { name: 'OTHER_AWS_CA_BUNDLE', value: '/other/etc/ca/ca.crt' },
      { name: 'OTHER_AWS_REGION', value: 'us-east-1' },
    ],
    volumes: [{ name: 'other-ca', configMap: { name: 'company-ca' } }],
    volumeMounts: [{ name: 'other-ca', mountPath: '/other/etc/ca' }],
  });
});

test('one without volumes has none', () => {
  expect(secondStore({ artifactsDestination: 's3://bucket', environment: [] }, NAMES)).toEqual({ environment: [], volumes: [], volumeMounts: [] });
});
