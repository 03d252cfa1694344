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
	cdk8smlflow.NewProgramsChart(app, jsii.String("ml-platform-programs"), &cdk8smlflow.ProgramsChartProps{Chart: chart})

	stack := cdk8smlflow.NewMlflowStack(chart, jsii.String("Mlflow"), &cdk8smlflow.MlflowStackProps{
		BackendStore: cdk8smlflow.NewPostgres(chart, jsii.String("BackendStore"), &cdk8smlflow.PostgresProps{
			StorageSize: cdk8s.Size_Gibibytes(jsii.Number(20)),
			Resources: &cdk8smlflow.ContainerResources{
				CpuLimit:    jsii.String("2"),
				MemoryLimit: cdk8s.Size_Gibibytes(jsii.Number(4)),
			},
		}),
		ArtifactStore: cdk8smlflow.NewExternalS3(chart, jsii.String("ArtifactStore"), &cdk8smlflow.ExternalS3Props{
			Bucket:          jsii.String("vision-models"),
			EndpointUrl:     jsii.String("https://s3.example.com"),
			AddressingStyle: cdk8smlflow.S3AddressingStyle_PATH,
			Credentials: cdk8smlflow.Credentials_FromSecretName(chart, jsii.String("Keys"), jsii.String("s3-keys"), &cdk8smlflow.ExistingSecretProps{
				UsernameKey: jsii.String("key-id"),
				PasswordKey: jsii.String("secret"),
			}),
		}),
		Images: &cdk8smlflow.ImageOptions{
			Registry:    jsii.String("registry.example.com/mirror"),
			PullSecrets: jsii.Strings("registry-login"),
		},
		Login: cdk8smlflow.Login_BasicAuth(&cdk8smlflow.BasicAuthOptions{AdminUsername: jsii.String("root")}),
		Ingress: &cdk8smlflow.IngressOptions{
			Hosts: jsii.Strings("mlflow.example.com"),
			Tls:   &cdk8smlflow.TlsOptions{Certificate: &cdk8smlflow.CertificateOptions{IssuerName: jsii.String("letsencrypt")}},
		},
		Metrics:             &cdk8smlflow.MetricsOptions{AlertLabels: &map[string]*string{"team": jsii.String("vision")}},
		GarbageCollection:   &cdk8smlflow.GarbageCollectionOptions{OlderThan: cdk8s.Duration_Days(jsii.Number(7))},
		PodDisruptionBudget: &cdk8smlflow.PodDisruptionBudgetOptions{MinAvailable: jsii.Number(1)},
		TrackingServer: &cdk8smlflow.TrackingServerOptions{
			Replicas:         jsii.Number(2),
			ArtifactTransfer: cdk8smlflow.ArtifactTransfer_DIRECT,
			Resources:        cdk8smlflow.ResourcePresets_MEDIUM(),
			Settings: &cdk8smlflow.ServerSettings{
				AllowedHosts:  jsii.Strings("mlflow.example.com", "mlflow-service:*"),
				StaticPrefix:  jsii.String("/runs"),
				XFrameOptions: cdk8smlflow.XFrameOptions_DENY,
			},
			Preflight: &cdk8smlflow.PreflightOptions{StartupDeadline: cdk8s.Duration_Minutes(jsii.Number(3))},
			Pod: &cdk8smlflow.PodOptions{
				TopologySpread:    &[]*cdk8smlflow.TopologySpread{{TopologyKey: jsii.String("topology.kubernetes.io/zone")}},
				PriorityClassName: jsii.String("business-critical"),
			},
			ExtraArgs: jsii.Strings("--uvicorn-opts=--timeout-keep-alive=120"),
			ExtraEnv: &[]*k8s.EnvVar{
				{Name: jsii.String("MLFLOW_LOGGING_LEVEL"), Value: jsii.String("WARNING")},
				{Name: jsii.String("HTTPS_PROXY"), ValueFrom: &k8s.EnvVarSource{
					SecretKeyRef: &k8s.SecretKeySelector{Name: jsii.String("proxy"), Key: jsii.String("url"), Optional: jsii.Bool(true)},
				}},
			},
		},
	})

	// what an add-on of the program's own does
	server := stack.TrackingServer()
	server.AddVariable(chart, &k8s.EnvVar{Name: jsii.String("OTEL_SERVICE_NAME"), Value: server.Name()})
	server.AllowTo(&k8s.NetworkPolicyEgressRule{
		Ports: &[]*k8s.NetworkPolicyPort{{Protocol: jsii.String("TCP"), Port: k8s.IntOrString_FromNumber(jsii.Number(4317))}},
	})

	server.Deployment().AddJsonPatch(cdk8s.JsonPatch_Add(jsii.String("/spec/template/spec/fieldOfTheFuture"), map[string]bool{"enabled": true}))
	k8s.NewKubeConfigMap(chart, jsii.String("Client"), &k8s.KubeConfigMapProps{
		Metadata: &k8s.ObjectMeta{Name: jsii.String("client")},
		Data:     &map[string]*string{"MLFLOW_TRACKING_URI": stack.TrackingUri()},
	})

	app.Synth()
}
