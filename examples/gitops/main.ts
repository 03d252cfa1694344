// Argo CD takes the YAML from this folder. It needs no waves: what is not ready yet waits by itself. The Jobs are hooks, which
// run at each sync. Nothing drifts: the Secrets are declared without data, so self-healing and pruning leave alone what the cluster put into them.
import { ApiObject, App, Chart } from 'cdk8s';
import { ArgoCdHooks, MlflowStack, ProgramsChart } from 'cdk8s-mlflow';

const repository = { repoURL: 'https://git.example.com/platform/mlflow.git', targetRevision: 'main', path: 'dist' };

const stack = new App();
const chart = new Chart(stack, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(stack, 'mlflow-programs', { chart });
new MlflowStack(chart, 'Stack');
ArgoCdHooks.add(chart);
stack.synth();

const argo = new App();
const argocd = new Chart(argo, 'argocd-application', { namespace: 'argocd' });
new ApiObject(argocd, 'Application', {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: { name: 'mlflow', finalizers: ['resources-finalizer.argocd.argoproj.io'] },
  spec: {
    project: 'default',
    source: { ...repository, directory: { include: 'mlflow*.k8s.yaml' } },
    destination: { server: 'https://kubernetes.default.svc', namespace: 'mlflow' },
    syncPolicy: {
      automated: { prune: true, selfHeal: true },
      syncOptions: ['ServerSideApply=true'],
    },
  },
});
argo.synth();
