import type { ByteSource } from '../../core/byte-source.js';
import { PrefetchError } from '../../core/errors.js';
import { requireAt } from '../../core/require-at.js';
import { shardFileName } from '../file-names.js';
import type { ShardPart, RankLayout } from '../rank-layout.js';
import { pieceBytes } from './piece-bytes.js';

/** Compares what comes from no source, byte for byte: the header of every rank's file, and its scalars of value one. */
export async function checkFrames(
  layout: RankLayout,
  shards: readonly ByteSource[],
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  for (const [index, part] of layout.parts.entries()) {
    for (const { start, bytes: expected } of framesOf(part)) {
      const bytes = new Uint8Array(expected.length);
      for (let rank = 0; rank < layout.ranks; rank++) {
        const shard = requireAt(shards, index * layout.ranks + rank);
        await shard.read({ start, end: start + bytes.length }, bytes, { signal });
        if (Buffer.compare(bytes, expected) === 0) continue;
        const file = shardFileName(layout, rank, part.number);
        throw new PrefetchError('ShardMismatch', `The header or the scalars of ${file} are not what was planned`, {
          details: { files: [file] },
        });
      }
    }
  }
}

/** Bytes that come from no source, and where they start in the file. */
interface Frame {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** The header and the scalars, in file order; those that follow each other are one, for each costs requests. */
function framesOf(part: ShardPart): Frame[] {
  const frames: { start: number; end: number; chunks: Uint8Array[] }[] = [];
  for (const { start, bytes } of [{ start: 0, bytes: part.headerBytes }, ...scalarsOf(part)]) {
    const last = frames.at(-1);
    if (last?.end === start) {
      last.chunks.push(bytes);
      last.end += bytes.length;
    } else frames.push({ start, end: start + bytes.length, chunks: [bytes] });
  }
  return frames.map(({ start, chunks }) => ({ start, bytes: Buffer.concat(chunks) }));
}

function scalarsOf({ tensors }: ShardPart): Frame[] {
  const scalars: Frame[] = [];
  for (const { pieces, dtype, start } of tensors) {
    let position = start;
    for (const piece of pieces) {
      if (piece.kind === 'ones') scalars.push({ start: position, bytes: Buffer.from(Float32Array.of(1).buffer) });
      position += pieceBytes(piece, dtype);
    }
  }
  return scalars;
}
