import { PrefetchError } from '../core/errors.js';
import { asUndecoded, inputNotDecodedText } from '../core/undecoded.js';
import { toFailure } from '../starter/to-failure.js';

/** Fails as `InputNotDecoded` where the data converter of this worker could not decode an argument. */
export function refuseUndecoded(args: readonly unknown[]): void {
  const undecoded = args.map(asUndecoded).find((each) => each !== undefined);
  if (undecoded === undefined) return;
  throw toFailure(
    new PrefetchError('InputNotDecoded', inputNotDecodedText(undecoded), { details: { encoding: undecoded.encoding } })
  );
}
