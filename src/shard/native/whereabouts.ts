import { PrefetchError } from '../../core/errors.js';
import type { SourceTensor } from '../layout/source-tensors.js';
import type { Piece } from '../layout/state-dict.js';
import type { ShardPlan } from '../plan-shards.js';
import { pieceBytes } from './window-reads.js';

/** Where a piece of a source tensor lies: in the files of one part, at the same place of every rank's. */
export interface Whereabouts {
  /** Position of the part in the plan. */
  readonly part: number;
  /** First byte in the file. */
  readonly position: number;
  readonly piece: Piece & { readonly kind: 'rows' | 'columns' };
}

/** Finds every source tensor in the shards, the other way round than they were made. */
export function findWhereabouts(plan: ShardPlan): ReadonlyMap<string, readonly Whereabouts[]> {
  const found = new Map<string, Whereabouts[]>();
  plan.parts.forEach(({ tensors }, part) => {
    for (const { pieces, begin } of tensors) {
      let position = begin;
      for (const piece of pieces) {
        if (piece.kind !== 'ones') {
          found.set(piece.source, [...(found.get(piece.source) ?? []), { part, position, piece }]);
        }
        position += pieceBytes(piece);
      }
    }
  });
  for (const [source, places] of found) {
    places.sort((a, b) => baseOf(a) - baseOf(b));
    checkComplete(plan, plan.sources.get(source), places);
  }
  return found;
}

function baseOf({ piece }: Whereabouts): number {
  return piece.kind === 'rows' ? piece.base : 0;
}

/** Every row and every column of a source tensor has exactly one place, not counting replicas. */
function checkComplete(plan: ShardPlan, source: SourceTensor | undefined, places: readonly Whereabouts[]): void {
  let rows = 0;
  for (const { piece } of places) {
    if (piece.kind === 'columns') {
      if (piece.count * plan.ranks !== piece.width || rows !== 0) throw incomplete(source);
      rows += piece.rows;
    } else {
      if (piece.base !== rows) throw incomplete(source);
      rows = Math.min(piece.limit, rows + (piece.count * plan.ranks) / piece.replicas);
    }
  }
  if (rows !== (source?.shape[0] ?? 1)) throw incomplete(source);
}

function incomplete(source: SourceTensor | undefined): PrefetchError {
  return new PrefetchError('Internal', `The layout does not hold all of ${source?.name ?? 'a tensor that is none'}`);
}
