/**
 * Runs `work` over items, `limit` at once. The first failure aborts the others, waits until they stopped, and is thrown.
 * Nothing runs on after the promise settles.
 */
export async function forEachAtOnce<T>(
  limit: number,
  items: readonly T[],
  outer: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>
): Promise<void> {
  const controller = new AbortController();
  const signal = AbortSignal.any([outer, controller.signal]);
  const queue = items.values();
  let failure: { readonly error: unknown } | undefined;
  const runLane = async () => {
    for (const item of queue) {
      if (signal.aborted) return;
      try {
        await work(item, signal);
      } catch (error) {
        failure ??= { error };
        controller.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runLane));
  // An abort from outside is the caller's reason, whatever error it made on the way.
  outer.throwIfAborted();
  if (failure !== undefined) throw failure.error;
}

/** The same with results, in the order of the items. */
export async function mapAtOnce<T, R>(
  limit: number,
  items: readonly T[],
  outer: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>
): Promise<R[]> {
  const results: R[] = [];
  await forEachAtOnce(limit, [...items.entries()], outer, async ([index, item], signal) => {
    results[index] = await work(item, signal);
  });
  return results;
}
