import { castLength } from './cast.js';
import type { SourceRead } from './window-reads.js';

/**
 * Reads that follow each other in a file become one, where one of them is small, for requests cost more than copies.
 */
export function joinNeighbours(reads: readonly SourceRead[], readBytes: number): SourceRead[] {
  const joined: SourceRead[] = [];
  for (const read of [...reads].sort((a, b) => a.file - b.file || a.start - b.start)) {
    const last = joined.at(-1);
    if (last === undefined || !areNeighbours(last, read, readBytes)) {
      joined.push(read);
      continue;
    }
    const offset = castLength(last.end - last.start, last.dtype, last.target);
    const moves = read.moves.map((move) => ({ ...move, from: move.from + offset }));
    joined[joined.length - 1] = { ...last, end: read.end, moves: [...last.moves, ...moves] };
  }
  return joined;
}

function areNeighbours(last: SourceRead, next: SourceRead, readBytes: number): boolean {
  const lengths = [last.end - last.start, next.end - next.start];
  return (
    last.file === next.file &&
    last.end === next.start &&
    last.dtype === next.dtype &&
    last.target === next.target &&
    last.splitRow === undefined &&
    next.splitRow === undefined &&
    Math.min(...lengths) < readBytes / 4 &&
    next.end - last.start <= readBytes
  );
}
