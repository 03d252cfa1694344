import { IssuerKind, ServerHttpRoute, ServerIngress } from '../../lib';
import { AddOn } from '../add-on';
import { ofKind } from '../helpers';
import { told } from '../tracking-server/server';

/** The routes that have TLS, and the Secret that each has by itself. */
const ROUTES: [AddOn<unknown>, object, string][] = [
  [new AddOn(ServerIngress, 'Ingress', 'target'), {}, 'mlflow-tls'],
  [new AddOn(ServerHttpRoute, 'HttpRoute', 'target'), { gatewayName: 'public' }, 'mlflow-route-tls'],
];

describe.each(ROUTES)('tls of $id', (route, more, secretName) => {
  const options = (tls: object) => ({ hosts: ['mlflow.example.com'], ...more, tls });
  const certificates = (tls: object) => ofKind(route.synth(options(tls)), 'Certificate');
  const wrong = (tls: object) => route.wrong(options(tls));

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
    expect(wrong({})).toEqual([
      told('tls', '"neither secretName nor certificate"', 'tls.secretName names one that is there, tls.certificate has cert-manager make it', 'pass tls.secretName or tls.certificate', route.id),
    ]);
  });

  test.each<[object, string, string, string, string]>([
    [{ secretName: 'My Secret' }, 'secretName', '"My Secret"', 'RFC 1123 subdomain', 'my-secret'],
    [{ secretName: 5 }, 'secretName', '5', 'RFC 1123 subdomain', ''],
    [{ certificate: {} }, 'certificate.issuerName', 'undefined', 'the name of the issuer has to be given', 'letsencrypt'],
    [{ certificate: { issuerName: 'A B' } }, 'certificate.issuerName', '"A B"', 'RFC 1123 subdomain', ''],
    [{ certificate: { issuerName: 'a', issuerKind: 'Vault' } }, 'certificate.issuerKind', '"Vault"', 'the kind is one of Issuer, ClusterIssuer', ''],
    [{ certificate: { issuerName: 'a', issuer: 'b' } }, 'certificate.issuer', 'a string', 'there is no prop of this name', 'did you mean'],
    [{ secretName: 'a', secret: 'b' }, 'secret', 'a string', 'there is no prop of this name', 'did you mean tls.secretName?'],
  ])('%j is refused', (tls, member, got, rule, fix) => {
    expect(wrong(tls)).toEqual([told(`tls.${member}`, got, rule, fix, route.id)]);
  });

  test('a certificate that is no object is told, and that there is none then', () => {
    expect(wrong({ certificate: 'letsencrypt' })).toContainEqual(told('tls.certificate', 'a string', 'it is an object', '', route.id));
  });
});
