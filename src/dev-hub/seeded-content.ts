import { createCipheriv, createHash } from 'node:crypto';
import { MiB } from '../core/units.js';
import type { Content } from './content.js';

const BLOCK_BYTES = MiB;
const NUMBER_BYTES = 8;

/**
 * Pseudo-random bytes of any size without a disk: one block per seed, repeated, with the number of each repetition
 * mixed into its first 8 bytes, so that no two blocks of a file are equal.
 */
export function seededContent({ size, seed }: { readonly size: number; readonly seed: string }): Content {
  return {
    size,
    key: size > BLOCK_BYTES ? `seed:${JSON.stringify(seed)}:${String(size)}` : undefined,
    check: () => Promise.resolve(),
    chunks: (start, end) => seededChunks({ seed, start, end }),
  };
}

function* seededChunks({ seed, start, end }: { seed: string; start: number; end: number }) {
  if (start >= end) return;
  const block = blockOf(seed);
  for (let position = start; position < end;) {
    const offset = position % BLOCK_BYTES;
    const number = (position - offset) / BLOCK_BYTES;
    const stop = Math.min(offset < NUMBER_BYTES ? NUMBER_BYTES : BLOCK_BYTES, offset + (end - position));
    yield offset < NUMBER_BYTES ? numbered(block, number).subarray(offset, stop) : block.subarray(offset, stop);
    position += stop - offset;
  }
}

function numbered(block: Buffer, number: number): Buffer {
  const head = Buffer.from(block.subarray(0, NUMBER_BYTES));
  head.writeBigUInt64LE(head.readBigUInt64LE() ^ BigInt(number));
  return head;
}

// The blocks used last, so that a repo of many seeded files does not hold a megabyte for each.
const blocks = new Map<string, Buffer>();
const MAX_BLOCKS = 16;

function blockOf(seed: string): Buffer {
  const block = blocks.get(seed) ?? makeBlock(seed);
  blocks.delete(seed);
  blocks.set(seed, block);
  for (const oldest of blocks.keys()) {
    if (blocks.size <= MAX_BLOCKS) break;
    blocks.delete(oldest);
  }
  return block;
}

function makeBlock(seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(BLOCK_BYTES));
}
