/** What a user can mend: told in one sentence, without a stack. */
export class Fault extends Error {}

/** A command line that is not one: told with the way to the help. */
export class UsageFault extends Fault {}
