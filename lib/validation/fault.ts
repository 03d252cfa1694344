/** One wrong prop: what it was given, the rule, and the line that mends it. */
export interface Fault {
  readonly prop: string;
  readonly value: unknown;
  readonly rule: string;
  readonly fix: string;
  /** Whether the message tells only what the value is, since what is in it may be a secret. */
  readonly hidden?: boolean;
}
