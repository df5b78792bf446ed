import { isPrefetchError } from '../../core/errors.js';
import { withRetries } from '../../tasks/retries.js';
import type { CheckContext } from './check-worker.js';

const FIRST_WAIT_MS = 1_000;
const MOST_WAIT_MS = 5_000;

/** Tries something again for a while where the failure may pass, and says so once. */
export function tryAgain<T>(
  { signal, warn, patienceMs }: Pick<CheckContext, 'signal' | 'warn' | 'patienceMs'>,
  mayPass: (error: unknown) => boolean,
  attempt: () => Promise<T>
): Promise<T> {
  const end = Date.now() + patienceMs;
  const waitMs = (error: unknown, failures: number) => {
    const left = end - Date.now();
    if (!mayPass(error) || left <= 0) return undefined;
    if (failures === 1 && isPrefetchError(error)) {
      warn(`${error.message} (tried again for ${String(Math.round(patienceMs / 1000))} s)`);
    }
    return Math.min(left, MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  };
  return withRetries({ signal, waitMs }, attempt);
}
