import { Construct } from 'constructs';
import { BasicAuth, BasicAuthOptions } from './basic-auth';
import { Oauth2Proxy } from './oauth2-proxy';
import { OidcOptions } from './oidc-options';
import { IRouteTarget } from '../access/route-target';
import { ITrackingServer } from '../tracking-server/server';

/**
 * Who may use a stack: the prop `login` of `MlflowStack`. A login of your own extends this class.
 */
export abstract class Login {
  /**
   * Login with MLflow's own users and permissions. Clients set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
   *
   * @param options who the administrator is, and what users may do
   * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
   */
  public static basicAuth(options: BasicAuthOptions = {}): Login {
    return new BasicAuthLogin(options);
  }

  /**
   * Login with an OpenID Connect provider, by an oauth2-proxy before the server, to which the routes lead then.
   *
   * @param options the provider
   */
  public static oidc(options: OidcOptions): Login {
    return new OidcLogin(options);
  }

  /**
   * Makes what the login needs.
   *
   * @param scope the construct to which it belongs
   * @param server the server that is logged in to
   * @param externalUrl URL that browsers have, where the stack has a route
   * @returns where the routes of the stack lead: the server, or what stands before it
   */
  public abstract bind(scope: Construct, server: ITrackingServer, externalUrl?: string): IRouteTarget;
}

class BasicAuthLogin extends Login {
  public constructor(private readonly options: BasicAuthOptions) {
    super();
  }

  public bind(scope: Construct, server: ITrackingServer): IRouteTarget {
    new BasicAuth(scope, 'Login', { ...this.options, server });
    return server;
  }
}

class OidcLogin extends Login {
  public constructor(private readonly options: OidcOptions) {
    super();
  }

  public bind(scope: Construct, server: ITrackingServer, externalUrl?: string): IRouteTarget {
    return new Oauth2Proxy(scope, 'Login', { ...this.options, externalUrl: this.options.externalUrl ?? externalUrl, server });
  }
}
