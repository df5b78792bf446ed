import type { ByteLocation, LocatedSource } from '../core/byte-source.js';
import { readLocated } from '../http/read-located.js';
import type { RequestPolicy } from '../http/request-policy.js';
import { unlessAborted } from '../tasks/unless-aborted.js';
import type { FileReference, Hub, HubFile } from './hub.js';

/** How a file of the Hub is read. */
export interface HubSourceOptions {
  readonly token?: string | undefined;
  readonly policy: RequestPolicy;
}

/** A file of the Hub. All its ranges share one location, which is asked for again when it ends or the CDN refuses it. */
export function openSource(
  hub: Hub,
  file: HubFile & FileReference,
  { token, policy }: HubSourceOptions
): LocatedSource {
  const { path, size, digest } = file;
  const credentials = token === undefined ? {} : { token };
  const ask = shareFlight((signal) => hub.locate(file, { ...credentials, signal }));
  let location: ByteLocation | undefined;
  const locate: LocatedSource['locate'] = async ({ signal, stale }) => {
    signal.throwIfAborted();
    // Of several ranges refused at once, the first asks anew; the others get what it got.
    const refused = stale !== undefined && location?.url === stale.url;
    if (location === undefined || refused || location.expiresAt <= Date.now()) {
      location = undefined;
      location = await ask(signal);
    }
    return location;
  };
  return {
    ...{ path, size, digest, locate },
    read: readLocated({ size, locate }, policy),
    readWhole: ({ signal }) => hub.read(file, { ...credentials, signal }),
  };
}

interface Flight<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  waiting: number;
}

/** One request for all who ask while it runs. It is given up when the last of them has gone. */
function shareFlight<T>(start: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  let current: Flight<T> | undefined;

  function takeOff(): Flight<T> {
    const abort = new AbortController();
    return { result: start(abort.signal), abort, waiting: 0 };
  }

  return async (signal) => {
    const flight = (current ??= takeOff());
    flight.waiting++;
    try {
      return await unlessAborted(flight.result, { signal });
    } finally {
      flight.waiting--;
      // Landed, failed, or left by everybody: whoever asks next starts a new one.
      if (current === flight && (flight.waiting === 0 || !signal.aborted)) current = undefined;
      if (flight.waiting === 0) flight.abort.abort();
    }
  };
}
