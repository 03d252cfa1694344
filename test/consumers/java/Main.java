package app;

import io.github.mlflowonkubernetes.cdk8s.ArtifactTransfer;
import io.github.mlflowonkubernetes.cdk8s.ContainerResources;
import io.github.mlflowonkubernetes.cdk8s.Credentials;
import io.github.mlflowonkubernetes.cdk8s.ExistingSecretProps;
import io.github.mlflowonkubernetes.cdk8s.Minio;
import io.github.mlflowonkubernetes.cdk8s.MlflowStack;
import io.github.mlflowonkubernetes.cdk8s.Postgres;
import io.github.mlflowonkubernetes.cdk8s.TrackingServerOptions;
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
        .artifactStore(Minio.Builder.create(chart, "ArtifactStore")
            .bucket("vision-models")
            .credentials(Credentials.fromSecretName(chart, "Keys", "s3-keys",
                ExistingSecretProps.builder().usernameKey("key-id").passwordKey("secret").build()))
            .build())
        .trackingServer(TrackingServerOptions.builder()
            .replicas(2)
            .allowedHosts(List.of("mlflow.example.com", "mlflow-service:*"))
            .artifactTransfer(ArtifactTransfer.DIRECT)
            .startupDeadline(Duration.minutes(3))
            .extraArgs(List.of("--expose-prometheus=/tmp/metrics"))
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
