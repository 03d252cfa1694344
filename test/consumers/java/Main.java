package app;

import io.github.mlflowonkubernetes.cdk8s.ArtifactTransfer;
import io.github.mlflowonkubernetes.cdk8s.BasicAuthOptions;
import io.github.mlflowonkubernetes.cdk8s.CertificateOptions;
import io.github.mlflowonkubernetes.cdk8s.ContainerResources;
import io.github.mlflowonkubernetes.cdk8s.Credentials;
import io.github.mlflowonkubernetes.cdk8s.ExistingSecretProps;
import io.github.mlflowonkubernetes.cdk8s.ExternalS3;
import io.github.mlflowonkubernetes.cdk8s.GarbageCollectionOptions;
import io.github.mlflowonkubernetes.cdk8s.ImageOptions;
import io.github.mlflowonkubernetes.cdk8s.IngressOptions;
import io.github.mlflowonkubernetes.cdk8s.Login;
import io.github.mlflowonkubernetes.cdk8s.MetricsOptions;
import io.github.mlflowonkubernetes.cdk8s.MlflowStack;
import io.github.mlflowonkubernetes.cdk8s.PodDisruptionBudgetOptions;
import io.github.mlflowonkubernetes.cdk8s.PodOptions;
import io.github.mlflowonkubernetes.cdk8s.Postgres;
import io.github.mlflowonkubernetes.cdk8s.PreflightOptions;
import io.github.mlflowonkubernetes.cdk8s.ProgramsChart;
import io.github.mlflowonkubernetes.cdk8s.ResourcePresets;
import io.github.mlflowonkubernetes.cdk8s.S3AddressingStyle;
import io.github.mlflowonkubernetes.cdk8s.ServerSettings;
import io.github.mlflowonkubernetes.cdk8s.TlsOptions;
import io.github.mlflowonkubernetes.cdk8s.TopologySpread;
import io.github.mlflowonkubernetes.cdk8s.TrackingServer;
import io.github.mlflowonkubernetes.cdk8s.TrackingServerOptions;
import io.github.mlflowonkubernetes.cdk8s.XFrameOptions;
import java.util.List;
import java.util.Map;
import org.cdk8s.App;
import org.cdk8s.Chart;
import org.cdk8s.ChartProps;
import org.cdk8s.Duration;
import org.cdk8s.JsonPatch;
import org.cdk8s.Size;
import org.cdk8s.plus28.k8s.EnvVar;
import org.cdk8s.plus28.k8s.EnvVarSource;
import org.cdk8s.plus28.k8s.IntOrString;
import org.cdk8s.plus28.k8s.KubeConfigMap;
import org.cdk8s.plus28.k8s.NetworkPolicyEgressRule;
import org.cdk8s.plus28.k8s.NetworkPolicyPort;
import org.cdk8s.plus28.k8s.ObjectMeta;
import org.cdk8s.plus28.k8s.SecretKeySelector;

public class Main {
  public static void main(String[] args) {
    App app = new App();
    Chart chart = new Chart(app, "ml-platform", ChartProps.builder().namespace("ml-platform").labels(Map.of("team", "vision")).build());
    ProgramsChart.Builder.create(app, "ml-platform-programs").chart(chart).build();

    MlflowStack stack = MlflowStack.Builder.create(chart, "Mlflow")
        .backendStore(Postgres.Builder.create(chart, "BackendStore")
            .storageSize(Size.gibibytes(20))
            .resources(ContainerResources.builder().cpuLimit("2").memoryLimit(Size.gibibytes(4)).build())
            .build())
        .artifactStore(ExternalS3.Builder.create(chart, "ArtifactStore")
            .bucket("vision-models")
            .endpointUrl("https://s3.example.com")
            .addressingStyle(S3AddressingStyle.PATH)
            .credentials(Credentials.fromSecretName(chart, "Keys", "s3-keys",
                ExistingSecretProps.builder().usernameKey("key-id").passwordKey("secret").build()))
            .build())
        .images(ImageOptions.builder().registry("registry.example.com/mirror").pullSecrets(List.of("registry-login")).build())
        .login(Login.basicAuth(BasicAuthOptions.builder().adminUsername("root").build()))
        .ingress(IngressOptions.builder()
            .hosts(List.of("mlflow.example.com"))
            .tls(TlsOptions.builder().certificate(CertificateOptions.builder().issuerName("letsencrypt").build()).build())
            .build())
        .metrics(MetricsOptions.builder().alertLabels(Map.of("team", "vision")).build())
        .garbageCollection(GarbageCollectionOptions.builder().olderThan(Duration.days(7)).build())
        .podDisruptionBudget(PodDisruptionBudgetOptions.builder().minAvailable(1).build())
        .trackingServer(TrackingServerOptions.builder()
            .replicas(2)
            .artifactTransfer(ArtifactTransfer.DIRECT)
            .resources(ResourcePresets.MEDIUM)
            .settings(ServerSettings.builder()
                .allowedHosts(List.of("mlflow.example.com", "mlflow-service:*"))
                .staticPrefix("/runs")
                .xFrameOptions(XFrameOptions.DENY)
                .build())
            .preflight(PreflightOptions.builder().startupDeadline(Duration.minutes(3)).build())
            .pod(PodOptions.builder()
                .topologySpread(List.of(TopologySpread.builder().topologyKey("topology.kubernetes.io/zone").build()))
                .priorityClassName("business-critical")
                .build())
            .extraArgs(List.of("--uvicorn-opts=--timeout-keep-alive=120"))
            .extraEnv(List.of(
                EnvVar.builder().name("MLFLOW_LOGGING_LEVEL").value("WARNING").build(),
                EnvVar.builder().name("HTTPS_PROXY").valueFrom(EnvVarSource.builder()
                    .secretKeyRef(SecretKeySelector.builder().name("proxy").key("url").optional(true).build()).build()).build()))
            .build())
        .build();

    // what an add-on of the program's own does
    TrackingServer server = stack.getTrackingServer();
    server.addVariable(chart, EnvVar.builder().name("OTEL_SERVICE_NAME").value(server.getName()).build());
    server.allowTo(NetworkPolicyEgressRule.builder()
        .ports(List.of(NetworkPolicyPort.builder().protocol("TCP").port(IntOrString.fromNumber(4317)).build()))
        .build());

    server.getDeployment()
        .addJsonPatch(JsonPatch.add("/spec/template/spec/fieldOfTheFuture", Map.of("enabled", true)));
    KubeConfigMap.Builder.create(chart, "Client")
        .metadata(ObjectMeta.builder().name("client").build())
        .data(Map.of("MLFLOW_TRACKING_URI", stack.getTrackingUri()))
        .build();

    app.synth();
  }
}
