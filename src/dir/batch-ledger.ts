import { batchRecordKey } from '../core/keys.js';
import type { BatchRecord } from '../core/schemas/plan.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { writeJson } from './json-objects.js';
import { readBatchRecord } from './plan-objects.js';

/** Often enough that a killed worker repeats little, seldom enough that small files are not doubled by records. */
const SAVE_EVERY_MS = 2_000;

/** Which batch, of which plan. */
export interface BatchKey {
  readonly dirKey: string;
  readonly planId: string;
  readonly batch: number;
}

/** The record of a batch in the store: which of its files were verified, and under which etag. */
export class BatchLedger {
  readonly #store: ObjectStore;
  readonly #key: BatchKey;
  readonly #verified: Map<number, string>;
  #savedAt = Date.now();
  #saved: number;
  #saving: Promise<void> = Promise.resolve();

  private constructor(store: ObjectStore, key: BatchKey, record: BatchRecord | undefined) {
    this.#store = store;
    this.#key = key;
    this.#verified = new Map(record?.verified.map(({ file, etag }) => [file, etag]));
    this.#saved = this.#verified.size;
  }

  static async open(store: ObjectStore, key: BatchKey, options: RequestOptions): Promise<BatchLedger> {
    return new BatchLedger(store, key, await readBatchRecord(store, key, options));
  }

  has(file: number): boolean {
    return this.#verified.has(file);
  }

  /** Notes a verified file, and saves the record now and then. */
  async note(file: number, etag: string, options: RequestOptions): Promise<void> {
    this.#verified.set(file, etag);
    if (Date.now() - this.#savedAt < SAVE_EVERY_MS) return;
    this.#savedAt = Date.now();
    await this.#save(options);
  }

  /** Saves what is not saved yet. */
  async flush(): Promise<void> {
    await this.#save({});
  }

  #save(options: RequestOptions): Promise<void> {
    // One write at a time: an older record must not overtake a newer one. One that failed or was cancelled has told its
    // caller, and must not keep the next from being written.
    const before = this.#saving.catch(() => undefined);
    this.#saving = before.then(async () => {
      if (this.#saved === this.#verified.size) return;
      const { dirKey, planId, batch } = this.#key;
      const verified = [...this.#verified].map(([file, etag]) => ({ file, etag }));
      const record: BatchRecord = { version: 1, planId, batch, verified };
      await writeJson(this.#store, batchRecordKey(dirKey, planId, batch), record, options);
      this.#saved = verified.length;
    });
    return this.#saving;
  }
}
