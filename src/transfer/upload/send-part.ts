import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { putBytes } from '../../http/put-bytes.js';
import { patienceOf, type RequestPolicy } from '../../http/request-policy.js';
import type {
  HttpAnswer,
  ObjectStore,
  PartDescription,
  PartTarget,
  Receipt,
  Upload,
} from '../../storage/object-store.js';
import type { GiveWay } from '../../tasks/permits.js';
import type { Policies } from '../budget/policies.js';
import { withFreshTargets } from '../read/fresh-targets.js';
import { openPartFiles } from './part-files.js';

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
export function createPartSender(
  store: ObjectStore,
  upload: Upload,
  policy: RequestPolicy & Partial<Pick<Policies, 'outage'>>
): PartSender {
  const files = openPartFiles();
  const asFailure = (error: unknown): never => {
    throw writeFailure(error, `${upload.key} in ${store.root}`);
  };

  /** The answer of the store, where there is one: it alone knows what it means. */
  async function sendTo(target: PartTarget, bytes: Uint8Array, signal: AbortSignal): Promise<HttpAnswer | undefined> {
    if (target.kind === 'http') return putBytes({ target, body: bytes, signal, ...patienceOf(policy) });
    await files.write(target.path, bytes, target.position).catch(asFailure);
    return undefined;
  }

  return {
    send: (part, bytes, { signal, giveWay }) =>
      withFreshTargets(
        policy,
        { signal, giveWay },
        {
          ask: () => store.partTarget(upload, part, { signal }),
          use: async (target) => store.confirmPart(upload, part, await sendTo(target, bytes, signal), { signal }),
        }
      ),
    settle: () => files.settle().catch(asFailure),
    close: () => files.close(),
  };
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
