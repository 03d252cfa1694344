import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of this package, whether the program is its source or was bundled. */
export function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
