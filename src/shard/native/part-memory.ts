import { PrefetchError } from '../../core/errors.js';
import { KiB, MiB } from '../../core/units.js';
import type { StoreCapabilities } from '../../storage/object-store.js';
import { choosePartSize } from '../../transfer/upload/part-plan.js';

/** How one part of all ranks is written within a budget. */
export interface PartMemory {
  /** Bytes of an upload part, and so of one rank's share of a window. */
  readonly partSize: number;
  /** Ranks that are filled together: all of them, unless their upload parts do not fit into memory at once. */
  readonly ranksAtOnce: number;
  readonly windowsAtOnce: number;
  /** Bytes of a source that are read at once. */
  readonly readBytes: number;
  /** Buffers of so many bytes, for reads that are taken apart. */
  readonly scratchCount: number;
}

/** More would not be faster; what a worker has beyond is for its other work. */
const MOST_BYTES = 160 * MiB;
const MOST_WINDOWS = 4;
/** Whatever the lanes are: part sizes must not depend on them, for a worker with other lanes goes on with the parts. */
const SCRATCH_COUNT = 4;
/** Enough for a fast request, small beside the memory of a window. */
const MOST_READ = 4 * MiB;
const READ_SHARE = 1 / 16;
/** Parts below this are not worth their requests, where the store leaves the choice to us. */
const LEAST_PART = 256 * KiB;

/**
 * Divides the memory: a window takes an upload part of every rank, and two windows at least are under way, so that one
 * is read while the other is written. The same budget and store always give the same parts, as resuming needs.
 */
export function divideMemory(
  { budgetBytes, wantedPart }: { readonly budgetBytes: number; readonly wantedPart: number },
  file: { readonly size: number; readonly ranks: number },
  limits: Pick<StoreCapabilities, 'minPartSize' | 'maxPartSize' | 'maxParts'>
): PartMemory {
  const budget = Math.min(budgetBytes, MOST_BYTES);
  const readBytes = wholeElements(Math.min(MOST_READ, budget * READ_SHARE));
  const forWindows = budget - SCRATCH_COUNT * readBytes;
  const fair = Math.max(LEAST_PART, forWindows / 2 / file.ranks);
  const partSize = choosePartSize(file.size, wholeElements(Math.min(wantedPart, fair)), limits);
  const held = Math.min(partSize, file.size);
  const ranksAtOnce = Math.min(file.ranks, Math.floor(forWindows / held));
  if (ranksAtOnce === 0) throw tooLittle({ held, forWindows });
  const windowsAtOnce = Math.min(MOST_WINDOWS, Math.floor(forWindows / (held * ranksAtOnce)));
  return { partSize, ranksAtOnce, windowsAtOnce, readBytes, scratchCount: SCRATCH_COUNT };
}

function tooLittle({ held, forWindows }: Record<'held' | 'forWindows', number>): PrefetchError {
  const enough = Math.ceil(held / (1 - SCRATCH_COUNT * READ_SHARE));
  return new PrefetchError(
    'InvalidInput',
    `The store takes upload parts of ${held} bytes at least for a file of this size, and the memory for them is ` +
      `${Math.floor(forWindows)}: ` +
      (enough > MOST_BYTES ? 'choose a smaller maxFileSize' : `set MODEL_PREFETCH_MEMORY to ${enough} or more`)
  );
}

/** Neither a window nor a read may end within an element. */
function wholeElements(bytes: number): number {
  return Math.max(8, Math.floor(bytes / 8) * 8);
}
