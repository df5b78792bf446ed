import { crc32 } from 'node:zlib';
import { PrefetchError } from '../core/errors.js';
import type { ObjectStore, PartDescription, Receipt } from '../storage/object-store.js';
import type { RangeSource } from '../hub/range-source.js';
import { createContentHash, inSlices } from './content-hash.js';
import { createOrderedHash, type OrderedHash } from './ordered-hash.js';
import type { ProgressCounter } from './progress.js';
import type { ReadPart } from './read-part.js';
import { createPartSender, type PartSender } from './send-part.js';
import type { Slab } from './slab-pool.js';
import type { OpenUpload } from './take-up.js';
import { runGroup, type TaskGroup } from './task-group.js';
import type { TransferContext } from './transfer-context.js';

/** The parts of one upload that are to be moved. */
export interface PartStream {
  readonly source: RangeSource;
  readonly store: ObjectStore;
  readonly open: OpenUpload;
  readonly readPart: ReadPart;
  readonly progress: ProgressCounter;
}

/** All receipts, and the digest of all bytes where every part passed through here. */
export interface StreamedParts {
  readonly receipts: readonly Receipt[];
  readonly hex: string | undefined;
}

/** Moves all parts that the store does not hold yet: GET lanes fill slabs, a hash and PUT lanes empty them. */
export async function streamParts(
  context: TransferContext,
  stream: PartStream,
  options: { readonly signal: AbortSignal }
): Promise<StreamedParts> {
  const { source, store, open } = stream;
  const receipts = new Map(open.held.map((receipt) => [receipt.partNumber, receipt]));
  const missing = open.parts.filter(({ partNumber }) => !receipts.has(partNumber));
  const { partChecksums } = await store.capabilities(options);
  const sender = createPartSender(store, open.upload, { ...context.policies.put, stallMs: context.policies.stallMs });
  const whole = open.held.length === 0;
  let hash: OrderedHash | undefined;
  try {
    await runGroup(options.signal, (group) => {
      const running = whole ? createContentHash(source.digest.algorithm, source.size) : undefined;
      hash = running === undefined ? undefined : createOrderedHash(running, group);
      const move: Move = { ...stream, context, group, sender, hash, partChecksums, receipts, missing };
      for (let lane = 0; lane < Math.min(context.lanes, missing.length); lane++) group.run(() => fetchParts(move));
    });
  } finally {
    await sender.close();
  }
  return { receipts: inOrder(open.parts, receipts), hex: hash?.hex() };
}

interface Move extends PartStream {
  readonly context: TransferContext;
  readonly group: TaskGroup;
  readonly sender: PartSender;
  readonly hash: OrderedHash | undefined;
  readonly partChecksums: boolean;
  readonly receipts: Map<number, Receipt>;
  /** Parts that no lane has taken yet, in file order. */
  readonly missing: PartDescription[];
}

/**
 * A lane takes memory first and a part second, so that whatever the parts of a file wait for, the first of them has its
 * memory: the hash always moves on, however small the budget and however many files share it.
 */
async function fetchParts(move: Move): Promise<void> {
  const { context, group, missing, open, readPart, progress } = move;
  const { signal } = group;
  while (missing.length > 0) {
    const slab = await context.memory.takeSlab(open.partSize, { signal });
    const part = missing.shift();
    if (part === undefined) {
      slab.release();
      return;
    }
    try {
      const range = { start: part.position, end: part.position + part.size };
      const giveBack = await context.getLanes.acquire(1, { signal });
      try {
        await readPart(range, slab.bytes, {
          signal,
          onBytes: (count) => {
            progress.fetched(count);
          },
        });
      } finally {
        giveBack();
      }
    } catch (error) {
      slab.release();
      throw error;
    }
    emptySlab(move, part, slab);
  }
}

/** The hash and a PUT lane use the bytes side by side; the last to end gives the memory back. */
function emptySlab(move: Move, part: PartDescription, slab: Slab): void {
  const { group, hash } = move;
  const bytes = slab.bytes.subarray(0, part.size);
  let users = hash === undefined ? 1 : 2;
  const use = (task: () => Promise<void>): void => {
    group.run(() =>
      task().finally(() => {
        if (--users === 0) slab.release();
      })
    );
  };
  if (hash !== undefined) use(() => hash.add(part.partNumber, bytes));
  use(() => storePart(move, part, bytes));
}

async function storePart(move: Move, part: PartDescription, bytes: Uint8Array): Promise<void> {
  const { context, group, sender, partChecksums, receipts, progress } = move;
  const { signal } = group;
  const giveBack = await context.putLanes.acquire(1, { signal });
  try {
    const described = partChecksums ? { ...part, crc32: await crc32Of(bytes) } : part;
    receipts.set(part.partNumber, await sender.send(described, bytes, { signal }));
    progress.stored(part.size);
  } finally {
    giveBack();
  }
}

async function crc32Of(bytes: Uint8Array): Promise<number> {
  let value = 0;
  for await (const slice of inSlices(bytes)) value = crc32(slice, value);
  return value;
}

function inOrder(parts: readonly PartDescription[], receipts: ReadonlyMap<number, Receipt>): Receipt[] {
  return parts.map(({ partNumber }) => {
    const receipt = receipts.get(partNumber);
    if (receipt === undefined) throw new PrefetchError('Internal', `Part ${partNumber} has no receipt`);
    return receipt;
  });
}
