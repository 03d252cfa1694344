import { IssuerKind } from '../../lib';
import { synth, told, wrong } from '../tracking-server/server';
import { ofKind } from '../helpers';

/** The routes that have TLS, and the Secret that each has by itself. */
const ROUTES: [string, (tls: object) => object, string][] = [
  ['ingress', (tls) => ({ ingress: { hosts: ['mlflow.example.com'], tls } }), 'mlflow-tls'],
  ['httpRoute', (tls) => ({ httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public', tls } }), 'mlflow-route-tls'],
];

describe.each(ROUTES)('tls of %s', (prop, props, secretName) => {
  const certificates = (tls: object) => ofKind(synth(props(tls)), 'Certificate');

  test('secretName alone makes nothing', () => {
    expect(certificates({ secretName: 'there' })).toEqual([]);
  });

  test('certificate is written into a Secret of its own, or of this name', () => {
    expect(certificates({ certificate: { issuerName: 'a' } }).map(({ metadata, spec }) => [metadata.name, spec.secretName])).toEqual([[secretName, secretName]]);
    expect(certificates({ secretName: 'mine', certificate: { issuerName: 'a' } }).map(({ metadata, spec }) => [metadata.name, spec.secretName])).toEqual([['mine', 'mine']]);
  });

  test('issuerKind', () => {
    expect(certificates({ certificate: { issuerName: 'a', issuerKind: IssuerKind.ISSUER } })[0].spec.issuerRef).toEqual({ name: 'a', kind: 'Issuer', group: 'cert-manager.io' });
  });

  test('neither of them is a fault that names both', () => {
    expect(wrong(props({}))).toEqual([
      told(`${prop}.tls`, '"neither secretName nor certificate"', `${prop}.tls.secretName names one that is there, ${prop}.tls.certificate has cert-manager make it`, `pass ${prop}.tls.secretName or ${prop}.tls.certificate`),
    ]);
  });

  test.each<[object, string, string, string, string]>([
    [{ secretName: 'My Secret' }, 'secretName', '"My Secret"', 'RFC 1123 subdomain', 'my-secret'],
    [{ secretName: 5 }, 'secretName', '5', 'RFC 1123 subdomain', ''],
    [{ certificate: {} }, 'certificate.issuerName', 'undefined', 'the name of the issuer has to be given', 'letsencrypt'],
    [{ certificate: { issuerName: 'A B' } }, 'certificate.issuerName', '"A B"', 'RFC 1123 subdomain', ''],
    [{ certificate: { issuerName: 'a', issuerKind: 'Vault' } }, 'certificate.issuerKind', '"Vault"', 'the kind is one of Issuer, ClusterIssuer', ''],
    [{ certificate: { issuerName: 'a', issuer: 'b' } }, 'certificate.issuer', 'a string', 'there is no prop of this name', 'did you mean'],
    [{ secretName: 'a', secret: 'b' }, 'secret', 'a string', 'there is no prop of this name', `did you mean ${prop}.tls.secretName?`],
  ])('%j is refused', (tls, member, got, rule, fix) => {
    expect(wrong(props(tls))).toEqual([told(`${prop}.tls.${member}`, got, rule, fix)]);
  });

  test('a certificate that is no object is told, and that there is none then', () => {
    expect(wrong(props({ certificate: 'letsencrypt' }))).toContainEqual(told(`${prop}.tls.certificate`, 'a string', 'it is an object', ''));
  });
});
