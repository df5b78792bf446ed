import type { KnownSource } from '../core/byte-source.js';
import type { ObjectStore, PartDescription } from '../storage/object-store.js';
import { holdOne } from '../tasks/permits.js';
import { runGroup, type TaskGroup } from '../tasks/task-group.js';
import type { ProgressCounter } from './progress.js';
import type { TransferContext } from './transfer-context.js';
import { createPartSink, type PartSink, type StreamedParts } from './upload/part-sink.js';
import type { OpenUpload } from './upload/resume-upload.js';

/** The parts of one upload that are to be moved. */
export interface PartStream {
  readonly source: KnownSource;
  readonly store: ObjectStore;
  readonly open: OpenUpload;
  readonly progress: ProgressCounter;
}

/** Moves all parts that the store does not hold yet: GET lanes fill slabs, a hash and PUT lanes empty them. */
export async function streamParts(
  context: TransferContext,
  stream: PartStream,
  options: { readonly signal: AbortSignal }
): Promise<StreamedParts> {
  const { source, store, open, progress } = stream;
  const { partChecksums } = await store.capabilities(options);
  const object = { size: source.size, algorithm: source.digest.algorithm };
  const onStored = (bytes: number): void => {
    progress.stored(bytes);
  };
  let sink: PartSink | undefined;
  try {
    await runGroup(options.signal, (group) => {
      sink = createPartSink({ context, store, open, object, partChecksums, group, onStored });
      const move: Move = { ...stream, context, group, sink, missing: [...sink.missing] };
      for (let lane = 0; lane < Math.min(context.lanes, move.missing.length); lane++) group.run(() => fetchParts(move));
    });
    // A group whose start did not run has thrown.
    return (await sink?.finish()) ?? { receipts: open.held, hex: undefined };
  } finally {
    await sink?.close();
  }
}

interface Move extends PartStream {
  readonly context: TransferContext;
  readonly group: TaskGroup;
  readonly sink: PartSink;
  /** Parts that no lane has taken yet, in file order. */
  readonly missing: PartDescription[];
}

/**
 * A lane takes memory first and a part second, so that whatever the parts of a file wait for, the first of them has its
 * memory: the hash always moves on, however small the budget and however many files share it.
 */
async function fetchParts(move: Move): Promise<void> {
  const { context, group, missing, open, source, progress, sink } = move;
  const { signal } = group;
  while (missing.length > 0) {
    await sink.untroubled();
    const slab = await context.memory.takeSlab(open.partSize, { signal });
    const part = missing.shift();
    if (part === undefined) {
      slab.release();
      return;
    }
    try {
      const range = { start: part.position, end: part.position + part.size };
      const onBytes = (count: number): void => {
        progress.fetched(count);
      };
      await holdOne(context.getLanes, { signal }, (giveWay) =>
        source.read(range, slab.bytes, { signal, onBytes, giveWay })
      );
    } catch (error) {
      slab.release();
      throw error;
    }
    sink.take(part, slab);
  }
}
