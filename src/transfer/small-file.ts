import { PrefetchError } from '../core/errors.js';
import { lastOf } from '../http/range-answer.js';
import { waitBy } from '../http/request-policy.js';
import type { ObjectInfo } from '../storage/object-store.js';
import { withRetries } from '../tasks/retries.js';
import { hashBytes } from './digest/content-hash.js';
import { digestMismatch } from './digest/mismatch.js';
import type { ProgressCounter } from './progress.js';
import type { TransferContext, TransferRequest } from './transfer-context.js';
import { waitOut } from './upload/wait-out.js';

/** Reads a file whole, checks it, and writes it with one request. */
export async function transferSmall(
  context: TransferContext,
  { source, store, key }: TransferRequest,
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: ProgressCounter }
): Promise<ObjectInfo> {
  const releaseTurn = await context.wholeFiles.acquire(1, { signal });
  try {
    const releaseMemory = await context.memory.reserve(source.size, { signal });
    try {
      const bytes = await readChecked();
      const waitMs = waitOut(context.policies.outage, () => undefined);
      const info = await withRetries({ signal, waitMs }, () => store.put(key, bytes, { signal }));
      progress.stored(bytes.length);
      return info;
    } finally {
      releaseMemory();
    }
  } finally {
    releaseTurn();
  }

  /** A wrong digest may be a broken node of the CDN: one more try, then it is what the Hub has. */
  async function readChecked(): Promise<Uint8Array> {
    for (let mismatches = 0; ; mismatches++) {
      const bytes = await readWhole();
      const hex = await hashBytes(source.digest.algorithm, bytes);
      if (hex === source.digest.hex) return bytes;
      if (mismatches > 0) throw digestMismatch(source, { expected: source.digest.hex, got: hex });
    }
  }

  async function readWhole(): Promise<Uint8Array> {
    if (source.size === 0) return new Uint8Array(0);
    return withRetries({ signal, waitMs: waitBy(context.policies.get) }, async () => {
      const bytes = await source.readWhole({ signal });
      progress.fetched(bytes.length);
      if (bytes.length === source.size) return bytes;
      throw new PrefetchError('TruncatedSource', `${source.path} came with ${bytes.length} of ${source.size} bytes`);
    }).catch((error: unknown) => {
      throw lastOf(error);
    });
  }
}
