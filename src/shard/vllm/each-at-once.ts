import { runGroup } from '../../transfer/task-group.js';

/** Works on items, some at once. The first failure aborts the others, waits for them and is thrown. */
export async function eachAtOnce<T>(
  items: readonly T[],
  { limit, signal }: { readonly limit: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>
): Promise<void> {
  const queue = items.values();
  await runGroup(signal, (group) => {
    for (let lane = 0; lane < limit; lane++) {
      group.run(async () => {
        for (const item of queue) {
          group.signal.throwIfAborted();
          await work(item, group.signal);
        }
      });
    }
  });
}
