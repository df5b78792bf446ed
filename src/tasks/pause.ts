import { unlessAborted } from './unless-aborted.js';

/** Lets those who are in trouble hold up others. */
export interface Pause {
  /** Nobody gets through until what this gives was called, and that of everybody else who began. */
  begin(): () => void;
  /** Done when nobody is in trouble any more. */
  over(options: { readonly signal: AbortSignal }): Promise<void>;
}

/** Makes a pause that nobody has begun. */
export function createPause(): Pause {
  const troubles = new Set<Promise<void>>();
  return {
    begin: () => {
      let end: () => void = () => undefined;
      const trouble = new Promise<void>((resolve) => {
        end = resolve;
      });
      troubles.add(trouble);
      return () => {
        troubles.delete(trouble);
        end();
      };
    },
    over: async ({ signal }) => {
      while (troubles.size > 0) await unlessAborted(Promise.all(troubles), { signal });
    },
  };
}
