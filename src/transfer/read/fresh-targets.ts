import { isPrefetchError, rewrap } from '../../core/errors.js';
import { isOfOtherSize, isSenseless, unusableAnswers } from '../../http/range-answer.js';
import { waitBy, type RetryPolicy } from '../../http/request-policy.js';
import type { HttpTarget, PartTarget, ReadTarget } from '../../storage/object-store.js';
import { withRetries, type RetryOptions } from '../../tasks/retries.js';
import { waitOut } from '../upload/wait-out.js';

/** Any place that a store gives for bytes. */
type Target = PartTarget | ReadTarget | ({ readonly kind: 'http' } & HttpTarget);

/** How a place for bytes is got, and what is done there. */
export interface TargetUse<K extends Target, T> {
  readonly ask: () => Promise<K>;
  readonly use: (target: K) => Promise<T>;
}

/**
 * Tries again on failures of a store that may pass. Each try asks for a target of its own, so that each is signed anew; who
 * is refused with fresh signatures too may not do this.
 */
export async function withFreshTargets<K extends Target, T>(
  policy: RetryPolicy & { readonly outage?: RetryPolicy },
  options: Pick<RetryOptions, 'signal' | 'giveWay'>,
  { ask, use }: TargetUse<K, T>
): Promise<T> {
  let signed = false;
  const isRefused = (error: unknown): boolean => signed && isPrefetchError(error, 'StoreAccessDenied');
  const usual = waitBy(policy, (error) => !error.permanent || isRefused(error));
  const waitMs = policy.outage === undefined ? usual : waitOut(policy.outage, usual);
  try {
    return await withRetries({ ...options, waitMs }, async () => {
      signed = false;
      const target = await ask();
      signed = target.kind === 'http';
      return use(target);
    });
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    // An object that is not what it was is found out by the next attempt of the step.
    if (isSenseless(error.cause) && !isOfOtherSize(error.cause)) throw unusableAnswers(error);
    if (!isRefused(error)) throw error;
    throw rewrap(error, { text: `${error.text}. Fresh signatures were refused too` });
  }
}
