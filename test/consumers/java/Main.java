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
import io.github.mlflowonkubernetes.cdk8s.MetricsOptions;
import io.github.mlflowonkubernetes.cdk8s.MlflowStack;
import io.github.mlflowonkubernetes.cdk8s.PodDisruptionBudgetOptions;
import io.github.mlflowonkubernetes.cdk8s.PodOptions;
import io.github.mlflowonkubernetes.cdk8s.Postgres;
import io.github.mlflowonkubernetes.cdk8s.ResourcePresets;
import io.github.mlflowonkubernetes.cdk8s.S3AddressingStyle;
import io.github.mlflowonkubernetes.cdk8s.TlsOptions;
import io.github.mlflowonkubernetes.cdk8s.TopologySpread;
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
import org.cdk8s.plus28.k8s.KubeConfigMap;
import org.cdk8s.plus28.k8s.ObjectMeta;
import org.cdk8s.plus28.k8s.SecretKeySelector;

public class Main {
  public static void main(String[] args) {
    App app = new App();
    Chart chart = new Chart(app, "ml-platform", ChartProps.builder().namespace("ml-platform").labels(Map.of("team", "vision")).build());

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
        .trackingServer(TrackingServerOptions.builder()
            .replicas(2)
            .allowedHosts(List.of("mlflow.example.com", "mlflow-service:*"))
            .artifactTransfer(ArtifactTransfer.DIRECT)
            .startupDeadline(Duration.minutes(3))
            .resources(ResourcePresets.MEDIUM)
            .staticPrefix("/runs")
            .xFrameOptions(XFrameOptions.DENY)
            .ingress(IngressOptions.builder()
                .hosts(List.of("mlflow.example.com"))
                .tls(TlsOptions.builder().certificate(CertificateOptions.builder().issuerName("letsencrypt").build()).build())
                .build())
            .basicAuth(BasicAuthOptions.builder().adminUsername("root").build())
            .metrics(MetricsOptions.builder().alertLabels(Map.of("team", "vision")).build())
            .garbageCollection(GarbageCollectionOptions.builder().olderThan(Duration.days(7)).build())
            .podDisruptionBudget(PodDisruptionBudgetOptions.builder().minAvailable(1).build())
            .pod(PodOptions.builder()
                .topologySpread(List.of(TopologySpread.builder().topologyKey("topology.kubernetes.io/zone").build()))
                .priorityClassName("business-critical")
                .build())
            .extraArgs(List.of("--gunicorn-opts=--timeout=120"))
            .extraEnv(List.of(
                EnvVar.builder().name("MLFLOW_LOGGING_LEVEL").value("WARNING").build(),
                EnvVar.builder().name("HTTPS_PROXY").valueFrom(EnvVarSource.builder()
                    .secretKeyRef(SecretKeySelector.builder().name("proxy").key("url").optional(true).build()).build()).build()))
            .build())
        .build();

    stack.getTrackingServer().getDeployment()
        .addJsonPatch(JsonPatch.add("/spec/template/spec/fieldOfTheFuture", Map.of("enabled", true)));
    KubeConfigMap.Builder.create(chart, "Client")
        .metadata(ObjectMeta.builder().name("client").build())
        .data(Map.of("MLFLOW_TRACKING_URI", stack.getTrackingUri()))
        .build();

    app.synth();
  }
}
