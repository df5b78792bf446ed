import { describe, expect, test } from 'vitest';
import { checkFitsRanks, paddedVocabulary } from '../../../src/shard/layout/fits-ranks.js';
import { readModelShape } from '../../../src/shard/layout/model-shape.js';
import { refusal } from '../../helpers/refusal.js';
import { llama, mixtral, qwen2Moe, qwen3Moe } from './configs.js';

/** How a number of ranks is refused, which must be the one thing that is wrong. */
function refused(config: object, ranks: number): string {
  const { code, reason, details, message } = refusal(() => {
    checkFitsRanks(readModelShape(config), ranks);
  });
  expect({ code, reason, details }).toEqual({
    code: 'UnsupportedSharding',
    reason: 'tensor-parallel-size',
    details: { reason: 'tensor-parallel-size', tensorParallelSize: ranks },
  });
  expect(message).toContain(`tensorParallelSize ${String(ranks)} `);
  return message;
}

function fits(config: object, ranks: number): boolean {
  checkFitsRanks(readModelShape(config), ranks);
  return true;
}

test.each([
  [1, 64],
  [64, 64],
  [65, 128],
  [1000, 1024],
  [1024, 1024],
  [151_936, 151_936],
])('a vocabulary of %i is padded to %i rows', (vocabulary, rows) => {
  expect(paddedVocabulary({ vocabulary })).toBe(rows);
});

describe('a number of ranks', () => {
  test.each([1, 2, 4, 8])('that divides everything fits: %i', (ranks) => {
    expect(fits(llama, ranks)).toBe(true);
  });

  test('must divide the attention heads', () => {
    expect(refused({ ...llama, num_attention_heads: 6, num_key_value_heads: 4 }, 4)).toMatch(/6 attention heads/);
  });

  test('must divide the key/value heads, or be a multiple of them', () => {
    expect(fits({ ...llama, num_key_value_heads: 8 }, 4)).toBe(true);
    expect(fits({ ...llama, num_key_value_heads: 2 }, 4)).toBe(true);
    expect(fits({ ...llama, num_key_value_heads: 1 }, 8)).toBe(true);
    const twelve = { ...llama, num_attention_heads: 12 };
    expect(refused({ ...twelve, num_key_value_heads: 6 }, 4)).toMatch(/6 key\/value heads/);
    expect(refused({ ...twelve, num_key_value_heads: 3 }, 4)).toMatch(/3 key\/value heads/);
    expect(refused({ ...twelve, num_key_value_heads: 12 }, 24)).toMatch(/12 attention heads/);
  });

  test('must divide the vocabulary after padding, not before', () => {
    // 1000 rows become 1024, and 100 become 128.
    expect(fits({ ...llama, vocab_size: 1000, num_attention_heads: 16, num_key_value_heads: 16 }, 16)).toBe(true);
    expect(fits({ ...llama, vocab_size: 100 }, 8)).toBe(true);
    const three = { ...llama, num_attention_heads: 12, num_key_value_heads: 12, intermediate_size: 96 };
    expect(refused({ ...three, vocab_size: 1000 }, 3)).toMatch(
      /1024 rows of the vocabulary, padded to a multiple of 64/
    );
    expect(fits({ ...three, vocab_size: 192 }, 3)).toBe(true);
  });

  test('must divide the rows of the feed-forward layer', () => {
    expect(refused({ ...llama, intermediate_size: 130 }, 4)).toMatch(/130 rows.*\(intermediate_size\)/);
  });

  test('must divide the rows of an expert, under the name that it has in the config', () => {
    expect(refused({ ...mixtral, intermediate_size: 130 }, 4)).toMatch(/130 rows of an expert \(intermediate_size\)/);
    expect(refused({ ...qwen3Moe, moe_intermediate_size: 50 }, 4)).toMatch(/50 rows.*\(moe_intermediate_size\)/);
  });

  test('must divide the rows of the shared expert', () => {
    const config = { ...qwen2Moe, shared_expert_intermediate_size: 90 };
    expect(fits(config, 2)).toBe(true);
    expect(refused(config, 4)).toMatch(/90 rows of the shared expert \(shared_expert_intermediate_size\)/);
  });

  test('may not be larger than the number of experts', () => {
    expect(fits(mixtral, 4)).toBe(true);
    expect(refused(mixtral, 8)).toMatch(/more than the 4 experts/);
  });

  test('must fit the dense layers among those with experts, wherever they are', () => {
    const config = { ...qwen3Moe, intermediate_size: 130, num_hidden_layers: 6 };
    expect(fits(config, 4)).toBe(true);
    for (const layer of [0, 3, 5]) {
      expect(refused({ ...config, mlp_only_layers: [layer] }, 4)).toMatch(/130 rows of the feed-forward layer/);
    }
    expect(refused({ ...config, decoder_sparse_step: 3 }, 4)).toMatch(/130 rows of the feed-forward layer/);
  });
});
