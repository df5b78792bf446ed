import { isPrefetchError } from '../core/errors.js';
import type { RequestOptions } from '../storage/object-store.js';

/** How housekeeping is ended and told about. */
export interface HouseOptions extends RequestOptions {
  /** Hears once of what could not be removed. */
  readonly warn?: ((text: string) => void) | undefined;
}

/**
 * Removes what nobody needs any more. No run fails for what it leaves behind, whatever keeps it from removing it: it is
 * told, and the next one that comes by tries again. False where that may go better soon.
 */
export async function keepHouse(
  what: string,
  { signal, warn }: HouseOptions,
  action: () => Promise<void>
): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    warn?.(`${what} could not be removed, which does no harm: ${isPrefetchError(error) ? error.message : 'no reason'}`);
    return isPrefetchError(error) && error.permanent;
  }
}
