import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { ROOT } from './run-script';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { keywords: string[]; license: string; homepage: string; repository: { type: string; url: string; directory?: string }; stability: string; description: string };

// https://artifacthub.io/docs/topics/annotations/helm
describe('Artifact Hub, of the Helm chart', () => {
  const chart = parse(read('examples/helm/dist/Chart.yaml')) as { [field: string]: string } & { annotations: { [name: string]: string }; maintainers: { name: string; url: string }[]; sources: string[] };
  const templates = readdirSync(join(ROOT, 'examples/helm/dist/templates')).map((name) => read(`examples/helm/dist/templates/${name}`));

  test('has name, versions and where it is from', () => {
    const { synthConfig } = parse(read('examples/helm/cdk8s.yaml')) as { synthConfig: { chartVersion: string } };
    const oldest = /Kubernetes (1\.\d+) to/.exec(read('README.md'))![1];
    const repository = manifest.repository.url.replace(/\.git$/, '');
    expect(chart).toMatchObject({ apiVersion: 'v2', name: 'mlflow-stack', type: 'application', version: synthConfig.chartVersion, kubeVersion: `>=${oldest}.0-0`, home: repository, sources: [repository] });
    expect(templates.join('')).toContain(`/mlflow:v${chart.appVersion}`);
    expect(chart.maintainers.length).toBeGreaterThan(0);
  });

  test('has annotations that are known, each a text with YAML where it is more than a text', () => {
    const { 'artifacthub.io/category': category, 'artifacthub.io/license': license, 'artifacthub.io/images': images, 'artifacthub.io/links': links, ...others } = chart.annotations;
    expect(others).toEqual({});
    expect(['ai-machine-learning', 'database', 'integration-delivery', 'monitoring-logging', 'networking', 'security', 'storage', 'streaming-messaging', 'skip-prediction']).toContain(category);
    expect(license).toBe(manifest.license);
    for (const { name, url } of parse(links) as { name: string; url: string }[]) expect([name, url]).toEqual([expect.stringMatching(/./), expect.stringMatching(/^https:\/\/github\.com\/mlflow-on-kubernetes\/cdk8s-mlflow\//)]);
    const used = templates.flatMap((text) => parseAllDocuments(text).map((document) => JSON.stringify(document.toJS()))).flatMap((text) => [...text.matchAll(/"image":"([^"]+)"/g)].map(([, image]) => image));
    expect(used.length).toBeGreaterThan(5);
    const listed = parse(images) as { name: string; image: string }[];
    expect(listed.map(({ image }) => image)).toEqual([...new Set(used)].sort());
    expect(new Set(listed.map(({ name }) => name)).size).toBe(listed.length);
  });

  test('has a README, whose namespace is that of its objects', () => {
    const [, namespace] = /helm install .* --namespace (\S+)/.exec(read('examples/helm/dist/README.md'))!;
    for (const text of templates) expect(new Set([...text.matchAll(/^ {2}namespace: (\S+)$/gm)].map(([, name]) => name))).toEqual(new Set([namespace]));
  });
});

// which makes links of the README absolute by the repository: src/components/Markdown of cdklabs/construct-hub-webapp
describe('Construct Hub', () => {
  test('finds the package: keyword, license and stability', () => {
    expect(manifest.keywords).toEqual(expect.arrayContaining(['cdk8s', 'constructs', 'kubernetes', 'mlflow']));
    expect(manifest.keywords).toEqual([...new Set(manifest.keywords)].sort());
    expect(manifest).toMatchObject({ license: 'Apache-2.0', stability: 'stable', repository: { type: 'git', url: expect.stringMatching(/^https:\/\/github\.com\/[^/]+\/[^/]+\.git$/) as string } });
  });

  test('renders the README: links and pictures are of files at the root of the repository, and HTML is comments only', () => {
    const readme = read('README.md').replace(/^```[^]*?^```$/gm, '');
    expect(manifest.repository.directory).toBeUndefined();
    const targets = [...readme.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, target]) => target).filter((target) => !target.startsWith('https://'));
    expect(targets.length).toBeGreaterThan(20);
    for (const target of targets) expect([target, /^\w[\w./-]*$/.test(target) && existsSync(join(ROOT, target))]).toEqual([target, true]);
    const pictures = [...readme.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, target]) => target);
    expect(pictures.length).toBeGreaterThanOrEqual(2);
    // raw.githubusercontent.com sends an SVG as text
    for (const target of pictures) expect(target).toMatch(/\.png$/);
    expect(readme.replace(/<!--.*?-->/g, '').replace(/`[^`]*`/g, '')).not.toMatch(/<\/?[a-z]/i);
  });
});
