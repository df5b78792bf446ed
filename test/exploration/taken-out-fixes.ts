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
        file: 'src/transfer/upload/finalise.ts',
        find: 'if (hex === source.digest.hex) return completeKnown(full, hex, options);',
        replace: 'return completeKnown(full, hex, options);',
      },
    ],
    scenario: 'two runs of one Dir, a kill and a flipped bit',
    store: 'S3',
    finds: ['wrong'],
  },
  {
    fault: 'bytes that nobody vouches for replace an object that another run published',
    patches: [
      {
        file: 'src/transfer/upload/finalise.ts',
        find: 'const outcome = await complete(full, { ...options, ifAbsent: true });',
        replace: 'const outcome = await complete(full, { ...options, ifAbsent: false });',
      },
    ],
    scenario: 'a forced run that goes on after a wrong part',
    store: 'S3',
    finds: ['wrong'],
  },
  {
    fault: 'the same in a folder',
    patches: [
      {
        file: 'src/transfer/upload/finalise.ts',
        find: 'const outcome = await complete(full, { ...options, ifAbsent: true });',
        replace: 'const outcome = await complete(full, { ...options, ifAbsent: false });',
      },
    ],
    scenario: 'an upload that was left with a wrong part',
    store: 'folder',
    finds: ['wrong'],
  },
  {
    fault: 'an object that was read back and is wrong is removed, whoever has put another one there since',
    patches: [
      {
        file: 'src/transfer/upload/finalise.ts',
        find: 'if (isRight) return { info, hex: stored };',
        replace: 'if (isRight) return { info, hex: stored };\n  await store.delete(upload.key, options);',
      },
    ],
    scenario: 'two runs of one Dir, a kill and a flipped bit',
    store: 'S3',
    finds: ['missing'],
  },
  {
    fault: 'what the store copied from another commit is not read back',
    patches: [
      {
        file: 'src/transfer/copy-within.ts',
        find: 'return hex === digest.hex ? copied : undefined;',
        replace: 'return hex === null ? undefined : copied;',
      },
    ],
    scenario: 'a file which was damaged in the store',
    store: 'S3',
    finds: ['wrong'],
  },
  {
    fault: 'a copy replaces what another run put there meanwhile',
    patches: [
      {
        file: 'src/transfer/copy-within.ts',
        find: 'ifMatch: etag, ifAbsent: true }',
        replace: 'ifMatch: etag }',
      },
    ],
    scenario: 'a file which was damaged in the store, to two runs',
    store: 'S3',
    finds: ['wrong'],
  },
  {
    fault: 'a stalled writer still has the file open that became the object',
    patches: [
      {
        file: 'src/transfer/upload/resume-upload.ts',
        find: '(await takeOver(store, found, options)) ?? found',
        replace: 'found',
      },
    ],
    scenario: 'a stalled process and a flipped bit',
    store: 'folder',
    finds: ['wrong'],
  },
  {
    fault: 'a list that is late is believed',
    patches: [
      {
        file: 'src/dir/dir-objects.ts',
        find: 'const doubtful = changedFiles(objects, recorded);',
        replace: 'const doubtful = recorded.slice(recorded.length);',
      },
    ],
    scenario: 'lists that are late',
    store: 'S3',
    finds: ['withdrawn'],
  },
  {
    fault: 'equal bytes under another etag count as broken',
    patches: [
      {
        file: 'src/dir/inspect-dir.ts',
        find: 'if (!hasAll || !(await areRight(place, changed, options)))',
        replace: 'if (hasAll || !(await areRight(place, changed, options)))',
      },
    ],
    scenario: 'an object that was written again',
    store: 'S3',
    finds: ['withdrawn'],
  },
  {
    fault: 'a manifest that cannot be read counts as none',
    patches: [
      {
        file: 'src/dir/published-dir.ts',
        find: 'throw unreadable(`${store.root}${manifestKey(dirKey)}`, read);',
        replace: 'if (unreadable(`${store.root}${manifestKey(dirKey)}`, read).name !== "") return undefined;',
      },
    ],
    scenario: 'a manifest that a newer version wrote',
    store: 'S3',
    finds: ['foreign manifest'],
  },
];
