import { isPrefetchError, rewrap } from '../core/errors.js';
import { pinnedCommit } from '../core/pinned-commit.js';
import { isSenseless } from '../http/range-answer.js';
import { withRetries } from '../tasks/retries.js';
import type { Hub } from './hub.js';

/** How long a Hub is believed to hiccup. */
interface Hiccup {
  /** The waits between tries. */
  readonly waitsMs: readonly number[];
  /** What takes longer than this to answer nonsense is no hiccup. */
  readonly patienceMs: number;
}

const OF_REPO: Hiccup = { waitsMs: [1_000, 3_000], patienceMs: 10_000 };
/** A transfer may have run for hours by then, so a proxy that starts anew is waited for. */
const OF_FILE: Hiccup = { waitsMs: [1_000, 3_000, 6_000, 10_000], patienceMs: 60_000 };

/**
 * A Hub that is asked again where it did not answer as one, before that counts: a proxy that hiccups ends no run, and
 * a wrong address is told within seconds. A pinned commit is asked for once, for it may be served without an answer.
 */
export function withSecondTries(hub: Hub, waitsMs?: readonly number[]): Hub {
  const ofRepo = { ...OF_REPO, ...(waitsMs !== undefined && { waitsMs }) };
  const ofFile = { ...OF_FILE, ...(waitsMs !== undefined && { waitsMs }) };
  const askRepo = <T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> =>
    again(attempt, { ...ofRepo, signal, isHiccup: (error) => isPrefetchError(error, 'HubProtocol') });
  const askFile = <T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> =>
    again(attempt, { ...ofFile, signal, isHiccup: isSenseless }).catch((error: unknown) => {
      if (!isPrefetchError(error) || error.permanent || !isSenseless(error)) throw error;
      throw rewrap(error, { code: 'HubProtocol', text: error.text });
    });
  return {
    ...hub,
    resolveRevision: (repo, revision, options) => {
      const ask = () => hub.resolveRevision(repo, revision, options);
      return pinnedCommit(revision) === undefined ? askRepo(options?.signal, ask) : ask();
    },
    async *listFiles(repo, commit, options) {
      // From its start: half of a listing is none.
      yield* await askRepo(options?.signal, () => collect(hub.listFiles(repo, commit, options)));
    },
    describe: (file, options) => askFile(options?.signal, () => hub.describe(file, options)),
    locate: (file, options) => askFile(options?.signal, () => hub.locate(file, options)),
    read: (file, options) => askFile(options?.signal, () => hub.read(file, options)),
  };
}

interface Patience extends Hiccup {
  readonly signal: AbortSignal | undefined;
  readonly isHiccup: (error: unknown) => boolean;
}

function again<T>(attempt: () => Promise<T>, { waitsMs, patienceMs, signal, isHiccup }: Patience): Promise<T> {
  const end = Date.now() + patienceMs;
  const waitMs = (error: unknown, failures: number) =>
    isHiccup(error) && Date.now() < end ? waitsMs[failures - 1] : undefined;
  return withRetries({ signal, waitMs }, attempt);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
