import { PrefetchError } from '../../core/errors.js';
import { requireKey } from '../../core/require-at.js';
import type { Dtype } from '../../safetensors/index.js';
import type { SourceTensor } from '../layout/source-tensors.js';
import type { Piece } from '../layout/state-dict.js';
import type { RankLayout } from '../rank-layout.js';
import { pieceBytes } from './piece-bytes.js';

/** Where a piece of a source tensor lies: in the files of one part, at the same place of every rank's. */
export interface ShardLocations {
  /** Position of the part in the layout. */
  readonly part: number;
  /** First byte in the file. */
  readonly position: number;
  readonly piece: Piece & { readonly kind: 'rows' | 'columns' };
  /** The data type that it has there. */
  readonly target: Dtype;
}

/** The places of each source tensor, in its own order; those that no rank has are absent. */
export type AllLocations = ReadonlyMap<string, readonly ShardLocations[]>;

/** Finds every source tensor in the shards, the other way round than they were made. */
export function findLocations(layout: RankLayout): AllLocations {
  const found = new Map<string, ShardLocations[]>();
  layout.parts.forEach(({ tensors }, part) => {
    for (const { pieces, dtype: target, start } of tensors) {
      let position = start;
      for (const piece of pieces) {
        if (piece.kind !== 'ones') {
          found.set(piece.source, [...(found.get(piece.source) ?? []), { part, position, piece, target }]);
        }
        position += pieceBytes(piece, target);
      }
    }
  });
  for (const [source, places] of found) {
    places.sort((a, b) => baseOf(a) - baseOf(b));
    checkComplete(layout, requireKey(layout.sources, source), places);
  }
  // A head that equals the embedding is kept once, under either name.
  const embedding = found.get('model.embed_tokens.weight');
  if (embedding === undefined || found.has('lm_head.weight')) return found;
  return new Map([...found, ['lm_head.weight', embedding]]);
}

function baseOf({ piece }: ShardLocations): number {
  return piece.kind === 'rows' ? piece.base : 0;
}

/** Every row and every column of a source tensor has exactly one place, not counting replicas. */
function checkComplete(layout: RankLayout, source: SourceTensor, places: readonly ShardLocations[]): void {
  let rows = 0;
  for (const { piece } of places) {
    if (piece.kind === 'columns') {
      if (piece.count * layout.ranks !== piece.width || rows !== 0) throw incomplete(source);
      rows += piece.rows;
    } else {
      if (piece.base !== rows) throw incomplete(source);
      rows = Math.min(piece.limit, rows + (piece.count * layout.ranks) / piece.replicas);
    }
  }
  if (rows !== source.shape[0]) throw incomplete(source);
}

function incomplete({ name }: SourceTensor): PrefetchError {
  return new PrefetchError('Internal', `The layout does not hold all of ${name}`);
}
