import { Duration, Size } from 'cdk8s';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { ContainerResources } from '../options/resources';
import { ScratchVolume } from '../options/scratch-volume';

/**
 * Backups of the database and of the bucket with the artifacts, each tried by a restore of its own, and the way back.
 *
 * @see https://www.postgresql.org/docs/current/app-pgdump.html
 */
export interface BackupOptions {
  /**
   * Bucket for the backups, with keys of its own: another one than that of the artifacts, and best at another place. An
   * `ExternalS3` with `credentials`. Its `serverSideEncryption` is how the backups are encrypted.
   */
  readonly destination: IArtifactStore;

  /**
   * When it runs, as cron writes it, in the time zone of the cluster's control plane unless `timeZone` is given.
   *
   * @default "0 2 * * *", every night at two
   * @see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
   */
  readonly schedule?: string;

  /**
   * Time zone of `schedule`, such as `Europe/Berlin`.
   *
   * @default - that of the control plane, most often UTC
   * @see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones
   */
  readonly timeZone?: string;

  /**
   * How long a backup is kept, and with it what was deleted or changed in the bucket since. It goes only after a newer one was
   * verified. The last verified one stays in any case.
   *
   * @default Duration.days(30)
   */
  readonly retention?: Duration;

  /**
   * How old the last verified backup may be before an alert fires.
   *
   * @default - a day, or the longest time between two runs where `schedule` is rarer, and two hours for the run
   */
  readonly maxAge?: Duration;

  /**
   * How long a run may take before it is ended, so that the next one can start.
   *
   * @default Duration.hours(12)
   */
  readonly deadline?: Duration;

  /**
   * Whether nothing runs for now.
   *
   * @default false
   */
  readonly suspend?: boolean;

  /**
   * Image with `pg_dump` and a server of PostgreSQL for the trial: of the version of the database, or of a newer one.
   *
   * @default Images.POSTGRES
   */
  readonly postgresImage?: string;

  /**
   * Image with `mc`, which copies objects from bucket to bucket.
   *
   * @default Images.MINIO
   */
  readonly mcImage?: string;

  /**
   * Room for the dump, twice, and for the database that the trial makes of it. Objects do not come here.
   *
   * @default Size.gibibytes(10)
   */
  readonly scratchSize?: Size;

  /**
   * On which kind of volume this room is.
   *
   * @default ScratchVolume.emptyDir()
   */
  readonly scratchVolume?: ScratchVolume;

  /**
   * CPU and memory of each container of a run. They run one after the other.
   *
   * @default - 100m and 256Mi, up to 1 CPU and 1Gi
   */
  readonly resources?: ContainerResources;
}
