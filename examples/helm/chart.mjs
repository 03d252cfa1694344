// What Helm and Artifact Hub show of the chart, behind `cdk8s synth`, which writes a Chart.yaml of five lines.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = join(dirname(fileURLToPath(import.meta.url)), 'dist');
const templates = readdirSync(join(dist, 'templates')).map((name) => readFileSync(join(dist, 'templates', name), 'utf8'));
// each once, by the last part of its repository
const images = [...new Set(templates.flatMap((text) => [...text.matchAll(/^ +(?:- )?image: (\S+)$/gm)].map(([, image]) => image)))].sort();
const named = images.map((image) => ({ name: /([^/:@]+)(?::[^/]+)?(?:@.*)?$/.exec(image)[1], image }));
const [, appVersion] = /\/mlflow:v([\d.]+)/.exec(images.join('\n'));
const [, version] = /^version: "?([^"\s]+)"?$/m.exec(readFileSync(join(dist, 'Chart.yaml'), 'utf8'));
const repository = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow';

// JSON is YAML, and a value of an annotation is a text with YAML in it
const annotation = (value) => `|\n${value.map((entry) => `    - ${JSON.stringify(entry)}`).join('\n')}`;
writeFileSync(
  join(dist, 'Chart.yaml'),
  `apiVersion: v2
name: mlflow-stack
version: ${version}
appVersion: ${appVersion}
type: application
description: MLflow tracking server with proxied artifacts, PostgreSQL and MinIO
kubeVersion: ">=1.29.0-0"
home: ${repository}
sources:
  - ${repository}
keywords: [machine-learning, minio, mlflow, mlops, model-registry, postgresql]
maintainers:
  - name: The cdk8s-mlflow authors
    url: https://github.com/mlflow-on-kubernetes
annotations:
  artifacthub.io/category: ai-machine-learning
  artifacthub.io/license: Apache-2.0
  artifacthub.io/images: ${annotation(named)}
  artifacthub.io/links: ${annotation([
    { name: 'documentation', url: `${repository}/blob/main/docs/README.md` },
    { name: 'support', url: `${repository}/issues` },
  ])}
`,
);
writeFileSync(
  join(dist, 'README.md'),
  `# MLflow ${appVersion}

A tracking server that hands artifacts through to MinIO, and keeps runs in PostgreSQL. Clients need its URI and no keys. Made from CDK8s by [cdk8s-mlflow](${repository}): the chart has no values, its settings stand in a program.

Its objects are in the namespace \`mlflow\`:

\`\`\`sh
helm install mlflow . --namespace mlflow --create-namespace --wait --timeout 10m
kubectl exec --namespace mlflow deployment/mlflow -- python3 /app/start-mlflow.py doctor
\`\`\`

In the cluster the URI is \`http://mlflow-service.mlflow.svc.cluster.local:5000\`.
`,
);
