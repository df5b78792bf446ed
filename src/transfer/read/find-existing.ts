import type { KnownSource } from '../../core/byte-source.js';
import type { Patience } from '../../http/stall-watch.js';
import type { ObjectInfo } from '../../storage/object-store.js';
import type { TransferRequest } from '../transfer-context.js';
import { hashObject } from './verify-object.js';

/** What is to be at a key, and how far what is there is trusted. */
export interface WantedObject extends Pick<TransferRequest, 'store' | 'key' | 'trust'> {
  readonly source: Pick<KnownSource, 'size' | 'digest'>;
}

/** An object of the right size counts for nothing until its bytes were read back. */
export async function findExisting(
  { source, store, key, trust }: WantedObject,
  { signal, ...patience }: Patience & { readonly signal: AbortSignal }
): Promise<ObjectInfo | undefined> {
  if (trust === 'replace') return undefined;
  const { size, digest } = source;
  const info = await store.head(key, { signal });
  // Borrowed bytes may be right today; the Dir is to have its own.
  if (info?.size !== size || info.borrowed === true) return undefined;
  const hex = await hashObject(store, { key, size, algorithm: digest.algorithm }, { signal, ...patience });
  return hex === digest.hex ? info : undefined;
}
