import { runGroup } from './task-group.js';

/** How many items are worked on at once, and what ends them all. */
interface AtOnceOptions {
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

/** Works on one item; the signal is that of all of them. */
type ItemWork<T, R = void> = (item: T, options: { readonly signal: AbortSignal }) => Promise<R>;

/**
 * Works on items, some at once, each taken when its turn comes. The first failure aborts the others, waits for them and is
 * thrown; nothing runs on after that.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  { limit, signal: outer }: AtOnceOptions,
  work: ItemWork<T>
): Promise<void> {
  const queue = oneByOne(items);
  await runGroup(outer, (group) => {
    const { signal } = group;
    const options = { signal };
    const lane = async (): Promise<void> => {
      for (const item of queue) {
        if (signal.aborted) return;
        await work(item, options);
      }
    };
    for (let lanes = 0; lanes < limit; lanes++) group.run(lane);
  });
}

/** The same with results, in the order of the items. */
export async function mapAtOnce<T, R>(items: Iterable<T>, options: AtOnceOptions, work: ItemWork<T, R>): Promise<R[]> {
  const results: R[] = [];
  await forEachAtOnce(numbered(items), options, async ([index, item], inner) => {
    results[index] = await work(item, inner);
  });
  return results;
}

/** One iterator for all lanes; the first that leaves it early closes it for all. */
function* oneByOne<T>(items: Iterable<T>): Generator<T, void> {
  yield* items;
}

function* numbered<T>(items: Iterable<T>): Generator<readonly [number, T], void> {
  let index = 0;
  for (const item of items) yield [index++, item];
}
