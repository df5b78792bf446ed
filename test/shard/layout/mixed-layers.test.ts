import { describe, expect, test } from 'vitest';
import { readModelShape } from '../../../src/shard/layout/model-shape.js';
import { refusal } from '../../helpers/refusal.js';
import { mixtral, qwen2Moe, qwen3Moe, without } from './configs.js';

/** Which of the first layers have experts, as `e`, and which are dense, as `d`. */
function kinds(config: object, layers = 6): string {
  const shape = readModelShape(config);
  return Array.from({ length: layers }, (_, layer) => shape.feedForward(layer).kind.charAt(0)).join('');
}

describe.each([
  ['Qwen2-MoE', qwen2Moe],
  ['Qwen3-MoE', qwen3Moe],
])('layers of %s', (_name, config) => {
  test.each([
    [{}, 'eeeeee'],
    [{ decoder_sparse_step: null, mlp_only_layers: null }, 'eeeeee'],
    [{ decoder_sparse_step: 2 }, 'dedede'],
    [{ decoder_sparse_step: 3 }, 'ddedde'],
    [{ mlp_only_layers: [0, 4] }, 'deeede'],
    [{ decoder_sparse_step: 2, mlp_only_layers: [1] }, 'dddede'],
    [{ mlp_only_layers: [] }, 'eeeeee'],
  ])('with %j are %s', (more, expected) => {
    expect(kinds({ ...config, ...more })).toBe(expected);
  });

  test('that are dense have the size of dense ones, and no bias', () => {
    const shape = readModelShape({ ...config, mlp_only_layers: [0] });
    expect(shape.feedForward(0)).toEqual({ kind: 'dense', intermediate: 128, bias: false, source: 'split' });
    expect(shape.feedForward(1)).toMatchObject({ kind: 'experts', experts: 4, intermediate: 48 });
  });

  test('need no size of dense ones where there are none', () => {
    const shape = readModelShape(without(config, 'intermediate_size'));
    expect(shape.feedForward(0)).toMatchObject({ kind: 'experts' });
    const mixed = readModelShape({ ...without(config, 'intermediate_size'), mlp_only_layers: [0] });
    expect(refusal(() => mixed.feedForward(0))).toMatchObject({ details: { field: 'intermediate_size' } });
  });

  test.each([
    ['decoder_sparse_step', 0],
    ['decoder_sparse_step', 1.5],
    ['decoder_sparse_step', '2'],
    ['mlp_only_layers', 0],
    ['mlp_only_layers', { 0: true }],
  ])('with %s %j are refused', (field, value) => {
    expect(refusal(() => readModelShape({ ...config, [field]: value }))).toMatchObject({
      reason: 'config',
      details: { field },
    });
  });
});

test('every layer of a Mixtral has experts, whatever a field of another model says', () => {
  expect(kinds({ ...mixtral, decoder_sparse_step: 2, mlp_only_layers: [0] })).toBe('eeeeee');
});

describe('the number of experts', () => {
  test.each([mixtral, qwen2Moe, qwen3Moe])('stands under either name: %j', (config) => {
    for (const name of ['num_experts', 'num_local_experts']) {
      const renamed = { ...without(without(config, 'num_experts'), 'num_local_experts'), [name]: 8 };
      expect(readModelShape(renamed).feedForward(0)).toMatchObject({ experts: 8 });
    }
  });

  test('may stand under both names, if it is the same', () => {
    expect(readModelShape({ ...mixtral, num_experts: 4 }).feedForward(0)).toMatchObject({ experts: 4 });
    expect(readModelShape({ ...mixtral, num_experts: null }).feedForward(0)).toMatchObject({ experts: 4 });
    const { reason, message } = refusal(() => readModelShape({ ...mixtral, num_experts: 8 }));
    expect(reason).toBe('config');
    expect(message).toMatch(/num_local_experts and num_experts that differ/);
  });

  test('has a limit', () => {
    expect(readModelShape({ ...mixtral, num_local_experts: 4096 }).feedForward(0)).toMatchObject({ experts: 4096 });
    expect(refusal(() => readModelShape({ ...mixtral, num_local_experts: 4097 }))).toMatchObject({
      reason: 'config',
      details: { field: 'num_local_experts' },
    });
  });

  test('has a limit over all layers, so that no config makes anybody lay out millions of tensors', () => {
    const layers = (num_local_experts: number) => ({ ...mixtral, num_hidden_layers: 1024, num_local_experts });
    expect(readModelShape(layers(128)).feedForward(0)).toMatchObject({ experts: 128 });
    expect(refusal(() => readModelShape(layers(129)))).toMatchObject({
      reason: 'config',
      details: { field: 'num_local_experts' },
    });
  });
});

test('only Qwen2-MoE has an expert that every token goes through', () => {
  expect(readModelShape(qwen2Moe).feedForward(0)).toMatchObject({ shared: { intermediate: 96 } });
  expect(readModelShape(qwen3Moe).feedForward(0)).not.toHaveProperty('shared');
});
