import { unlessAborted } from './unless-aborted.js';

/** How long something is waited for, and what is thrown where it takes longer. */
interface PatienceOptions {
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
  readonly late: () => Error;
}

/** Gives up work that takes too long, by a signal of its own: the one that is given is left as it is. */
export async function withPatience<T>(
  { ms, signal: outer, late }: PatienceOptions,
  work: (options: { readonly signal: AbortSignal }) => Promise<T>
): Promise<T> {
  const patience = new AbortController();
  const timer = setTimeout(() => {
    patience.abort(late());
  }, ms);
  const signal = outer === undefined ? patience.signal : AbortSignal.any([outer, patience.signal]);
  try {
    return await unlessAborted(work({ signal }), { signal });
  } finally {
    clearTimeout(timer);
  }
}
