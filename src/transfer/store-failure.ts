import { isPrefetchError, rewrap } from '../core/errors.js';
import type { ObjectStore } from '../storage/object-store.js';
import { adviceOnRefusal, areCredentialsEnded } from '../storage/refusals.js';
import { withRetries, type RetryOptions } from '../tasks/retries.js';
import { waitBy, type RetryPolicy } from '../http/request-policy.js';

/** An object whose bytes are asked for or sent. */
export interface StoredObject {
  readonly store: Pick<ObjectStore, 'root' | 'renewCredentials'>;
  readonly key: string;
}

/**
 * Tries again on failures of a store that may pass. Each attempt asks for a target of its own, so that each is signed
 * anew, with new credentials where the old ones have ended; who is refused with fresh signatures too may not do this.
 */
export async function withStoreRetries<T>(
  object: StoredObject,
  policy: RetryPolicy,
  options: Pick<RetryOptions, 'signal' | 'giveWay'>,
  attempt: () => Promise<T>
): Promise<T> {
  try {
    return await withRetries({ ...options, waitMs: waitBy(policy) }, async () => {
      try {
        return await attempt();
      } catch (error) {
        if (areCredentialsEnded(reasonOf(error))) await object.store.renewCredentials?.();
        throw error;
      }
    });
  } catch (error) {
    throw refusedForGood(error, object);
  }
}

/** The mover speaks of sources; here the source is the store. */
export function asStoreFailure(error: unknown, key: string): unknown {
  if (!isPrefetchError(error) || error.code === 'Internal') return error;
  const { status } = error.details;
  const code = status === 404 || status === 416 ? 'ObjectNotFound' : 'StoreUnavailable';
  return rewrap(error, { code, text: `${key} cannot be read back: ${error.text}` });
}

function refusedForGood(error: unknown, { store, key }: StoredObject): unknown {
  if (!isPrefetchError(error, 'StoreUnavailable')) return error;
  const reason = reasonOf(error);
  const { status } = error.details;
  const passes = areCredentialsEnded(reason);
  if (!passes && status !== 401 && status !== 403) return error;
  const said = error.text.replace(/\.$/, '');
  return rewrap(error, {
    code: passes ? 'StoreUnavailable' : 'StoreAccessDenied',
    text: `${said}, with fresh signatures too (${key} in ${store.root}): ${adviceOnRefusal(reason) ?? whoMayNot}`,
    details: { store: store.root, key },
  });
}

const whoMayNot =
  'check that the credentials of the worker may get, put, list and delete objects there, and whether a policy, a tag or ' +
  'the owner of this object keeps them from it';

function reasonOf(error: unknown): unknown {
  return isPrefetchError(error) ? error.details['storeCode'] : undefined;
}
