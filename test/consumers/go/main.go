package main

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"
	"github.com/cdk8s-team/cdk8s-plus-go/cdk8splus28/v2/k8s"
	"github.com/mlflow-on-kubernetes/cdk8s-mlflow-go/cdk8smlflow"
)

func main() {
	app := cdk8s.NewApp(nil)
	chart := cdk8s.NewChart(app, jsii.String("ml-platform"), &cdk8s.ChartProps{
		Namespace: jsii.String("ml-platform"),
		Labels:    &map[string]*string{"team": jsii.String("vision")},
	})

	stack := cdk8smlflow.NewMlflowStack(chart, jsii.String("Mlflow"), &cdk8smlflow.MlflowStackProps{
		BackendStore: cdk8smlflow.NewPostgres(chart, jsii.String("BackendStore"), &cdk8smlflow.PostgresProps{
			StorageSize: cdk8s.Size_Gibibytes(jsii.Number(20)),
			Resources: &cdk8smlflow.ContainerResources{
				CpuLimit:    jsii.String("2"),
				MemoryLimit: cdk8s.Size_Gibibytes(jsii.Number(4)),
			},
		}),
		ArtifactStore: cdk8smlflow.NewMinio(chart, jsii.String("ArtifactStore"), &cdk8smlflow.MinioProps{
			Bucket: jsii.String("vision-models"),
			Credentials: cdk8smlflow.Credentials_FromSecretName(chart, jsii.String("Keys"), jsii.String("s3-keys"), &cdk8smlflow.ExistingSecretProps{
				UsernameKey: jsii.String("key-id"),
				PasswordKey: jsii.String("secret"),
			}),
		}),
		TrackingServer: &cdk8smlflow.TrackingServerOptions{
			Replicas:         jsii.Number(2),
			AllowedHosts:     jsii.Strings("mlflow.example.com", "mlflow-service:*"),
			ArtifactTransfer: cdk8smlflow.ArtifactTransfer_DIRECT,
			StartupDeadline:  cdk8s.Duration_Minutes(jsii.Number(3)),
			ExtraArgs:        jsii.Strings("--expose-prometheus=/tmp/metrics"),
			ExtraEnv: &[]*k8s.EnvVar{
				{Name: jsii.String("MLFLOW_LOGGING_LEVEL"), Value: jsii.String("WARNING")},
				{Name: jsii.String("HTTPS_PROXY"), ValueFrom: &k8s.EnvVarSource{
					SecretKeyRef: &k8s.SecretKeySelector{Name: jsii.String("proxy"), Key: jsii.String("url"), Optional: jsii.Bool(true)},
				}},
			},
		},
	})

	stack.TrackingServer().Deployment().AddJsonPatch(cdk8s.JsonPatch_Add(jsii.String("/spec/template/spec/fieldOfTheFuture"), map[string]bool{"enabled": true}))
	k8s.NewKubeConfigMap(chart, jsii.String("Client"), &k8s.KubeConfigMapProps{
		Metadata: &k8s.ObjectMeta{Name: jsii.String("client")},
		Data:     &map[string]*string{"MLFLOW_TRACKING_URI": stack.TrackingUri()},
	})

	app.Synth()
}
