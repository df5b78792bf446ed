import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../../src/core/vllm-releases.js';
import type { Dtype, TensorSpec } from '../../../src/safetensors/index.js';
import { isIgnoredByVllm } from '../../../src/shard/layout/source-tensors.js';
import { layOutRanks, type RankLayout } from '../../../src/shard/rank-layout.js';
import { refusal } from '../../helpers/refusal.js';
import { DEFAULT_PATTERN } from '../../helpers/shard-setup.js';
import { tensorsOf, weightsFile } from './checkpoints.js';
import { configOf, llama, mixtral, qwen2Moe, qwen3Moe } from './configs.js';

/** Lays out a checkpoint with just these tensors, one list for each of its files. */
function planOf(files: readonly (readonly TensorSpec[])[], config: object = llama): RankLayout {
  return layOutRanks({
    config,
    files: files.map((tensors, index) => weightsFile(`model-${String(index)}.safetensors`, tensors)),
    ranks: 1,
    dtype: 'auto',
    vllmVersion: NEWEST_VERIFIED_VLLM,
    maxFileSize: Number.MAX_SAFE_INTEGER,
    filePattern: DEFAULT_PATTERN,
  });
}

const tensors = tensorsOf(llama);
const HEAD = 'lm_head.weight';
const extra = (name: string, dtype: Dtype = 'BF16'): TensorSpec => ({ name, dtype, shape: [64] });
const changed = (name: string, change: Partial<TensorSpec>) =>
  tensors.map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor));

describe('a checkpoint', () => {
  test('may lie in any number of files, and each tensor knows where it lies', () => {
    const { sources } = planOf([tensors.slice(0, 5), [], tensors.slice(5)]);
    expect([...sources.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
    const files = [tensors.slice(0, 5), [], tensors.slice(5)].map((list) => weightsFile('', list));
    for (const { name, file, start, end } of sources.values()) {
      const header = files[file]?.header;
      const base = header?.headerByteLength ?? NaN;
      expect(header?.tensors).toContainEqual(expect.objectContaining({ name, begin: start - base, end: end - base }));
    }
  });

  test.each([llama, mixtral, qwen2Moe, qwen3Moe, configOf('Phi3ForCausalLM', 'phi3')])(
    'that lacks any one tensor is refused by its name: %j',
    (config) => {
      const all = tensorsOf(config);
      for (const { name } of all) {
        const { code, reason, details, message } = refusal(() =>
          planOf([all.filter((tensor) => tensor.name !== name)], config)
        );
        expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'missing-tensors' });
        expect(details['tensors']).toEqual([name]);
        expect(message).toContain(name);
      }
    }
  );

  test('that lacks many names a few, and how many more', () => {
    const { message, details } = refusal(() => planOf([[]]));
    expect(message).toMatch(/lacks 21 tensors .* and 16 more/);
    expect(details['tensors']).toHaveLength(21);
  });

  test.each([
    'model.layers.0.self_attn.q_proj.bias',
    'model.layers.2.input_layernorm.weight',
    'visual.patch_embed.weight',
    'model.layers.0.self_attn.q_proj.weight_scale',
  ])('with a tensor too many is refused by its name: %s', (name) => {
    const { reason, details, message } = refusal(() => planOf([[...tensors, extra(name)]]));
    expect(reason).toBe('extra-tensors');
    expect(details['tensors']).toEqual([name]);
    expect(message).toContain(name);
  });

  test('cuts names that were made to fill a message', () => {
    const hostile = Array.from({ length: 60 }, (_, index) => extra('x'.repeat(5000) + String(index)));
    const { details, message } = refusal(() => planOf([[...tensors, ...hostile]]));
    expect(details['tensors']).toHaveLength(50);
    expect(new Set(details['tensors'] as string[])).toEqual(new Set([`${'x'.repeat(200)}…`]));
    expect(message.length).toBeLessThan(2000);
  });

  test('that holds a tensor twice is refused with both files', () => {
    const again = tensors.slice(0, 1);
    const { code, reason, message } = refusal(() => planOf([tensors, again]));
    expect({ code, reason }).toEqual({ code: 'InvalidSafetensors', reason: 'duplicate-tensor' });
    expect(message).toContain('model-0.safetensors and model-1.safetensors');
    expect(message).toContain(again[0]?.name);
  });

  test.each([
    ['rows', [999, 64]],
    ['columns', [1000, 32]],
    ['order', [64, 1000]],
    ['rank', [1000, 64, 1]],
    ['dimensions', [64_000]],
    ['values', []],
  ])('whose tensor has other %s is refused with both shapes', (_what, shape) => {
    const { reason, details, message } = refusal(() => planOf([changed('model.embed_tokens.weight', { shape })]));
    expect(reason).toBe('tensor-shape');
    expect(details['tensor']).toBe('model.embed_tokens.weight');
    expect(message).toContain(`[${shape.join(', ')}]; by config.json it is [1000, 64]`);
  });

  test('whose tensor has a shape that was made to fill a message is refused with its start', () => {
    const shape = [1000, 64, ...Array.from({ length: 10_000 }, () => 1)];
    const { message } = refusal(() => planOf([changed('model.embed_tokens.weight', { shape })]));
    expect(message).toContain('[1000, 64, 1, 1, 1, 1, 1, 1 and 9994 more]; by config.json it is [1000, 64]');
  });

  test.each(['F8_E4M3', 'I8', 'F64', 'I64', 'U8', 'BOOL'] as const)('with a tensor of %s is refused', (dtype) => {
    const name = 'model.layers.1.mlp.down_proj.weight';
    const { reason, details } = refusal(() => planOf([changed(name, { dtype })]));
    expect(reason).toBe('dtype');
    expect(details).toMatchObject({ tensor: name, dtype });
  });

  test.each(['F32', 'F16', 'BF16'] as const)('of %s is taken', (dtype) => {
    expect(planOf([tensorsOf(llama, dtype)]).sources.size).toBe(21);
  });

  test('may mix data types', () => {
    expect(planOf([changed('model.norm.weight', { dtype: 'F32' })]).sources.get('model.norm.weight')?.dtype).toBe(
      'F32'
    );
  });
});

describe('tensors that vLLM computes by itself', () => {
  test.each(['inv_freq', 'cos_cached', 'sin_cached'])('are passed over: %s', (buffer) => {
    const name = `model.layers.0.self_attn.rotary_emb.${buffer}`;
    expect(isIgnoredByVllm(name)).toBe(true);
    expect(planOf([[...tensors, extra(name, 'F32'), extra(`model.rotary_emb.${buffer}`, 'I64')]]).sources.size).toBe(
      23
    );
  });

  test.each(['rotary_emb.inv_freq.scale', 'my_rotary_emb.inv_freq2', 'xrotary_emb.inv_freq', 'inv_freq'])(
    'are not %s',
    (name) => {
      expect(isIgnoredByVllm(name)).toBe(false);
    }
  );
});

describe('an output head', () => {
  const tied = { ...llama, tie_word_embeddings: true };

  test('is needed where the embeddings are not tied', () => {
    expect(refusal(() => planOf([tensors.filter(({ name }) => name !== HEAD)]))).toMatchObject({
      reason: 'missing-tensors',
      details: { tensors: [HEAD] },
    });
  });

  test('may be there or not where they are tied, and is not kept', () => {
    for (const list of [tensorsOf(tied), [...tensorsOf(tied), { ...extra(HEAD), shape: [1000, 64] }]]) {
      const { parts } = planOf([list], tied);
      const names = parts.flatMap((part) => part.tensors.map(({ name }) => name));
      expect(names).toContain(HEAD);
      expect(names).not.toContain('model.embed_tokens.weight');
    }
  });
});
