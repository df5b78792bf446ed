import { PrefetchError, type ErrorCode, type ErrorDetails } from '../../src/core/errors.js';

/** What a refusal says to programs and to people. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly reason: ErrorDetails[string];
  readonly details: ErrorDetails;
  readonly message: string;
}

/** The failure of something that must refuse, by a `PrefetchError`. */
export function refusal(action: () => unknown): Refusal {
  try {
    action();
  } catch (error) {
    return asRefusal(error);
  }
  throw new Error('It did not refuse.');
}

/** The same for something that refuses later. */
export async function lateRefusal(action: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await action.then(
    () => new Error('It did not refuse.'),
    (failed: unknown) => failed
  );
  return asRefusal(error);
}

function asRefusal(error: unknown): Refusal {
  if (!(error instanceof PrefetchError)) throw error;
  const { code, details, message } = error;
  return { code, reason: details['reason'], details, message };
}
