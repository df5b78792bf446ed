import { isPrefetchError } from '../core/errors.js';
import { pinnedCommit } from '../core/pinned-commit.js';
import { withRetries } from '../tasks/retries.js';
import type { Hub } from './hub.js';

const WAITS_MS = [1_000, 3_000];
/** What takes longer than this to answer nonsense is no hiccup. */
const PATIENCE_MS = 10_000;

/**
 * A Hub that is asked again where it did not answer as one, before that counts: a proxy that hiccups ends no run, and
 * a wrong address is told within seconds. A pinned commit is asked for once, for it may be served without an answer.
 */
export function withSecondTries(hub: Hub, waitsMs: readonly number[] = WAITS_MS): Hub {
  const again = <T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> => {
    const end = Date.now() + PATIENCE_MS;
    const waitMs = (error: unknown, failures: number) =>
      isPrefetchError(error, 'HubProtocol') && Date.now() < end ? waitsMs[failures - 1] : undefined;
    return withRetries({ signal, waitMs }, attempt);
  };
  return {
    ...hub,
    resolveRevision: (repo, revision, options) => {
      const ask = () => hub.resolveRevision(repo, revision, options);
      return pinnedCommit(revision) === undefined ? again(options?.signal, ask) : ask();
    },
    async *listFiles(repo, commit, options) {
      // From its start: half of a listing is none.
      yield* await again(options?.signal, () => collect(hub.listFiles(repo, commit, options)));
    },
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
