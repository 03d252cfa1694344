import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PYTHON, ROOT, Result, run } from './run-script';

/** The Python tests of a room: one file for each of its modules, beside what they share. */
export class PythonModules {
  public readonly files: string[];
  private readonly path: string;

  /** Of the tests in a folder, and the folders of `lib` that their programs are imported from. */
  public constructor(private readonly folder: string, ...libraries: string[]) {
    this.files = readdirSync(folder).filter((name) => /^test_\w+\.py$/.test(name));
    this.path = [...libraries.map((library) => join(ROOT, 'lib', library)), folder].join(':');
  }

  /** Runs all of them. */
  public testEach(): void {
    test.each(this.files)('%s', async (file) => {
      const { code, stderr } = await this.python(join(this.folder, file));

      if (code !== 0 || !/^Ran [1-9]/m.test(stderr)) throw new Error(stderr);
    });
  }

  /** With -S, so that what is installed on this machine is not found. */
  public python(...command: string[]): Promise<Result> {
    return run([PYTHON, '-S', ...command], { PYTHONPATH: this.path });
  }
}
