from cdk8s import App, Chart, Size, Yaml
from cdk8s_mlflow import IngressOptions, Minio, MlflowStack, Postgres, ProgramsChart, TrackingServerOptions

[values] = Yaml.load("values.yaml")

app = App()
chart = Chart(app, "mlflow", namespace=values["namespace"])
# programs have a file of their own, so that a review looks at the rest
ProgramsChart(app, "mlflow-programs", chart=chart)

MlflowStack(
    chart,
    "Mlflow",
    backend_store=Postgres(chart, "Postgres", instance="mlflow", storage_size=Size.gibibytes(values["databaseGiB"])),
    artifact_store=Minio(chart, "Minio", instance="mlflow", storage_size=Size.gibibytes(values["artifactsGiB"])),
    tracking_server=TrackingServerOptions(replicas=values["replicas"]),
    ingress=IngressOptions(hosts=[values["host"]]) if "host" in values else None,
)

app.synth()
