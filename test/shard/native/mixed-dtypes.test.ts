import { describe, expect, test } from 'vitest';
import { layoutFile, type Dtype } from '../../../src/safetensors/index.js';
import { collectSources } from '../../../src/shard/layout/source-tensors.js';
import { fillWindow } from '../../../src/shard/native/fill-window.js';
import { createScratch } from '../../../src/shard/native/scratch.js';
import type { ShardPart, RankLayout } from '../../../src/shard/rank-layout.js';
import { planParts } from '../../../src/transfer/upload/part-plan.js';
import { random } from '../../helpers/random.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { sha256Of } from '../../helpers/test-source.js';
import { live } from '../../helpers/transfer-setup.js';
import { llama } from '../layout/configs.js';
import { expectedFile, filesWith, planOf, randomCheckpoint, readerOf, type Checkpoint } from './bytes-in-memory.js';
import { setUpCheck } from './check-setup.js';

const config = { ...llama, vocab_size: 70, num_key_value_heads: 2, hidden_size: 32, intermediate_size: 48 };

/** What the checkpoint and the shards have, by the end of a tensor's name: elements of one, two, four and eight bytes. */
const KINDS: readonly (readonly [RegExp, Dtype, Dtype])[] = [
  // Wider than the scalars, so that those do not come first.
  [/layernorm\.weight$/, 'I64', 'I64'],
  [/model\.norm\.weight$/, 'F32', 'F32'],
  [/(?:q|k|v|qkv|o)_proj\.weight$/, 'F8_E4M3', 'F8_E4M3'],
  [/down_proj\.weight$/, 'F32', 'BF16'],
  [/(?:gate|up|gate_up)_proj\.weight$/, 'F16', 'F16'],
];

function kindOf(name: string): { readonly source: Dtype; readonly target: Dtype } {
  const [, source = 'BF16', target = 'BF16'] = KINDS.find(([names]) => names.test(name)) ?? [];
  return { source, target };
}

/** A layout whose tensors have several data types, as no planner makes them yet. */
function mixedPlan(ranks: number): { readonly checkpoint: Checkpoint; readonly layout: RankLayout } {
  const numbers = random(ranks);
  const { files } = randomCheckpoint(config, { split: 2 });
  const plain = planOf({ config, files, weights: [] }, { ranks, maxFileSize: 12_000 });
  const lists = files.map(({ header }) =>
    header.tensors.map(({ name, shape }) => ({ name, shape, dtype: kindOf(name).source }))
  );
  const checkpoint = { config, ...filesWith(lists, () => numbers.int(256)) };
  const parts = plain.parts.map(retyped);
  return {
    checkpoint,
    layout: { ...plain, parts, files: checkpoint.files, sources: collectSources(checkpoint.files) },
  };
}

function retyped({ number: part, tensors }: ShardPart): ShardPart {
  const pieces = new Map(tensors.map((tensor) => [tensor.name, tensor.pieces]));
  const specs = tensors.map(({ name, dtype, shape }) => ({
    name,
    shape,
    dtype: dtype === 'BF16' ? kindOf(name).target : dtype,
  }));
  const { headerBytes, dataByteLength, tensors: placed } = layoutFile(specs);
  const base = headerBytes.length;
  return {
    number: part,
    headerBytes,
    size: base + dataByteLength,
    tensors: placed.map(({ begin, end, ...spec }) => ({
      ...spec,
      pieces: pieces.get(spec.name) ?? [],
      start: base + begin,
      end: base + end,
    })),
  };
}

describe.each([1, 2, 4])('a layout with tensors of several data types, for %i ranks', (ranks) => {
  const { checkpoint, layout } = mixedPlan(ranks);

  test('is written right, window by window', async () => {
    for (const partSize of [200, 4096, 1_000_000]) {
      const sources = readerOf(checkpoint.weights);
      const fill = { layout, sources, scratch: createScratch(2, 256), splitRows: new Map<string, Promise<Buffer>>() };
      for (const part of layout.parts) {
        const files = Array.from({ length: ranks }, () => Buffer.alloc(part.size, 0xff));
        for (const { position: start, size } of planParts(part.size, partSize)) {
          const window = { part, start, end: start + size, ranks: [...files.keys()] };
          const slabs = files.map((bytes) => bytes.subarray(start, start + size));
          await fillWindow(fill, window, { slabs, ...live() });
        }
        for (const [rank, bytes] of files.entries()) {
          expect(bytes.equals(expectedFile(layout, checkpoint.weights, { part, rank }))).toBe(true);
        }
      }
    }
  });

  test('is given back by its ranks', async () => {
    const setup = setUpCheck(checkpoint, layout);
    for (const how of ['digest', 'comparison'] as const) {
      expect(await setup.check(how)).toEqual(checkpoint.weights.map((bytes) => sha256Of(bytes).hex));
    }
  });

  test('has its scalars looked at, wherever they lie', async () => {
    const setup = setUpCheck(checkpoint, layout);
    const [index, tensor] = scalarBehindOthers(layout);
    const shard = setup.shards[(index + 1) * ranks - 1] ?? Buffer.alloc(0);
    shard.writeUInt8(shard.readUInt8(tensor.start) ^ 1, tensor.start);
    expect((await lateRefusal(setup.check('digest'))).message).toMatch(/header or the scalars of .* are not/);
  });
});

function scalarBehindOthers({ parts }: RankLayout) {
  for (const [index, { headerBytes, tensors }] of parts.entries()) {
    const scalar = tensors.find(({ name, start }) => name.endsWith('_scale') && start > headerBytes.length + 32);
    if (scalar !== undefined) return [index, scalar] as const;
  }
  throw new Error('All scalars come first.');
}
