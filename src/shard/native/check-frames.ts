import type { ByteSource } from '../../core/byte-source.js';
import { PrefetchError } from '../../core/errors.js';
import { requireAt } from '../../core/require-at.js';
import { shardFileName, type PlannedPart, type ShardPlan } from '../plan-shards.js';
import { pieceBytes } from './window-reads.js';

/** Compares what comes from no source, byte for byte: the header of every rank's file, and its scalars of value one. */
export async function checkFrames(
  plan: ShardPlan,
  shards: readonly ByteSource[],
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  for (const [index, part] of plan.parts.entries()) {
    const expected = frameOf(part);
    const bytes = new Uint8Array(expected.length);
    for (let rank = 0; rank < plan.ranks; rank++) {
      await requireAt(shards, index * plan.ranks + rank).read({ start: 0, end: bytes.length }, bytes, { signal });
      if (Buffer.compare(bytes, expected) === 0) continue;
      const file = shardFileName(plan, rank, part.part);
      throw new PrefetchError('ShardMismatch', `The header or the scalars of ${file} are not what was planned`, {
        details: { files: [file] },
      });
    }
  }
}

/** The header and the scalars, which are the first tensors: wider elements come first. */
function frameOf({ headerBytes, tensors }: PlannedPart): Uint8Array {
  const scalars = tensors.filter(({ pieces }) => pieces.every(({ kind }) => kind === 'ones'));
  const values = scalars.flatMap(({ pieces }) => pieces.map(() => 1));
  const frame = new Uint8Array(
    headerBytes.length + scalars.flatMap(({ pieces }) => pieces).reduce((sum, piece) => sum + pieceBytes(piece), 0)
  );
  frame.set(headerBytes);
  const view = new DataView(frame.buffer, headerBytes.length);
  values.forEach((value, index) => {
    view.setFloat32(4 * index, value, true);
  });
  return frame;
}
