import { describe, expect, test } from 'vitest';
import { planWindow, type Move, type Window, type WindowReads } from '../../../src/shard/native/window-reads.js';
import { castLength } from '../../../src/shard/native/cast.js';
import { planParts } from '../../../src/transfer/upload/part-plan.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { random } from '../../helpers/random.js';
import { llama, qwen2Moe } from '../layout/configs.js';
import { planOf, randomCheckpoint } from './bytes-in-memory.js';

const small = { ...llama, vocab_size: 70, num_key_value_heads: 2 };
const experts = { ...qwen2Moe, vocab_size: 70, num_key_value_heads: 2 };

/** How often each byte of each slab of a window is written. */
function coverage({ ranks, start, end }: Window, { reads, fills, zeros }: WindowReads): Uint8Array[] {
  const slabs = ranks.map(() => new Uint8Array(end - start));
  const note = (slot: number, to: number, length: number) => {
    const slab = slabs[slot];
    if (slab === undefined || to < 0 || to + length > slab.length) throw new Error('A write past the slab');
    for (let at = to; at < to + length; at++) slab[at] = (slab[at] ?? 0) + 1;
  };
  for (const { slots, to, bytes } of fills) for (const slot of slots) note(slot, to, bytes.length);
  for (const { slot, to, length } of zeros) note(slot, to, length);
  for (const read of reads) {
    for (const move of read.moves) {
      checkInside(move, castLength(read.end - read.start, read.dtype, read.target));
      if (move.kind === 'run') for (const slot of move.slots) note(slot, move.to, move.length);
      else
        move.ranks.forEach((_, slot) => {
          note(slot, move.to, columnBytes(move));
        });
    }
  }
  return slabs;
}

function columnBytes({ rows, shareBytes, skip, lastShare }: Move & { kind: 'columns' }): number {
  return (rows - 1) * shareBytes + lastShare - skip;
}

/** A move takes only what was read. */
function checkInside(move: Move, length: number): void {
  const needed = move.kind === 'run' ? move.from + move.length : move.from + move.rows * move.rowBytes;
  if (needed > length) throw new Error('A move of more than was read');
}

function windowsOf(layout: RankLayout, partSize: number, ranks: readonly number[]): Window[] {
  return layout.parts.flatMap((part) =>
    planParts(part.size, partSize).map(({ position, size }) => ({ part, start: position, end: position + size, ranks }))
  );
}

describe.each([
  ['a dense model', small, ['BF16']],
  ['a dense model that is cast', small, ['F32']],
  ['experts of several data types', experts, ['BF16', 'F32', 'F16']],
] as const)('the windows of %s', (_name, config, dtypes) => {
  const checkpoint = randomCheckpoint(config, { dtypes });

  test.each([1, 2, 4])('are written exactly once at each byte, for %i ranks', (ranks) => {
    const numbers = random(ranks);
    for (let round = 0; round < 8; round++) {
      const maxFileSize = numbers.pick([Number.MAX_SAFE_INTEGER, 1 + numbers.int(60_000)]);
      const layout = planOf(checkpoint, { ranks, maxFileSize });
      const partSize = 8 * (1 + numbers.int(numbers.pick([20, 200, 4000])));
      const readBytes = 8 * (1 + numbers.int(numbers.pick([8, 80, 2000])));
      const all = Array.from({ length: ranks }, (_, rank) => rank);
      const some = all.filter(() => numbers.int(2) === 0);
      for (const window of windowsOf(layout, partSize, some.length === 0 ? all : some)) {
        const planned = planWindow(layout, window, readBytes);
        for (const slab of coverage(window, planned)) expect(slab.findIndex((times) => times !== 1)).toBe(-1);
        expect(planned.reads.every(({ start, end }) => end > start && end - start <= readBytes)).toBe(true);
      }
    }
  });
});

describe('reads', () => {
  const layout = planOf(randomCheckpoint(small), { ranks: 2 });
  const whole = { ...wholePart(layout), ranks: [0, 1] };
  const output = whole.part.tensors.find(({ name }) => name === 'model.layers.0.self_attn.o_proj.weight');

  test('of a whole part are few where all fits into one', () => {
    expect(planWindow(layout, whole, 2 ** 30).reads).toHaveLength(1);
  });

  test('that are big are not joined, for copies would cost more than requests', () => {
    const { reads } = planWindow(layout, whole, 8192);
    for (const { moves, start, end } of reads) {
      const [least, ...others] = moves.map(moveBytes).sort((a, b) => a - b);
      if (others.length > 0) expect(least).toBeLessThan(8192);
      expect(end - start).toBeLessThanOrEqual(8192);
    }
    // Each of the bigger tensors goes straight to its place, by reads of the full size.
    expect(reads.some(({ moves, start, end }) => moves.length === 1 && end - start === 8192)).toBe(true);
  });

  test('that replicas share go to all of them', () => {
    const four = planOf(randomCheckpoint(small), { ranks: 4 });
    const { reads } = planWindow(four, { ...wholePart(four), ranks: [0, 1, 2, 3] }, 64);
    const slots = reads.flatMap(({ moves }) => moves.flatMap((move) => (move.kind === 'run' ? [move.slots] : [])));
    // A norm is the same on every rank, a key/value head on two of four.
    expect(slots).toContainEqual([0, 1, 2, 3]);
    expect(slots).toContainEqual([0, 1]);
    expect(slots).toContainEqual([2, 3]);
  });

  test('of a row that a border cuts are called the same by both windows', () => {
    // Each rank has 32 of 64 elements of a row.
    const border = (output?.start ?? NaN) + 5 * 64 + 24;
    const names = [
      { ...whole, end: border },
      { ...whole, start: border },
    ].map((window) => planWindow(layout, window, 1024).reads.flatMap(({ splitRow }) => splitRow ?? []));
    expect(names).toEqual([['model.layers.0.self_attn.o_proj.weight#5'], ['model.layers.0.self_attn.o_proj.weight#5']]);
  });

  test('of rows at whose end a border lies need no name', () => {
    const border = (output?.start ?? NaN) + 5 * 64;
    for (const window of [
      { ...whole, end: border },
      { ...whole, start: border },
    ]) {
      expect(planWindow(layout, window, 1024).reads.flatMap(({ splitRow }) => splitRow ?? [])).toEqual([]);
    }
  });
});

function wholePart({ parts: [part] }: RankLayout) {
  if (part === undefined) throw new Error('There is no part.');
  return { part, start: 0, end: part.size };
}

function moveBytes(move: Move): number {
  return move.kind === 'run' ? move.length : move.rows * move.rowBytes;
}
