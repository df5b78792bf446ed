import { describe, expect, test } from 'vitest';
import { GiB, KiB, MiB } from '../../../src/core/units.js';
import { divideMemory } from '../../../src/shard/native/part-memory.js';
import { random } from '../../helpers/random.js';
import { refusal } from '../../helpers/refusal.js';

const s3 = { minPartSize: 5 * MiB, maxPartSize: 5 * GiB, maxParts: 10_000 };
const anyPart = { minPartSize: 1, maxPartSize: Number.MAX_SAFE_INTEGER, maxParts: Number.MAX_SAFE_INTEGER };
const usual = { budgetBytes: 256 * MiB, wantedPart: 8 * MiB };

describe('memory', () => {
  test('holds two windows of all ranks at least where it can', () => {
    expect(divideMemory(usual, { size: 5 * GiB, ranks: 4 }, s3)).toMatchObject({
      partSize: 8 * MiB,
      ranksAtOnce: 4,
      windowsAtOnce: 4,
      readBytes: 4 * MiB,
      scratchCount: 4,
    });
    expect(divideMemory(usual, { size: 5 * GiB, ranks: 8 }, s3)).toMatchObject({
      partSize: 8 * MiB,
      ranksAtOnce: 8,
      windowsAtOnce: 2,
    });
  });

  test('holds no more windows than make it faster', () => {
    expect(divideMemory(usual, { size: 5 * GiB, ranks: 1 }, s3).windowsAtOnce).toBe(4);
  });

  test('is shared by many ranks with smaller parts, and by more ranks than fit with some of them at a time', () => {
    const sixteen = divideMemory(usual, { size: 5 * GiB, ranks: 16 }, anyPart);
    expect(sixteen).toMatchObject({ partSize: 4.5 * MiB, ranksAtOnce: 16, windowsAtOnce: 2 });
    // S3 takes no parts that small.
    expect(divideMemory(usual, { size: 5 * GiB, ranks: 64 }, s3)).toMatchObject({
      partSize: 5 * MiB,
      ranksAtOnce: 28,
      windowsAtOnce: 1,
    });
  });

  test('of the smallest worker takes any number of ranks', () => {
    const smallest = { budgetBytes: 32 * MiB, wantedPart: 8 * MiB };
    for (const ranks of [1, 2, 8, 64, 1024]) {
      expect(divideMemory(smallest, { size: 5 * GiB, ranks }, s3).ranksAtOnce).toBeGreaterThan(0);
    }
  });

  test('is never used beyond the budget, nor beyond what is worth it', () => {
    const numbers = random(7);
    for (let round = 0; round < 500; round++) {
      const budgetBytes = 32 * MiB + numbers.int(2 ** 31 - 1);
      const machine = { budgetBytes, wantedPart: 5 * MiB + numbers.int(64 * MiB) };
      const file = { size: 16 + numbers.int(2 ** 31), ranks: 1 + numbers.int(64) };
      const memory = divideMemory(machine, file, numbers.pick([s3, anyPart]));
      const { partSize, ranksAtOnce, windowsAtOnce, readBytes, scratchCount } = memory;
      const windows = Math.min(partSize, file.size) * ranksAtOnce * windowsAtOnce;
      expect(windows + readBytes * scratchCount).toBeLessThanOrEqual(Math.min(budgetBytes, 160 * MiB));
      expect([windowsAtOnce, ranksAtOnce, scratchCount].every((count) => count >= 1)).toBe(true);
      expect([partSize % 8, readBytes % 8]).toEqual([0, 0]);
      // An upload of before can be gone on with only by parts of the same size.
      expect(divideMemory(machine, file, s3)).toEqual(divideMemory(machine, file, s3));
    }
  });

  test('is not cut into parts too small for a request, where the store leaves the choice', () => {
    const tiny = { budgetBytes: MiB, wantedPart: 8 * MiB };
    expect(divideMemory(tiny, { size: GiB, ranks: 64 }, anyPart)).toMatchObject({
      partSize: 256 * KiB,
      ranksAtOnce: 3,
    });
  });
});

describe('too little memory', () => {
  test('is refused with an amount that is enough', () => {
    for (const budgetBytes of [MiB, 5 * MiB, 6.5 * MiB]) {
      const file = { size: 5 * GiB, ranks: 4 };
      const { code, message } = refusal(() => divideMemory({ ...usual, budgetBytes }, file, s3));
      expect(code).toBe('InvalidInput');
      const [, enough] = /MODEL_PREFETCH_MEMORY to (\d+) or more/.exec(message) ?? [];
      expect(divideMemory({ ...usual, budgetBytes: Number(enough) }, file, s3).ranksAtOnce).toBe(1);
    }
  });

  test('for a file so large that its upload parts are, is refused with the way out', () => {
    const { message } = refusal(() => divideMemory(usual, { size: 2000 * GiB, ranks: 1 }, s3));
    expect(message).toContain('maxFileSize');
  });
});
