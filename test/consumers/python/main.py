from cdk8s import App, Chart, Duration, JsonPatch, Size
from cdk8s_mlflow import (
    ArtifactTransfer,
    CertificateOptions,
    ContainerResources,
    Credentials,
    ExternalS3,
    GarbageCollectionOptions,
    ImageOptions,
    IngressOptions,
    Login,
    MetricsOptions,
    MlflowStack,
    PodDisruptionBudgetOptions,
    PodOptions,
    Postgres,
    PreflightOptions,
    ProgramsChart,
    ResourcePresets,
    S3AddressingStyle,
    ServerSettings,
    TlsOptions,
    TopologySpread,
    TrackingServerOptions,
    XFrameOptions,
)
from cdk8s_plus_28 import k8s

app = App()
chart = Chart(app, "ml-platform", namespace="ml-platform", labels={"team": "vision"})
ProgramsChart(app, "ml-platform-programs", chart=chart)

stack = MlflowStack(
    chart,
    "Mlflow",
    backend_store=Postgres(
        chart,
        "BackendStore",
        storage_size=Size.gibibytes(20),
        resources=ContainerResources(cpu_limit="2", memory_limit=Size.gibibytes(4)),
    ),
    artifact_store=ExternalS3(
        chart,
        "ArtifactStore",
        bucket="vision-models",
        endpoint_url="https://s3.example.com",
        addressing_style=S3AddressingStyle.PATH,
        credentials=Credentials.from_secret_name(chart, "Keys", "s3-keys", username_key="key-id", password_key="secret"),
    ),
    images=ImageOptions(registry="registry.example.com/mirror", pull_secrets=["registry-login"]),
    login=Login.basic_auth(admin_username="root"),
    ingress=IngressOptions(
        hosts=["mlflow.example.com"], tls=TlsOptions(certificate=CertificateOptions(issuer_name="letsencrypt"))
    ),
    metrics=MetricsOptions(alert_labels={"team": "vision"}),
    garbage_collection=GarbageCollectionOptions(older_than=Duration.days(7)),
    pod_disruption_budget=PodDisruptionBudgetOptions(min_available=1),
    tracking_server=TrackingServerOptions(
        replicas=2,
        artifact_transfer=ArtifactTransfer.DIRECT,
        resources=ResourcePresets.MEDIUM,
        settings=ServerSettings(
            allowed_hosts=["mlflow.example.com", "mlflow-service:*"],
            static_prefix="/runs",
            x_frame_options=XFrameOptions.DENY,
        ),
        preflight=PreflightOptions(startup_deadline=Duration.minutes(3)),
        pod=PodOptions(
            topology_spread=[TopologySpread(topology_key="topology.kubernetes.io/zone")], priority_class_name="business-critical"
        ),
        extra_args=["--uvicorn-opts=--timeout-keep-alive=120"],
        extra_env=[
            k8s.EnvVar(name="MLFLOW_LOGGING_LEVEL", value="WARNING"),
            k8s.EnvVar(
                name="HTTPS_PROXY",
                value_from=k8s.EnvVarSource(secret_key_ref=k8s.SecretKeySelector(name="proxy", key="url", optional=True)),
            ),
        ],
    ),
)

# what an add-on of the program's own does
server = stack.tracking_server
server.add_variable(chart, name="OTEL_SERVICE_NAME", value=server.name)
server.allow_to(
    k8s.NetworkPolicyEgressRule(ports=[k8s.NetworkPolicyPort(protocol="TCP", port=k8s.IntOrString.from_number(4317))])
)

server.deployment.add_json_patch(JsonPatch.add("/spec/template/spec/fieldOfTheFuture", {"enabled": True}))
k8s.KubeConfigMap(
    chart,
    "Client",
    metadata=k8s.ObjectMeta(name="client"),
    data={"MLFLOW_TRACKING_URI": stack.tracking_uri},
)

app.synth()
