import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** cdk8s makes a folder for every chart of a test and leaves it: they all go into one, which the teardown removes. */
export default function setup(): void {
  const folder = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-'));
  // PostgreSQL, in the suite with real servers, runs as another user
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
}
