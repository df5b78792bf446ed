import { describe, expect, test } from 'vitest';
import type { Dtype } from '../../../src/safetensors/index.js';
import { pieceBytes } from '../../../src/shard/native/piece-bytes.js';
import { shardFileName } from '../../../src/shard/file-names.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { random } from '../../helpers/random.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { sha256Of } from '../../helpers/test-source.js';
import { configOf, llama, mixtral, qwen2Moe } from '../layout/configs.js';
import { joinRanges, planOf, randomCheckpoint } from './bytes-in-memory.js';
import { setUpCheck } from './check-setup.js';

// Rows of the vocabulary are padded to 128, so that the last of four ranks has nothing but zeros; two heads are held twice.
const little = { vocab_size: 70, num_key_value_heads: 2, hidden_size: 32, intermediate_size: 48 };
const models = {
  llama: { ...llama, ...little, attention_bias: true, mlp_bias: true },
  fused: { ...configOf('Phi3ForCausalLM', 'phi3'), ...little, tie_word_embeddings: true },
  experts: { ...mixtral, ...little, num_hidden_layers: 1 },
  shared: {
    ...qwen2Moe,
    ...little,
    num_hidden_layers: 1,
    moe_intermediate_size: 24,
    shared_expert_intermediate_size: 40,
  },
};
const kinds: readonly (readonly [string, readonly Dtype[]])[] = [
  ['copied', ['BF16']],
  ['cast', ['F32', 'BF16']],
];

/** Where a byte of a shard comes from. */
interface Place {
  readonly shard: number;
  readonly file: string;
  readonly at: number;
  readonly source: string | undefined;
}

/** The first and the last byte of every piece of every file, one between them, and some of the headers. */
function places(layout: RankLayout, numbers: ReturnType<typeof random>): Place[] {
  return layout.parts.flatMap((part, index) =>
    Array.from({ length: layout.ranks }, (_, rank) => {
      const file = shardFileName(layout, rank, part.number);
      const found: Place[] = [];
      const note = (source: string | undefined, start: number, end: number) => {
        for (const at of [start, end - 1, start + numbers.int(end - start)]) {
          found.push({ shard: index * layout.ranks + rank, file, at, source });
        }
      };
      note(undefined, 0, part.headerBytes.length);
      for (const { pieces, dtype, start } of part.tensors) {
        let position = start;
        for (const piece of pieces) {
          const end = position + pieceBytes(piece, dtype);
          note(piece.kind === 'ones' ? undefined : piece.source, position, end);
          position = end;
        }
      }
      return found;
    }).flat()
  );
}

describe.each(Object.entries(models))('the ranks of %s', (name, config) => {
  test.each(kinds)(
    'that were %s give every weights file back, and every byte of theirs is read',
    async (_how, dtypes) => {
      for (const ranks of [1, 2, 4]) {
        const checkpoint = randomCheckpoint(config, { split: 2, dtypes });
        const setup = setUpCheck(checkpoint, planOf(checkpoint, { ranks, maxFileSize: 9000 }));
        for (const how of ['digest', 'comparison'] as const) {
          const { sources, shards } = setup.readers;
          sources.ranges.length = shards.ranges.length = 0;
          expect(await setup.check(how)).toEqual(checkpoint.weights.map((bytes) => sha256Of(bytes).hex));
          const whole = (files: readonly Buffer[]) =>
            files.map(({ length }, file) => ({ file, start: 0, end: length }));
          expect(joinRanges(shards.ranges)).toEqual(whole(setup.shards));
          // By digest nothing is read of the source but what no rank has.
          if (how === 'comparison') expect(joinRanges(sources.ranges)).toEqual(whole(checkpoint.weights));
        }
      }
    }
  );

  test.each(kinds)('that were %s are found out by any flipped bit, with tensor and file', async (_how, dtypes) => {
    const numbers = random(name.length);
    const checkpoint = randomCheckpoint(config, { split: 2, dtypes });
    const layout = planOf(checkpoint, { ranks: 4, maxFileSize: 9000 });
    const setup = setUpCheck(checkpoint, layout);
    for (const { shard, file, at, source } of places(layout, numbers)) {
      const bytes = setup.shards[shard] ?? Buffer.alloc(0);
      const bit = 1 << numbers.int(8);
      bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at);
      const { code, details } = await lateRefusal(setup.check(numbers.pick(['digest', 'comparison'])));
      bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at);
      expect({ code, tensor: details['tensor'] }).toEqual({ code: 'ShardMismatch', tensor: source });
      expect(details['files']).toContain(file);
    }
    await setup.check('digest');
  });
});

describe('memory', () => {
  // Rows of down_proj have 1,280 bytes: too wide for the smallest of these budgets, which has blocks of 1,024.
  const wide = { ...llama, ...little, intermediate_size: 640 };

  test.each([4096, 8192, 50_000, 400_000])('of %i bytes is enough, and not overstepped', async (memoryBytes) => {
    for (const [, dtypes] of kinds) {
      const checkpoint = randomCheckpoint(wide, { dtypes });
      const setup = setUpCheck(checkpoint, planOf(checkpoint, { ranks: 2 }), { memoryBytes });
      for (const how of ['digest', 'comparison'] as const) {
        expect(await setup.check(how)).toEqual([sha256Of(checkpoint.weights[0] ?? Buffer.alloc(0)).hex]);
      }
      const { peakBytes, inUseBytes } = setup.engine.memory;
      expect(peakBytes).toBeLessThanOrEqual(memoryBytes);
      expect(inUseBytes).toBe(0);
    }
  });

  test('is given back after a mismatch', async () => {
    const checkpoint = randomCheckpoint(wide);
    const setup = setUpCheck(checkpoint, planOf(checkpoint, { ranks: 2 }));
    setup.shards[1]?.fill(1, 5000);
    expect((await lateRefusal(setup.check('digest'))).code).toBe('ShardMismatch');
    const { memory, shardTurn } = setup.engine.context;
    expect([memory.inUseBytes, shardTurn.inUse]).toEqual([0, 0]);
  });
});
