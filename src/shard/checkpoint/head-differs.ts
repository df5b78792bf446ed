import type { ByteSource } from '../../core/byte-source.js';
import { requireAt } from '../../core/require-at.js';
import { MiB } from '../../core/units.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { openObjects } from '../../transfer/read/open-objects.js';
import type { TransferContext } from '../../transfer/transfer-context.js';
import { readModelShape } from '../layout/model-shape.js';
import { collectSources, type SourceTensor } from '../layout/source-tensors.js';
import type { Checkpoint } from './read-checkpoint.js';

const HEAD = 'lm_head.weight';
const EMBEDDING = 'model.embed_tokens.weight';
const BLOCK_BYTES = 4 * MiB;

/**
 * Whether the config says that the output head is the embedding, and the checkpoint holds a head that is another one.
 * Only the bytes can tell, so both are read; most checkpoints hold one of them only.
 */
export async function headDiffers(
  place: {
    readonly context: Pick<TransferContext, 'policies' | 'getLanes'>;
    readonly store: ObjectStore;
    readonly dirKey: string;
  },
  { config, weights }: Pick<Checkpoint, 'config' | 'weights'>,
  { signal }: { readonly signal: AbortSignal }
): Promise<boolean> {
  const shape = readModelShape(config);
  if (!shape.tied) return false;
  const sources = collectSources(weights);
  const head = sources.get(HEAD);
  const embedding = sources.get(EMBEDDING);
  if (head === undefined || embedding === undefined) return false;
  const objects = weights.map(({ path, size }) => ({ key: `${place.dirKey}${path}`, size }));
  const opened = openObjects(place.context, place.store, objects);
  try {
    return !(await areEqual(opened.sources, head, embedding, signal));
  } finally {
    await opened.close();
  }
}

async function areEqual(
  sources: readonly ByteSource[],
  a: SourceTensor,
  b: SourceTensor,
  signal: AbortSignal
): Promise<boolean> {
  const [ofA, ofB] = [requireAt(sources, a.file), requireAt(sources, b.file)];
  const bytes = a.end - a.start;
  if (a.dtype !== b.dtype || bytes !== b.end - b.start) return false;
  const [left, right] = [Buffer.allocUnsafe(BLOCK_BYTES), Buffer.allocUnsafe(BLOCK_BYTES)];
  for (let from = 0; from < bytes; from += BLOCK_BYTES) {
    const to = Math.min(bytes, from + BLOCK_BYTES);
    await Promise.all([
      ofA.read({ start: a.start + from, end: a.start + to }, left, { signal }),
      ofB.read({ start: b.start + from, end: b.start + to }, right, { signal }),
    ]);
    if (Buffer.compare(left.subarray(0, to - from), right.subarray(0, to - from)) !== 0) return false;
  }
  return true;
}
