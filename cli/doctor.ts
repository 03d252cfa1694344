import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Fault, UsageFault } from './fault';
import { packageRoot } from './package-root';

const DOCTOR = 'lib/preflight/preflight/mlflow_doctor.py';

const HELP = `Examines a tracking server from where you are, as a client of MLflow.

Usage:
  cdk8s-mlflow doctor --client [--json] [URL]           the server at URL, else at MLFLOW_TRACKING_URI
  cdk8s-mlflow doctor --client [--json] --check-folder DIR
                                                        would MLflow's client keep the names of these files?

Needs python3, and nothing else. A login is taken from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or from
MLFLOW_TRACKING_TOKEN. It logs a small file, reads it back, and deletes it.

The doctor of the server itself runs in its pod:
  kubectl exec deployment/mlflow -- python3 /app/start-mlflow.py doctor

Exit codes: 0 where all is well, that of the first cause where it is not, 2 where nothing could be examined.
`;

/** `doctor`: the doctor for clients, with the arguments and the exit code that it has of its own. */
export function doctor(args: string[]): number {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!args.includes('--client')) throw new UsageFault('from here it examines as a client, with --client; the server itself is examined in its pod: kubectl exec deployment/mlflow -- python3 /app/start-mlflow.py doctor');
  const rest = args.filter((arg) => arg !== '--client');
  // -B leaves no __pycache__ in node_modules
  const { status, signal, error } = spawnSync('python3', ['-B', join(packageRoot(), DOCTOR), ...rest], { stdio: 'inherit' });
  if (error !== undefined) throw new Fault(`python3 cannot be run (${(error as NodeJS.ErrnoException).code}): install it, or fetch the doctor with curl as in docs/how-to/doctor-for-clients.md`);
  return status ?? (signal === null ? 2 : 130);
}
