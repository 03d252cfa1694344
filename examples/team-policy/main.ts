// A team's own rules over the finished stack, without a fork: who owns what on every object, a priority and a registry of
// the company's on every pod, and one change of one object that no prop is for.
import { ApiObject, App, Chart, JsonPatch } from 'cdk8s';
import { MlflowStack, ProgramsChart } from 'cdk8s-mlflow';
import { IConstruct } from 'constructs';

const PODS = ['Deployment', 'StatefulSet', 'Job'];

function applyPolicy(scope: IConstruct): void {
  for (const object of scope.node.findAll().filter((construct) => ApiObject.isApiObject(construct))) {
    object.metadata.addLabel('example.com/owner', 'ml-platform');
    if (!PODS.includes(object.kind)) continue;
    object.addJsonPatch(JsonPatch.add('/spec/template/spec/priorityClassName', 'business-critical'));

    const { spec } = object.toJson().spec.template;
    for (const list of ['initContainers', 'containers']) {
      for (const [index, { image }] of (spec[list] ?? []).entries()) {
        const mirror = `registry.example.com/${image}`;
        object.addJsonPatch(JsonPatch.replace(`/spec/template/spec/${list}/${index}/image`, mirror));
      }
    }
  }
}

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(app, 'mlflow-programs', { chart });
const stack = new MlflowStack(chart, 'Stack');

stack.minio?.statefulSet.addJsonPatch(JsonPatch.add('/spec/template/spec/nodeSelector', { 'example.com/disk': 'fast' }));
applyPolicy(app);

app.synth();
