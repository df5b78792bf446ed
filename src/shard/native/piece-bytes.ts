import type { Dtype } from '../../safetensors/index.js';
import type { Piece } from '../layout/state-dict.js';
import { elementBytes } from './cast.js';

/** Bytes of a piece in one rank's tensor of this data type. */
export function pieceBytes(piece: Piece, target: Dtype): number {
  return elementsOf(piece) * elementBytes(target);
}

function elementsOf(piece: Piece): number {
  switch (piece.kind) {
    case 'rows':
      return piece.count * piece.width;
    case 'columns':
      return piece.rows * piece.count;
    case 'ones':
      return 1;
  }
}
