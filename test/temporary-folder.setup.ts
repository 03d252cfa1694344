import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** cdk8s makes a folder for every chart of a test and leaves it: they all go into one, which the teardown removes. */
export default function setup(): void {
  process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-'));
}
