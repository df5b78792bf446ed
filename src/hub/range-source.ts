import type { Digest } from '../core/digest.js';
import { unlessAborted } from '../tasks/unless-aborted.js';
import type { FileLocation, FileReference, Hub, HubFile } from './hub.js';

/** A file to fetch: how big it is, what its bytes must come to, and where ranges of it can be read. */
export interface RangeSource {
  /** For messages: the path in the repo. */
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
  /** A location that is good now; `stale` is one that the CDN refused, so that a new one is asked for, once. */
  locate(options: { readonly signal: AbortSignal; readonly stale?: FileLocation }): Promise<FileLocation>;
  /** The whole file in one request, for small ones. */
  readWhole(options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
}

/** A file of the Hub. All its ranges share one location, which is asked for again when it ends or the CDN refuses it. */
export function openSource(hub: Hub, file: HubFile & FileReference, token?: string): RangeSource {
  const credentials = token === undefined ? {} : { token };
  const ask = shareFlight((signal) => hub.locate(file, { ...credentials, signal }));
  let location: FileLocation | undefined;
  return {
    path: file.path,
    size: file.size,
    digest: file.digest,
    async locate({ signal, stale }) {
      signal.throwIfAborted();
      // Of several ranges refused at once, the first asks anew; the others get what it got.
      const refused = stale !== undefined && location?.url === stale.url;
      if (location === undefined || refused || location.expiresAt <= Date.now()) {
        location = undefined;
        location = await ask(signal);
      }
      return location;
    },
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
