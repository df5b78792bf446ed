import { PrefetchError } from '../core/errors.js';

/** The failure for a variable that is out of shape. */
export function invalid(name: string, expected: string): PrefetchError {
  // The value is left out: someone may have put a secret there.
  return new PrefetchError('InvalidInput', `${name}: expected ${expected}`, { details: { variable: name } });
}
