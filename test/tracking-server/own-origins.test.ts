import { Testing } from 'cdk8s';
import { MlflowStack, MlflowStackProps, ServerSettings } from '../../lib';
import { containers, get } from '../helpers';

/** The origins from which the server takes requests that change something. */
function origins(settings: ServerSettings, routes: MlflowStackProps = {}): string[] | undefined {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { trackingServer: { settings }, ...routes });
  const [server] = containers(get(Testing.synth(chart), 'Deployment', 'mlflow'));
  return server.env.find(({ name }: { name: string }) => name === 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS')?.value.split(',');
}

describe('the web UI, which sends its origin with each search, may do so', () => {
  const OWN = ['http://mlflow.example.com', 'https://mlflow.example.com', 'http://mlflow.example.com:*', 'https://mlflow.example.com:*'];

  test('at the hosts of the routes, with any port, since a balancer may stand before them', () => {
    expect(origins({}, { ingress: { hosts: ['mlflow.example.com'] } })).toEqual(OWN);
    expect(origins({}, { httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public' } })).toEqual(OWN);
  });

  test('once, where both routes have the host', () => {
    expect(origins({}, { ingress: { hosts: ['mlflow.example.com'] }, httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public' } })).toEqual(OWN);
  });

  test('at the hosts that are named, with their ports', () => {
    expect(origins({ allowedHosts: ['10.0.0.7:5000'] })).toEqual(['http://10.0.0.7:5000', 'https://10.0.0.7:5000']);
  });

  test('beside the pages of other sites', () => {
    const given = origins({ corsAllowedOrigins: ['https://notebooks.example.com'] }, { ingress: { hosts: ['mlflow.example.com'] } });
    expect(given).toEqual([...OWN, 'https://notebooks.example.com']);
  });
});

test('where every host is answered for, not every page may use the browser of a user', () => {
  expect(origins({})).toBeUndefined();
  expect(origins({ allowedHosts: ['*'] })).toBeUndefined();
});
