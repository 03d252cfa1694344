import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { Certificate } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';

/**
 * Where an issuer of cert-manager is known.
 *
 * @see https://cert-manager.io/docs/concepts/issuer/
 */
export enum IssuerKind {
  /** In the namespace of the Certificate. */
  ISSUER = 'Issuer',

  /** In the whole cluster. */
  CLUSTER_ISSUER = 'ClusterIssuer',
}

/**
 * A certificate that cert-manager gets and renews.
 *
 * @see https://cert-manager.io/docs/usage/certificate/
 */
export interface CertificateOptions {
  /** Name of the issuer. */
  readonly issuerName: string;

  /**
   * Where the issuer is known.
   *
   * @default IssuerKind.CLUSTER_ISSUER
   */
  readonly issuerKind?: IssuerKind;
}

/** TLS of a route. One of the two has to be given. */
export interface TlsOptions {
  /**
   * Secret of type `kubernetes.io/tls` with the certificate, in the namespace of the tracking server.
   *
   * @default - "<name>-tls" with `certificate`
   * @see https://kubernetes.io/docs/concepts/services-networking/ingress/#tls
   */
  readonly secretName?: string;

  /**
   * Certificate to get from cert-manager, which writes it into the Secret.
   *
   * @default - somebody else makes the Secret
   */
  readonly certificate?: CertificateOptions;
}

const SHAPE: Shape<TlsOptions> = { secretName: 'value', certificate: {} };
const CERTIFICATE: Shape<CertificateOptions> = { issuerName: 'value', issuerKind: 'value' };

export interface RouteTls {
  readonly secretName: string;
  readonly certificate?: ApiObject;
}

/** The Secret of a route, and its Certificate where cert-manager makes it. */
export function routeTls(
  scope: Construct,
  checks: PropChecks,
  given: TlsOptions,
  route: { readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: { [key: string]: string } }; readonly hosts: string[] },
): RouteTls {
  const prop = 'tls';
  const options = checks.props(given, SHAPE, `${prop}.`);
  if (options.secretName === undefined && options.certificate === undefined) {
    checks.fault({
      prop,
      value: 'neither secretName nor certificate',
      rule: `TLS needs a Secret with a certificate: ${prop}.secretName names one that is there, ${prop}.certificate has cert-manager make it (https://kubernetes.io/docs/concepts/services-networking/ingress/#tls)`,
      fix: `pass ${prop}.secretName or ${prop}.certificate`,
    });
  }
  const secretName = checks.objectName(`${prop}.secretName`, options.secretName ?? `${route.metadata.name}-tls`);
  if (options.certificate === undefined) return { secretName };
  const issuer = checks.props(options.certificate, CERTIFICATE, `${prop}.certificate.`);
  const name = checks.required(`${prop}.certificate.issuerName`, issuer.issuerName, 'issuer', 'the name of the issuer', '"letsencrypt"');
  const kind = checks.oneOf(`${prop}.certificate.issuerKind`, issuer.issuerKind ?? IssuerKind.CLUSTER_ISSUER, Object.values(IssuerKind), 'the kind');
  const certificate = new Certificate(scope, 'Certificate', {
    metadata: { ...route.metadata, name: secretName },
    spec: { secretName, dnsNames: route.hosts, issuerRef: { name: checks.objectName(`${prop}.certificate.issuerName`, name), kind, group: 'cert-manager.io' } },
  });
  return { secretName, certificate };
}
