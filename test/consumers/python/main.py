from cdk8s import App, Chart, Duration, JsonPatch, Size
from cdk8s_mlflow import ArtifactTransfer, ContainerResources, Credentials, Minio, MlflowStack, Postgres, TrackingServerOptions
from cdk8s_plus_28 import k8s

app = App()
chart = Chart(app, "ml-platform", namespace="ml-platform", labels={"team": "vision"})

stack = MlflowStack(
    chart,
    "Mlflow",
    backend_store=Postgres(
        chart,
        "BackendStore",
        storage_size=Size.gibibytes(20),
        resources=ContainerResources(cpu_limit="2", memory_limit=Size.gibibytes(4)),
    ),
    artifact_store=Minio(
        chart,
        "ArtifactStore",
        bucket="vision-models",
        credentials=Credentials.from_secret_name(chart, "Keys", "s3-keys", username_key="key-id", password_key="secret"),
    ),
    tracking_server=TrackingServerOptions(
        replicas=2,
        allowed_hosts=["mlflow.example.com", "mlflow-service:*"],
        artifact_transfer=ArtifactTransfer.DIRECT,
        startup_deadline=Duration.minutes(3),
        extra_args=["--expose-prometheus=/tmp/metrics"],
        extra_env=[
            k8s.EnvVar(name="MLFLOW_LOGGING_LEVEL", value="WARNING"),
            k8s.EnvVar(
                name="HTTPS_PROXY",
                value_from=k8s.EnvVarSource(secret_key_ref=k8s.SecretKeySelector(name="proxy", key="url", optional=True)),
            ),
        ],
    ),
)

stack.tracking_server.deployment.add_json_patch(JsonPatch.add("/spec/template/spec/fieldOfTheFuture", {"enabled": True}))
k8s.KubeConfigMap(
    chart,
    "Client",
    metadata=k8s.ObjectMeta(name="client"),
    data={"MLFLOW_TRACKING_URI": stack.tracking_uri},
)

app.synth()
