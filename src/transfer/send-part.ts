import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { putBytes, type PutAnswer } from '../http/put-bytes.js';
import { retryAfterMs } from '../http/retry-after.js';
import type { HttpTarget, ObjectStore, PartDescription, Receipt, Upload } from '../storage/object-store.js';
import { openPartFiles } from './part-files.js';
import { withRetries, type RetryPolicy } from './retries.js';

/** Brings parts of one upload into the store. */
export interface PartSender {
  /** The bytes lie in shared memory, and are not looked at afterwards, also when it fails. */
  send(part: PartDescription, bytes: Uint8Array, options: { readonly signal: AbortSignal }): Promise<Receipt>;
  /** After the last part: done when the store holds them all for good, as far as it tells; fails as `send` does. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Sends each part to where the store wants it, again and again if need be. */
export function createPartSender(
  store: ObjectStore,
  upload: Upload,
  policy: RetryPolicy & { readonly stallMs: number }
): PartSender {
  const files = openPartFiles();
  const asFailure = (error: unknown): never => {
    throw writeFailure(error, `${upload.key} in ${store.root}`);
  };

  async function sendOnce(part: PartDescription, bytes: Uint8Array, signal: AbortSignal): Promise<Receipt> {
    const target = await store.partTarget(upload, part, { signal });
    if (target.kind === 'http') {
      const etag = await putPart(target, bytes, { signal, stallMs: policy.stallMs, key: upload.key });
      return store.confirmPart(upload, part, etag, { signal });
    }
    await files.write(target.path, bytes, target.position).catch(asFailure);
    return store.confirmPart(upload, part, undefined, { signal });
  }

  return {
    async send(part, bytes, { signal }) {
      try {
        return await withRetries(policy, { signal }, () => sendOnce(part, bytes, signal));
      } catch (error) {
        throw refusedForGood(error);
      }
    },
    settle: () => files.settle().catch(asFailure),
    close: () => files.close(),
  };
}

/** A signature that ended is refused once; who is refused with fresh ones too may not write. */
function refusedForGood(error: unknown): unknown {
  if (!isPrefetchError(error, 'StoreUnavailable')) return error;
  const { status } = error.details;
  if (status !== 401 && status !== 403) return error;
  return new PrefetchError('StoreAccessDenied', error.message.replace(/^StoreUnavailable: /, ''), {
    details: error.details,
  });
}

interface PutOptions {
  readonly signal: AbortSignal;
  readonly stallMs: number;
  readonly key: string;
}

/** One PUT; its ETag, or the failure that the answer stands for. */
async function putPart(target: HttpTarget, body: Uint8Array, options: PutOptions): Promise<string> {
  const { signal, stallMs, key } = options;
  return etagOf(await putBytes({ target, body, signal, stallMs }), key);
}

/** The ETag of a good answer to a PUT; anything else is a failure. */
export function etagOf(answer: PutAnswer, key: string): string {
  const { status, headers, text } = answer;
  if (status === 200 && headers.etag !== undefined) return headers.etag;
  const code = /<Code>([A-Za-z0-9]+)<\/Code>/.exec(text)?.[1];
  const waitMs = retryAfterMs(headers);
  const options = {
    details: { status, ...(code === undefined ? {} : { storeCode: code }) },
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  };
  const problem = status === 200 ? 'a 200 without ETag' : [status, code].filter((word) => word !== undefined).join(' ');
  const message = `The store answered ${problem} to bytes of ${key}`;
  if (code === 'NoSuchUpload') return fail('UploadNotFound');
  if (code === 'NoSuchBucket') return fail('BucketNotFound');
  // Also the answer to a signature that ended on the way: the next try gets a fresh one.
  return fail('StoreUnavailable');

  function fail(as: 'UploadNotFound' | 'BucketNotFound' | 'StoreUnavailable'): never {
    throw new PrefetchError(as, message, options);
  }
}

function writeFailure(error: unknown, object: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
  const reason = isPrefetchError(error) ? error.message : code;
  const message = `Bytes of ${object} could not be written (${reason})`;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PrefetchError('DiskFull', `${message}. Free some space there, or use another store`);
  }
  if (code === 'ENOENT') return new PrefetchError('UploadNotFound', message);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return new PrefetchError('StoreAccessDenied', message);
  return new PrefetchError('StoreUnavailable', message);
}
