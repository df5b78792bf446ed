import { MiB } from '../core/units.js';
import type { TransferProgress } from './transfer-context.js';

const reportEveryBytes = MiB;

/** Counts the bytes of one file. */
export interface ProgressCounter {
  readonly fetchedBytes: number;
  fetched(bytes: number): void;
  stored(bytes: number): void;
  /** Another try starts with this much in the store. */
  restart(bytesDone: number): void;
}

/** Reports at every part and every mebibyte, not at every chunk. */
export function countProgress(report: (progress: TransferProgress) => void = () => undefined): ProgressCounter {
  let bytesDone = 0;
  let fetchedBytes = 0;
  let reported = 0;
  let foundBytes: number | undefined;
  const tell = (): void => {
    reported = fetchedBytes;
    report({ bytesDone, fetchedBytes, ...(foundBytes === undefined ? {} : { foundBytes }) });
  };
  return {
    get fetchedBytes() {
      return fetchedBytes;
    },
    fetched(bytes) {
      fetchedBytes += bytes;
      if (fetchedBytes - reported >= reportEveryBytes) tell();
    },
    stored(bytes) {
      bytesDone += bytes;
      tell();
    },
    restart(bytes) {
      bytesDone = bytes;
      // What a later try goes on with was fetched by the first one.
      foundBytes = Math.min(bytes, foundBytes ?? bytes);
      tell();
    },
  };
}
