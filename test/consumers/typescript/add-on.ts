// An add-on and a login of the user's own, written with what the package exports and nothing else.
//
// node add-on.js own        with both
// node add-on.js built-in   with the add-on, and with the login of the package in place of the user's
// node add-on.js wrong      with what is set twice
import { App, Chart } from 'cdk8s';
import { Credentials, IRouteTarget, LogLevel, Login, MlflowStack, Oauth2Proxy, RouteBackend, TrackingServer } from 'cdk8s-mlflow';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';

interface TracingProps {
  readonly server: TrackingServer;
  /** Addresses of the collector of the company. */
  readonly collector: string;
}

/** Traces of a tracking server: a collector beside it takes them, and sends them on. */
class Tracing extends Construct {
  public constructor(scope: Construct, id: string, { server, collector }: TracingProps) {
    super(scope, id);
    const { name, namespace, labels } = server;
    const config = JSON.stringify({ exporters: { otlp: { endpoint: collector } } });
    const configMap = new k8s.KubeConfigMap(this, 'Config', { metadata: { name: `${name}-tracing`, namespace, labels }, data: { 'config.yaml': config } });

    server.addSidecar(this, {
      name: 'collector',
      image: 'docker.io/otel/opentelemetry-collector:0.119.0',
      resources: { requests: { cpu: k8s.Quantity.fromString('10m') } },
      volumeMounts: [{ name: 'tracing', mountPath: '/etc/otelcol', readOnly: true }],
    });
    server.addVolume(this, { name: 'tracing', configMap: { name: configMap.name } }, { name: 'tracing', mountPath: '/etc/tracing', readOnly: true });
    server.addPodAnnotation(this, 'checksum/tracing', String(config.length));
    server.addFlag(this, '--uvicorn-opts=--no-server-header');
    server.addVariable(this, { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://127.0.0.1:4318' });
    server.allowTo({ to: [{ ipBlock: { cidr: collector } }], ports: [{ protocol: 'TCP', port: k8s.IntOrString.fromNumber(4317) }] });
    server.allowFrom({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'notebooks' } } });
    server.addAllowedHost('mlflow.internal:5000');
  }
}

/** What stands before the server and asks the directory of the company who comes. */
class Gate extends Construct implements IRouteTarget {
  public readonly routeBackend: RouteBackend;

  public constructor(
    scope: Construct,
    id: string,
    private readonly server: TrackingServer,
    externalUrl = 'http://localhost',
  ) {
    super(scope, id);
    const { namespace, labels } = server;
    const name = `${server.name}-gate`;
    const podLabels = { app: name };
    const container = { name: 'gate', image: 'registry.example.com/gate:1.0', args: [`--upstream=http://${server.host}:${server.port}`, `--url=${externalUrl}`] };
    new k8s.KubeDeployment(this, 'Deployment', {
      metadata: { name, namespace, labels },
      spec: { selector: { matchLabels: podLabels }, template: { metadata: { labels: podLabels }, spec: { containers: [container] } } },
    });
    new k8s.KubeService(this, 'Service', { metadata: { name, namespace, labels }, spec: { selector: podLabels, ports: [{ name: 'http', port: 8080 }] } });
    new k8s.KubeNetworkPolicy(this, 'NetworkPolicy', { metadata: { name, namespace, labels }, spec: { podSelector: { matchLabels: podLabels }, policyTypes: ['Egress'], egress: [server.connections.toThese] } });
    this.routeBackend = { ...server.routeBackend, serviceName: name, port: 8080 };
    server.addLogin(this);
    server.connections.isolate(this);
    server.connections.allowFromPods(podLabels);
  }

  public addRoute(route: Construct, hosts: string[]): void {
    this.server.addRoute(route, hosts);
  }
}

class GateLogin extends Login {
  public bind(scope: Construct, server: TrackingServer, externalUrl?: string): IRouteTarget {
    return new Gate(scope, 'Login', server, externalUrl);
  }
}

// what the types do not let through
// @ts-expect-error -- a login says what it makes
class NoLogin extends Login {}
// @ts-expect-error -- a flag has an owner
const noOwner = (server: TrackingServer) => server.addFlag('--uvicorn-opts=--no-server-header');
// @ts-expect-error -- a target tells where requests go
const noTarget: IRouteTarget = { addRoute: () => undefined };
void [NoLogin, noOwner, noTarget];

const [, , which] = process.argv;
const app = new App();
const chart = new Chart(app, which, { namespace: 'platform' });
const builtIn = () => Login.oidc({ issuerUrl: 'https://login.example.com', clientCredentials: Credentials.fromSecretName(chart, 'Client', 'oidc-client') });
const stack = new MlflowStack(chart, 'Mlflow', {
  login: which === 'built-in' ? builtIn() : new GateLogin(),
  ingress: { hosts: ['mlflow.example.com'], tls: { secretName: 'tls' } },
  trackingServer: { settings: { deriveAllowedHosts: true, logLevel: which === 'wrong' ? LogLevel.WARNING : undefined } },
});
new Tracing(chart, 'Tracing', { server: stack.trackingServer, collector: '10.1.2.3/32' });
if (which === 'wrong') {
  new Tracing(chart, 'Again', { server: stack.trackingServer, collector: '10.1.2.3/32' });
  new Oauth2Proxy(chart, 'Proxy', { server: stack.trackingServer, issuerUrl: 'https://login.example.com', externalUrl: 'https://mlflow.example.com', clientCredentials: Credentials.fromSecretName(chart, 'Client', 'oidc-client') });
}
app.synth();
