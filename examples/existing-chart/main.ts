// MLflow goes into a chart, and a namespace, that has objects of its own already. The name "experiments" keeps the two
// apart, and a training job learns the tracking URI from the construct: it needs no key and no endpoint.
import { App, Chart } from 'cdk8s';
import { MlflowStack, ProgramsChart } from 'cdk8s-mlflow';
import { EnvValue, Job } from 'cdk8s-plus-28';
import { Construct } from 'constructs';

class TrainingPlatform extends Chart {
  public constructor(scope: Construct, id: string) {
    super(scope, id, { namespace: 'training' });
    new ProgramsChart(scope, `${id}-programs`, { chart: this });

    const mlflow = new MlflowStack(this, 'Mlflow', { name: 'experiments', createNamespace: false });

    const job = new Job(this, 'Train', { metadata: { name: 'train' } });
    job.addContainer({
      image: 'registry.example.com/train:1.4.0',
      securityContext: { user: 10001, group: 10001 },
      envVariables: {
        MLFLOW_TRACKING_URI: EnvValue.fromValue(mlflow.trackingUri),
        MLFLOW_EXPERIMENT_NAME: EnvValue.fromValue('nightly'),
      },
    });
  }
}

const app = new App();
new TrainingPlatform(app, 'platform');
app.synth();
