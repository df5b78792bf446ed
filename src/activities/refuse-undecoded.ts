import { ApplicationFailure } from '@temporalio/common';
import { PrefetchError } from '../core/errors.js';
import { asUndecoded, inputNotDecodedText } from '../core/undecoded.js';
import { toFailure } from '../starter/to-failure.js';

/** Fails as `InputNotDecoded` where the data converter of this worker could not decode an argument. */
export function refuseUndecoded(args: readonly unknown[]): void {
  const undecoded = args.map(asUndecoded).find((each) => each !== undefined);
  if (undecoded === undefined) return;
  const { code, message } = new PrefetchError('InputNotDecoded', inputNotDecodedText(undecoded));
  // Details would be encoded, and whoever sent the argument may lack the codec of this worker.
  throw toFailure(ApplicationFailure.nonRetryable(message, code));
}
