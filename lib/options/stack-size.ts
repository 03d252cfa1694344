/** What a stack asks of a cluster. */
export enum StackSize {
  /**
   * For one person, on a laptop or in kind with 2 CPUs: requests near what the parts take without load, and volumes of 1 GiB.
   * Limits are those of the default.
   */
  TINY = 'tiny',

  /** For a team: the defaults of all parts. */
  DEFAULT = 'default',
}
