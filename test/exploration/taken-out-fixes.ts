/** A text in a file of the package, which must be there once, and what it is without the fix. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A fix that is taken out, and where the exploration must find what it was for. */
export interface TakenOutFix {
  readonly fault: string;
  readonly patches: readonly Patch[];
  /** A part of the name of the scenario. */
  readonly scenario: string;
  readonly store: string;
  /** Any of these sorts of violations. */
  readonly finds: readonly string[];
}

/** What the exploration must find, or it finds nothing. */
export const takenOutFixes: readonly TakenOutFix[] = [
  {
    fault: 'bytes that are known to be wrong are completed',
    patches: [
      {
        file: 'src/transfer/finalise.ts',
        find: 'if (hex !== undefined && hex !== expected) {',
        replace: 'if (hex === null) {',
      },
    ],
    scenario: 'a kill and a flipped bit',
    store: 'S3',
    finds: ['wrong'],
  },
];
