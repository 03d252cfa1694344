import { StoreOptions } from './store-options';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';

/** Numbers of the generated credentials of the stores that a `MlflowStack` makes. */
export interface StoreGenerations {
  /**
   * Of the user of PostgreSQL whom the tracking server has: `credentialsGeneration` of `Postgres`.
   *
   * @default 1
   */
  readonly databaseUser?: number;

  /**
   * Of the superuser of PostgreSQL: `administratorGeneration` of `Postgres`.
   *
   * @default 1
   */
  readonly databaseSuperuser?: number;

  /**
   * Of the user of MinIO whose keys the tracking server has: `credentialsGeneration` of `Minio`.
   *
   * @default 1
   */
  readonly s3User?: number;

  /**
   * Of the root user of MinIO, which restarts it: `administratorGeneration` of `Minio`.
   *
   * @default 1
   */
  readonly s3Root?: number;
}

type Generations = Pick<StoreOptions, 'credentialsGeneration' | 'administratorGeneration'>;

const SHAPE: Shape<StoreGenerations> = { databaseUser: 'value', databaseSuperuser: 'value', s3User: 'value', s3Root: 'value' };

/** The prop `generations`, checked, as the stores have it. */
export function storeGenerations(
  checks: PropChecks,
  given: StoreGenerations | undefined,
  stores: { readonly backendStore?: object; readonly artifactStore?: object },
): { readonly backendStore: Generations; readonly artifactStore: Generations } {
  const { databaseUser, databaseSuperuser, s3User, s3Root } = checks.props(given ?? {}, SHAPE, 'generations.');
  const of = (prop: keyof StoreGenerations, value: number | undefined, store: keyof typeof stores): number | undefined => {
    if (value === undefined) return undefined;
    if (stores[store] !== undefined) {
      checks.fault({ prop: `generations.${prop}`, value, rule: `it is for a store that the stack makes, and ${store} is another one`, fix: `leave it out, and pass credentialsGeneration or administratorGeneration to ${store}, or generation to its credentials` });
    }
    const number = checks.count(`generations.${prop}`, value, 'the generation');
    return Number.isInteger(number) && number > 0 ? number : undefined;
  };
  return {
    backendStore: { credentialsGeneration: of('databaseUser', databaseUser, 'backendStore'), administratorGeneration: of('databaseSuperuser', databaseSuperuser, 'backendStore') },
    artifactStore: { credentialsGeneration: of('s3User', s3User, 'artifactStore'), administratorGeneration: of('s3Root', s3Root, 'artifactStore') },
  };
}
