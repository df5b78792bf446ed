import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { putBytes, type PutAnswer } from '../http/put-bytes.js';
import { reasonIn } from '../http/range-answer.js';
import { retryAfterMs } from '../http/retry-after.js';
import type { Patience } from '../http/stall-watch.js';
import type { HttpTarget, ObjectStore, PartDescription, Receipt, Upload } from '../storage/object-store.js';
import type { GiveWay } from '../tasks/permits.js';
import { openPartFiles } from './part-files.js';
import { patienceOf, type RequestPolicy } from '../http/request-policy.js';
import { withStoreRetries } from './store-failure.js';

/** Brings parts of one upload into the store. */
export interface PartSender {
  /** The bytes lie in shared memory, and are not looked at afterwards, also when it fails. */
  send(part: PartDescription, bytes: Uint8Array, options: SendOptions): Promise<Receipt>;
  /** After the last part: done when the store holds them all for good, as far as it tells; fails as `send` does. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface SendOptions {
  readonly signal: AbortSignal;
  readonly giveWay?: GiveWay;
}

/** Sends each part to where the store wants it, again and again if need be. */
export function createPartSender(store: ObjectStore, upload: Upload, policy: RequestPolicy): PartSender {
  const files = openPartFiles();
  const asFailure = (error: unknown): never => {
    throw writeFailure(error, `${upload.key} in ${store.root}`);
  };

  async function sendOnce(part: PartDescription, bytes: Uint8Array, signal: AbortSignal): Promise<Receipt> {
    const target = await store.partTarget(upload, part, { signal });
    if (target.kind === 'http') {
      const etag = await putPart(target, bytes, { ...patienceOf(policy), signal, key: upload.key });
      return store.confirmPart(upload, part, etag, { signal });
    }
    await files.write(target.path, bytes, target.position).catch(asFailure);
    return store.confirmPart(upload, part, undefined, { signal });
  }

  return {
    send: (part, bytes, options) =>
      withStoreRetries({ store, key: upload.key }, policy, options, () => sendOnce(part, bytes, options.signal)),
    settle: () => files.settle().catch(asFailure),
    close: () => files.close(),
  };
}

interface PutOptions extends Patience {
  readonly signal: AbortSignal;
  readonly key: string;
}

/** One PUT; its ETag, or the failure that the answer stands for. */
async function putPart(target: HttpTarget, body: Uint8Array, options: PutOptions): Promise<string> {
  const { key, ...rest } = options;
  return etagOf(await putBytes({ target, body, ...rest }), key);
}

/** The ETag of a good answer to a PUT; anything else is a failure. */
export function etagOf(answer: PutAnswer, key: string): string {
  const { origin, status, headers, text } = answer;
  if (status === 200 && headers.etag !== undefined) return headers.etag;
  const code = reasonIn(text);
  const waitMs = retryAfterMs(headers);
  const options = {
    details: { status, ...(code === undefined ? {} : { storeCode: code }) },
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  };
  const problem = status === 200 ? 'a 200 without ETag' : [status, code].filter((word) => word !== undefined).join(' ');
  const message = `${origin} answered ${problem} to bytes of ${key}`;
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
