import { describe, expect, test } from 'vitest';
import { fillWindow, type WindowFill } from '../../../src/shard/native/fill-window.js';
import type { Dtype } from '../../../src/safetensors/index.js';
import { createScratch } from '../../../src/shard/native/scratch.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { planParts } from '../../../src/transfer/upload/part-plan.js';
import { random } from '../../helpers/random.js';
import { live } from '../../helpers/transfer-setup.js';
import { configOf, llama, mixtral, qwen2Moe } from '../layout/configs.js';
import {
  expectedFile,
  joinRanges,
  planOf,
  randomCheckpoint,
  readerOf,
  sourceRanges,
  type Checkpoint,
} from './bytes-in-memory.js';

// 70 rows of a vocabulary are padded to 128: of four ranks the third has some of the padding, the last has nothing else.
const little = { vocab_size: 70, num_key_value_heads: 2, hidden_size: 32, intermediate_size: 48 };
const DTYPES: readonly [readonly Dtype[], ...(readonly Dtype[])[]] = [['BF16'], ['F32'], ['F16', 'BF16', 'F32']];
const models = {
  llama: { ...llama, ...little, attention_bias: true, mlp_bias: true },
  tied: { ...llama, ...little, tie_word_embeddings: true },
  fused: { ...configOf('Phi3ForCausalLM', 'phi3'), ...little },
  experts: { ...mixtral, ...little },
  shared: {
    ...qwen2Moe,
    ...little,
    moe_intermediate_size: 24,
    shared_expert_intermediate_size: 40,
    mlp_only_layers: [0],
  },
};

interface Sizes {
  readonly partSize: number;
  readonly readBytes: number;
  readonly scratchCount: number;
  /** Ranks that are filled together. */
  readonly together: number;
}

/** Fills all windows of all parts, several at once, into slabs that are full of a marker; gives the files. */
async function fillAll(
  layout: RankLayout,
  filling: WindowFill,
  { partSize, together, marker }: Sizes & { marker: number }
) {
  const files: Buffer[][] = [];
  for (const part of layout.parts) {
    const bytes = Array.from({ length: layout.ranks }, () => Buffer.alloc(part.size, marker));
    for (let first = 0; first < layout.ranks; first += together) {
      const ranks = bytes.map((_, rank) => rank).slice(first, first + together);
      const queue = planParts(part.size, partSize).values();
      const fill = async () => {
        for (const { position, size } of queue) {
          const slabs = ranks.map((rank) => bytes[rank]?.subarray(position, position + size) ?? Buffer.alloc(0));
          await fillWindow(filling, { part, start: position, end: position + size, ranks }, { slabs, ...live() });
        }
      };
      await Promise.all([fill(), fill(), fill()]);
    }
    files.push(bytes);
  }
  return files;
}

async function expectRight(checkpoint: Checkpoint, layout: RankLayout, sizes: Sizes) {
  const reader = readerOf(checkpoint.weights);
  for (const marker of [0x00, 0xff]) {
    reader.ranges.length = 0;
    const scratch = createScratch(sizes.scratchCount, sizes.readBytes);
    const filling = { layout, sources: reader, scratch, splitRows: new Map<string, Promise<Buffer>>() };
    const files = await fillAll(layout, filling, { ...sizes, marker });
    layout.parts.forEach((part, index) => {
      files[index]?.forEach((bytes, rank) => {
        expect(bytes.equals(expectedFile(layout, checkpoint.weights, { part, rank }))).toBe(true);
      });
    });
  }
  return reader.ranges;
}

/** Bytes of the widest share of a row that any rank has of any matrix that is split by columns. */
function widestShare(layout: RankLayout): number {
  const pieces = layout.parts.flatMap(({ tensors }) => tensors.flatMap((tensor) => tensor.pieces));
  return Math.max(...pieces.map((piece) => (piece.kind === 'columns' ? 2 * piece.count : 0)));
}

describe.each(Object.entries(models))('%s', (name, config) => {
  test.each([1, 2, 4])('is written right, each byte of the source read once, for %i ranks', async (ranks) => {
    const numbers = random(ranks + name.length);
    for (let round = 0; round < 5; round++) {
      const dtypes = numbers.pick(DTYPES);
      const checkpoint = randomCheckpoint(config, { seed: round, split: 1 + numbers.int(3), dtypes });
      const maxFileSize = numbers.pick([Number.MAX_SAFE_INTEGER, 1 + numbers.int(20_000)]);
      const layout = planOf(checkpoint, { ranks, maxFileSize, dtype: numbers.pick(['bfloat16', 'float16']) });
      const sizes = {
        partSize: 8 * Math.ceil((widestShare(layout) + numbers.int(numbers.pick([8, 3000, 100_000]))) / 8),
        readBytes: 8 * (1 + numbers.int(numbers.pick([8, 80, 4000]))),
        scratchCount: 1 + numbers.int(4),
        together: ranks,
      };
      const ranges = await expectRight(checkpoint, layout, sizes);
      expect(joinRanges(ranges)).toEqual(sourceRanges(layout));
    }
  });

  test('is written right for some ranks at a time, and with windows narrower than a row', async () => {
    const numbers = random(name.length);
    for (let round = 0; round < 5; round++) {
      const dtypes = numbers.pick(DTYPES);
      const checkpoint = randomCheckpoint(config, { seed: round, split: 1 + numbers.int(3), dtypes });
      const layout = planOf(checkpoint, { ranks: 4, maxFileSize: 1 + numbers.int(20_000) });
      await expectRight(checkpoint, layout, {
        partSize: 8 * (1 + numbers.int(numbers.pick([6, 60, 2000]))),
        readBytes: 8 * (1 + numbers.int(numbers.pick([8, 80, 4000]))),
        scratchCount: 1 + numbers.int(4),
        together: 1 + numbers.int(4),
      });
    }
  });
});

describe('a row that is cut', () => {
  const checkpoint = randomCheckpoint(models.llama);
  const layout = planOf(checkpoint, { ranks: 2 });

  test('is kept until the window that follows took it, and no longer', async () => {
    const sources = readerOf(checkpoint.weights);
    const filling = { layout, sources, scratch: createScratch(2, 4096), splitRows: new Map<string, Promise<Buffer>>() };
    await fillAll(layout, filling, { partSize: 1000, readBytes: 4096, scratchCount: 2, together: 2, marker: 1 });
    expect(filling.splitRows.size).toBe(0);
  });

  test('is asked for again after its read failed', async () => {
    const { part, border } = borderInRow(layout);
    const lost = () => Promise.reject(new Error('lost'));
    const broken = readerOf(checkpoint.weights).map((source) => ({ ...source, read: lost }));
    const filling = { layout, scratch: createScratch(1, 64), splitRows: new Map<string, Promise<Buffer>>() };
    const window = { part, start: border - 8, end: border, ranks: [0, 1] };
    const slabs = [Buffer.alloc(8), Buffer.alloc(8)];
    await expect(fillWindow({ ...filling, sources: broken }, window, { slabs, ...live() })).rejects.toThrow('lost');
    await fillWindow({ ...filling, sources: readerOf(checkpoint.weights) }, window, { slabs, ...live() });
    slabs.forEach((slab, rank) => {
      const expected = expectedFile(layout, checkpoint.weights, { part, rank }).subarray(border - 8, border);
      expect(slab.equals(expected)).toBe(true);
    });
  });
});

/** A place inside a rank's share of a row of the first o_proj. */
function borderInRow(layout: RankLayout) {
  const [part] = layout.parts;
  const tensor = part?.tensors.find(({ name }) => name.endsWith('o_proj.weight'));
  if (part === undefined || tensor === undefined) throw new Error('There is no o_proj.');
  return { part, border: tensor.start + 3 * 32 + 16 };
}
