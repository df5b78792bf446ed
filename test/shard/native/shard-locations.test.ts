import { describe, expect, test } from 'vitest';
import type { Piece } from '../../../src/shard/layout/state-dict.js';
import { sourceBlocks } from '../../../src/shard/native/source-blocks.js';
import { findLocations } from '../../../src/shard/native/shard-locations.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { refusal } from '../../helpers/refusal.js';
import { configOf, llama, qwen2Moe } from '../layout/configs.js';
import { joinRanges, planOf, randomCheckpoint } from './bytes-in-memory.js';

const little = { vocab_size: 70, num_key_value_heads: 2, hidden_size: 32, intermediate_size: 48 };
const fused = { ...configOf('Phi3ForCausalLM', 'phi3'), ...little };

/** The same layout with other pieces in one tensor. */
function tampered(
  layout: RankLayout,
  name: string,
  change: (pieces: readonly Piece[]) => readonly Piece[]
): RankLayout {
  const parts = layout.parts.map((part) => ({
    ...part,
    tensors: part.tensors.map((tensor) =>
      tensor.name.endsWith(name) ? { ...tensor, pieces: change(tensor.pieces) } : tensor
    ),
  }));
  return { ...layout, parts };
}

describe('every source tensor', () => {
  test.each([llama, fused, qwen2Moe])('has its places, those of a fused one in its own order: %j', (config) => {
    for (const ranks of [1, 2, 4]) {
      const layout = planOf(randomCheckpoint({ ...config, ...little }), { ranks, maxFileSize: 9000 });
      const places = findLocations(layout);
      expect([...places.keys()].sort()).toEqual([...layout.sources.keys()].sort());
      for (const of of places.values()) {
        const bases = of.map(({ piece }) => (piece.kind === 'rows' ? piece.base : 0));
        expect(bases).toEqual([...bases].sort((a, b) => a - b));
      }
    }
  });
});

describe('a layout that does not hold all of a tensor is a fault of ours, and told', () => {
  const layout = planOf(randomCheckpoint(fused), { ranks: 2 });
  const faults: readonly (readonly [string, string, (pieces: readonly Piece[]) => readonly Piece[]])[] = [
    ['a piece is missing', 'gate_up_proj.weight', ([first]) => (first === undefined ? [] : [first])],
    ['the first piece is missing', 'qkv_proj.weight', (pieces) => pieces.slice(1)],
    ['a piece is there twice', 'gate_up_proj.weight', ([first]) => (first === undefined ? [] : [first, first])],
    ['a column is missing', 'o_proj.weight', ([piece]) => (piece?.kind === 'columns' ? [{ ...piece, count: 15 }] : [])],
    ['a row is missing', 'o_proj.weight', ([piece]) => (piece?.kind === 'columns' ? [{ ...piece, rows: 31 }] : [])],
    ['columns are there twice', 'o_proj.weight', ([piece]) => (piece === undefined ? [] : [piece, piece])],
    [
      'ranks have the same rows',
      'lm_head.weight',
      ([piece]) => (piece?.kind === 'rows' ? [{ ...piece, replicas: 2 }] : []),
    ],
  ];

  test.each(faults)('where %s', (_what, name, change) => {
    const { code, message } = refusal(() => findLocations(tampered(layout, name, change)));
    expect(code).toBe('Internal');
    expect(message).toMatch(/does not hold all of/);
  });
});

describe('the blocks of a weights file', () => {
  test.each([1024, 4096, 1_000_000])(
    'are all of it, in its order, none larger than %i bytes after the cast',
    (blockBytes) => {
      const wide = { ...llama, ...little, intermediate_size: 640 };
      for (const dtypes of [['BF16'], ['F32'], ['F16', 'F32']] as const) {
        const checkpoint = randomCheckpoint(wide, { split: 2, dtypes });
        const layout = planOf(checkpoint, { ranks: 4 });
        const places = findLocations(layout);
        for (const [file, { size }] of checkpoint.files.entries()) {
          const blocks = [...sourceBlocks(layout, file, { places, blockBytes })];
          const ranges = blocks.filter(({ length }) => length > 0).map(({ start, end }) => ({ file, start, end }));
          expect(ranges).toEqual([...ranges].sort((a, b) => a.start - b.start));
          expect(joinRanges(ranges)).toEqual([{ file, start: 0, end: size }]);
          expect(Math.max(...blocks.map(({ length }) => length))).toBeLessThanOrEqual(blockBytes);
        }
      }
    }
  );

  test('of a tensor that vLLM computes by itself belong to no rank', () => {
    const extra = { name: 'model.layers.0.self_attn.rotary_emb.inv_freq', dtype: 'F32', shape: [4] } as const;
    const layout = planOf(randomCheckpoint({ ...llama, ...little }), { ranks: 2 });
    const file = { path: 'b', size: 32, header: { headerByteLength: 16, dataByteLength: 16, metadata: undefined } };
    const tensor = { ...extra, begin: 0, end: 16 };
    const withFile = {
      ...layout,
      files: [...layout.files, { ...file, header: { ...file.header, tensors: [tensor] } }],
      sources: new Map([...layout.sources, [extra.name, { ...extra, file: 1, start: 16, end: 32 }]]),
    };
    const blocks = [...sourceBlocks(withFile, 1, { places: findLocations(withFile), blockBytes: 1024 })];
    expect(blocks.map(({ start, end, tensor: of, shares }) => ({ start, end, of, shares }))).toEqual([
      { start: 0, end: 16, of: undefined, shares: [] },
      { start: 16, end: 32, of: undefined, shares: [] },
    ]);
  });
});
