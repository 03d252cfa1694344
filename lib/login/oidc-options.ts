import { CertificateAuthority } from '../options/certificate-authority';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';
import { ICredentials } from '../secrets/credentials';

/** Login with an OpenID Connect provider: Keycloak, Entra ID, Okta, Google, Dex… */
export interface OidcOptions {
  /**
   * URL of the provider, under which `/.well-known/openid-configuration` is.
   *
   * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
   */
  readonly issuerUrl: string;

  /**
   * Authorities that the certificate of the provider may come from, where it is none that everybody knows.
   *
   * @default - those of the image
   */
  readonly issuerCa?: CertificateAuthority;

  /**
   * Client id (as the user name) and client secret (as the password) with which the provider knows this application, in a Secret
   * that exists: `Credentials.fromSecretName`.
   */
  readonly clientCredentials: ICredentials;

  /**
   * Domains of the e-mail addresses of users who may log in.
   *
   * @default - whoever the provider lets in
   */
  readonly emailDomains?: string[];

  /**
   * Groups of which users have to be in one.
   *
   * @default - any
   */
  readonly allowedGroups?: string[];

  /**
   * Whether programs may present an ID token of the provider in place of a login in the browser: MLflow clients set it as
   * MLFLOW_TRACKING_TOKEN.
   *
   * @default true
   * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
   */
  readonly bearerTokens?: boolean;

  /**
   * Number of pods of the proxy. It keeps sessions in cookies, so that each pod knows them all.
   *
   * @default 2
   */
  readonly replicas?: number;

  /**
   * Image of oauth2-proxy.
   *
   * @default Images.OAUTH2_PROXY
   */
  readonly image?: string;

  /**
   * CPU and memory of a pod of the proxy.
   *
   * @default - 20m to 500m, 64 MiB to 128 MiB
   */
  readonly resources?: ContainerResources;

  /**
   * Further flags of oauth2-proxy.
   *
   * @default - none
   * @see https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview
   */
  readonly extraArgs?: string[];

  /**
   * URL that browsers have, with the path of the server if it has one, such as `https://mlflow.example.com`. Where TLS ends at a
   * balancer before the routes, it begins with https all the same.
   *
   * @default - that of the first host of `ingress` or `httpRoute`
   */
  readonly externalUrl?: string;

  /**
   * Where the pods of the proxy run, and what they have besides: over what the server says, field by field.
   *
   * @default - where those of the server run
   */
  readonly pod?: PodOptions;

  /**
   * NetworkPolicies of the proxy.
   *
   * @default - everybody may connect to it, and it connects to the provider and to the server
   */
  readonly networkPolicy?: NetworkPolicyOptions;

  /**
   * Number of the key of the cookies, which the cluster makes up: raise it by one to rotate it. Who is logged in logs in again.
   *
   * @default 1
   */
  readonly cookieGeneration?: number;
}
