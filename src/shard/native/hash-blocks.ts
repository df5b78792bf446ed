import { requireAt } from '../../core/require-at.js';
import { MiB } from '../../core/units.js';
import { runGroup } from '../../tasks/task-group.js';
import { createOrderedHash, type OrderedHash } from '../../transfer/digest/ordered-hash.js';
import { createThreadHash } from '../../transfer/threads/hash-thread.js';
import type { TransferContext } from '../../transfer/transfer-context.js';
import type { RankLayout } from '../rank-layout.js';
import type { AllLocations } from './shard-locations.js';
import { sourceBlocks, type SourceBlock } from './source-blocks.js';

/** What is done with the blocks of a weights file, and the memory for it. */
export interface BlockHashing<Lane> {
  /** Blocks that fit into one slab of memory. */
  readonly blocksPerSlab: number;
  /** A lane has two slabs for one block after the other. */
  readonly layOut: (slabs: readonly [Buffer, Buffer], blockBytes: number) => Lane;
  readonly work: (block: BlockWork<Lane>) => Promise<void>;
}

/** One block of a weights file, with the lane that holds its memory. */
export interface BlockWork<Lane> {
  readonly block: SourceBlock;
  /** From 1, in file order. */
  readonly number: number;
  readonly lane: Lane;
  /** What is to be hashed is added here. */
  readonly ordered: OrderedHash;
  readonly signal: AbortSignal;
}

/** Big enough for requests to every rank, small beside the memory of the process. */
const SLAB_BYTES = 8 * MiB;
const SLABS_PER_LANE = 2;
const MOST_LANES = 4;

/** Works on the blocks of a weights file side by side; the digest is of what the work adds, in file order. */
export async function hashBlocks<Lane>(
  {
    context,
    layout,
    places,
    file,
  }: {
    readonly context: Pick<TransferContext, 'memory' | 'lanes'>;
    readonly layout: RankLayout;
    readonly places: AllLocations;
    /** Position in the layout's list of files. */
    readonly file: number;
  },
  { signal, onChecked }: { readonly signal: AbortSignal; readonly onChecked: (bytes: number) => void },
  { blocksPerSlab, layOut, work }: BlockHashing<Lane>
): Promise<string> {
  const { slabBytes, lanes } = divideMemory(context);
  const blockBytes = slabBytes / blocksPerSlab;
  const blocks = sourceBlocks(layout, file, { places, blockBytes });
  // All at once: several files that each had some of their memory might wait for each other.
  const slabs = await context.memory.takeSlabs(lanes * SLABS_PER_LANE, slabBytes, { signal });
  try {
    const hash = createThreadHash('sha256', requireAt(layout.files, file).size);
    try {
      let number = 0;
      await runGroup(signal, (group) => {
        const ordered = createOrderedHash(hash, group);
        const memory = slabs.map(({ bytes }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
        const runLane = async (first: Buffer, second: Buffer): Promise<void> => {
          const lane = layOut([first, second], blockBytes);
          for (let next = blocks.next(); next.done !== true; next = blocks.next()) {
            await work({ block: next.value, number: ++number, lane, ordered, signal: group.signal });
            onChecked(next.value.end - next.value.start);
          }
        };
        for (const [index, first] of memory.entries()) {
          const second = memory[index + 1];
          if (index % SLABS_PER_LANE === 0 && second !== undefined) group.run(() => runLane(first, second));
        }
      });
      return await hash.hex();
    } finally {
      hash.drop();
    }
  } finally {
    for (const slab of slabs) slab.release();
  }
}

/** Half of the memory at most, so that two files are checked at once: a digest keeps one core busy only. */
function divideMemory({ memory: { budgetBytes }, lanes }: Pick<TransferContext, 'memory' | 'lanes'>) {
  const slabBytes = Math.min(SLAB_BYTES, wholeElements(budgetBytes / SLABS_PER_LANE / 2));
  const fitting = Math.floor(budgetBytes / 2 / (SLABS_PER_LANE * slabBytes));
  return { slabBytes, lanes: Math.max(1, Math.min(MOST_LANES, lanes, fitting)) };
}

function wholeElements(bytes: number): number {
  return Math.floor(bytes / 1024) * 1024;
}
