import type { RequestRecord } from './options.js';

/** Keeps what was asked, for tests to look at and for a log. */
export interface RequestJournal {
  readonly records: readonly RequestRecord[];
  readonly open: (seen: SeenRequest) => OpenRecord;
}

/** What is known of a request before it is answered. */
export type SeenRequest = Pick<RequestRecord, 'origin' | 'method' | 'path' | 'range' | 'hadAuthorization'>;

/** A request under way; its record is complete once it is closed. */
export interface OpenRecord {
  readonly seen: SeenRequest;
  /** How many requests of this origin, method and path have come, this one included. */
  readonly count: number;
  readonly answered: (status: number) => void;
  readonly sent: (bytes: number) => void;
  readonly close: () => void;
}

/** A Hub that runs for months must not keep every request. */
const MAX_RECORDS = 100_000;

/** Keeps the newest requests and tells of each one when it is over. */
export function requestJournal(onRequest: ((record: RequestRecord) => void) | undefined): RequestJournal {
  const records: RequestRecord[] = [];
  const counts = new Map<string, number>();
  return {
    records,
    open: (seen) => {
      const record = { ...seen, status: 0, bytesSent: 0 };
      if (records.length >= MAX_RECORDS) records.splice(0, MAX_RECORDS / 10);
      records.push(record);
      const key = `${seen.origin} ${seen.method} ${seen.path}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return {
        seen,
        count,
        answered: (status) => {
          record.status = status;
        },
        sent: (bytes) => {
          record.bytesSent += bytes;
        },
        close: () => onRequest?.(record),
      };
    },
  };
}
