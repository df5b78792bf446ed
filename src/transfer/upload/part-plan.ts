import { PrefetchError } from '../../core/errors.js';
import { MiB } from '../../core/units.js';
import type { PartDescription, Receipt, StoreCapabilities } from '../../storage/object-store.js';

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

/**
 * The part size of an upload, judged by the parts that it holds: undefined where they fit no plan of this object, and
 * where a single part would fit two of them.
 */
export function partSizeOf(size: number, receipts: readonly Receipt[]): number | undefined {
  const biggest = Math.max(...receipts.map((receipt) => receipt.size));
  const candidates = new Set([biggest]);
  const [only] = receipts;
  // Alone, it may be the last part, which is shorter than the others.
  if (receipts.length === 1 && only !== undefined && only.partNumber > 1) {
    candidates.add((size - only.size) / (only.partNumber - 1));
  }
  const fitting = [...candidates].filter((partSize) => fits(size, partSize, receipts));
  return fitting.length === 1 ? fitting[0] : undefined;
}

function fits(size: number, partSize: number, receipts: readonly Receipt[]): boolean {
  if (!Number.isSafeInteger(partSize) || partSize < 1) return false;
  return receipts.every(({ partNumber, size: held }) => {
    const position = (partNumber - 1) * partSize;
    return position < size && held === Math.min(partSize, size - position);
  });
}
