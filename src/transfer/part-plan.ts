import { PrefetchError } from '../core/errors.js';
import { MiB } from '../core/units.js';
import type { PartDescription, Receipt, StoreCapabilities } from '../storage/object-store.js';

type Limits = Pick<StoreCapabilities, 'minPartSize' | 'maxPartSize' | 'maxParts'>;

/**
 * Bytes of every part but the last. The same file, setting and store always give the same size, so that another
 * process can take up what this one leaves.
 */
export function choosePartSize(size: number, wanted: number, { minPartSize, maxPartSize, maxParts }: Limits): number {
  const fewEnough = Math.ceil(size / maxParts / MiB) * MiB;
  const partSize = Math.max(Math.min(wanted, maxPartSize), minPartSize, size > wanted * maxParts ? fewEnough : 0);
  if (partSize > maxPartSize) {
    throw new PrefetchError('StreamingUnsupported', `The store takes no object of ${size} bytes in ${maxParts} parts`);
  }
  return partSize;
}

/** All parts of an object, in order. */
export function planParts(size: number, partSize: number): PartDescription[] {
  return Array.from({ length: Math.ceil(size / partSize) }, (_, index) => {
    const position = index * partSize;
    return { partNumber: index + 1, position, size: Math.min(partSize, size - position) };
  });
}

/** Whether receipts may be those of this plan: an upload with another part size is not. */
export function receiptsFit(plan: readonly PartDescription[], receipts: readonly Receipt[]): boolean {
  return receipts.every(({ partNumber, size }) => plan[partNumber - 1]?.size === size);
}
