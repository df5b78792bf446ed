import { describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../../../src/shard/layout/architectures.js';
import { readModelShape } from '../../../src/shard/layout/model-shape.js';
import { refusal } from '../../helpers/refusal.js';
import { configOf, llama, mixtral, qwen2Moe, qwen3Moe, without } from './configs.js';

describe('a config is refused', () => {
  test.each(Object.keys(llama))('without %s', (field) => {
    const reason = field === 'model_type' ? 'architecture' : 'config';
    for (const config of [without(llama, field), { ...llama, [field]: null }]) {
      expect(refusal(() => readModelShape(config))).toMatchObject({ code: 'UnsupportedSharding', reason });
    }
  });

  test.each([
    ['no list', 'LlamaForCausalLM'],
    ['empty', []],
    ['a list of something else', [7]],
    ['a list of lists', [['LlamaForCausalLM']]],
  ])('whose architectures are %s', (_what, architectures) => {
    expect(refusal(() => readModelShape({ ...llama, architectures }))).toMatchObject({ reason: 'config' });
  });

  test.each(['DeepseekV3ForCausalLM', 'llamaforcausallm', 'constructor', 'toString', '__proto__'])(
    'with the architecture %s, for it was not verified, and the verified ones are listed',
    (name) => {
      // Without a type, which would be refused by itself.
      const { code, reason, message, details } = refusal(() =>
        readModelShape(without({ ...llama, architectures: [name] }, 'model_type'))
      );
      expect({ code, reason, named: details['architecture'] }).toEqual({
        code: 'UnsupportedSharding',
        reason: 'architecture',
        named: name,
      });
      for (const known of Object.keys(ARCHITECTURES)) expect(message).toContain(known);
    }
  );

  test('with a name of an architecture that is no name, which is cut in the message', () => {
    const { message } = refusal(() => readModelShape({ ...llama, architectures: ['A'.repeat(10_000)] }));
    expect(message.length).toBeLessThan(1000);
  });

  test('with the model_type of another architecture', () => {
    const { reason, message } = refusal(() => readModelShape({ ...llama, model_type: 'mistral' }));
    expect(reason).toBe('architecture');
    expect(message).toMatch(/model_type mistral with LlamaForCausalLM: verified is llama/);
  });

  test.each([
    ['quantization_config', { quant_method: 'fp8' }, 'fp8'],
    ['quantization_config', { quant_method: 'gptq', bits: 4 }, 'gptq'],
    ['quantization_config', { quant_method: 'awq' }, 'awq'],
    ['quantization_config', { load_in_4bit: true }, 'unknown'],
    ['compression_config', { quant_method: 'compressed-tensors' }, 'compressed-tensors'],
  ])('with %s %j', (field, value, quantization) => {
    expect(refusal(() => readModelShape({ ...llama, [field]: value }))).toMatchObject({
      reason: 'quantization',
      details: { quantization },
      message: expect.stringContaining(`quant_method ${quantization}`) as string,
    });
  });

  test.each([['fp8'], [['fp8']], [8]])('with a quantization_config that is no object (%j)', (value) => {
    expect(refusal(() => readModelShape({ ...llama, quantization_config: value }))).toMatchObject({ reason: 'config' });
  });

  test.each([
    ['quantization_config', null],
    ['quantization_config', {}],
    ['compression_config', {}],
  ])('but not for a %s of %j', (field, value) => {
    expect(readModelShape({ ...llama, [field]: value }).attention.heads).toBe(8);
  });

  test('with more layers than any model has', () => {
    expect(readModelShape({ ...llama, num_hidden_layers: 1024 }).layers).toBe(1024);
    expect(refusal(() => readModelShape({ ...llama, num_hidden_layers: 1025 }))).toMatchObject({
      reason: 'config',
      details: { field: 'num_hidden_layers' },
    });
  });
});

describe('fields that would change the layout', () => {
  const fixed = Object.entries(ARCHITECTURES).flatMap(([architecture, { modelType, fixed: fields = {} }]) =>
    Object.entries(fields).map(([field, value]) => ({ architecture, modelType, field, value }))
  );
  const experts = { num_experts: 4, moe_intermediate_size: 48 };

  test.each(fixed)('$field of $architecture may only be $value', ({ architecture, modelType, field, value }) => {
    const more = { shared_expert_intermediate_size: value === 0 ? 0 : 96, ...experts };
    const config = configOf(architecture, modelType, more);
    for (const right of [value, null]) expect(readModelShape({ ...config, [field]: right })).toBeDefined();
    const wrong = value === 0 ? 96 : !value;
    expect(refusal(() => readModelShape({ ...config, [field]: wrong }))).toMatchObject({
      reason: 'config',
      details: { architecture, field },
    });
    expect(refusal(() => readModelShape({ ...config, [field]: 'false' }))).toMatchObject({ reason: 'config' });
  });

  test.each([
    ['Qwen2ForCausalLM', 'qwen2', {}],
    ['Qwen2MoeForCausalLM', 'qwen2_moe', { ...experts, shared_expert_intermediate_size: 96 }],
  ])('%s has no head_dim of its own, for vLLM does not look at it', (architecture, modelType, more) => {
    const config = configOf(architecture, modelType, more);
    for (const right of [8, null]) expect(readModelShape({ ...config, head_dim: right }).attention.headDim).toBe(8);
    expect(refusal(() => readModelShape({ ...config, head_dim: 16 }))).toMatchObject({
      reason: 'config',
      details: { field: 'head_dim' },
    });
  });
});

describe('fields that are absent or null', () => {
  // Of the config classes in transformers: what a checkpoint may leave out means these values.
  test.each([
    ['LlamaForCausalLM', 'llama', { attention: { keyValueHeads: 8, headDim: 8 }, tied: false }],
    ['MistralForCausalLM', 'mistral', { attention: { keyValueHeads: 8, headDim: 8 }, tied: false }],
    ['Qwen2ForCausalLM', 'qwen2', { attention: { keyValueHeads: 32, headDim: 8 }, tied: false }],
    ['Qwen3ForCausalLM', 'qwen3', { attention: { keyValueHeads: 32, headDim: 128 }, tied: false }],
    ['GemmaForCausalLM', 'gemma', { attention: { keyValueHeads: 16, headDim: 256 }, tied: true }],
    ['Gemma2ForCausalLM', 'gemma2', { attention: { keyValueHeads: 4, headDim: 256 }, tied: true }],
    ['Gemma3ForCausalLM', 'gemma3_text', { attention: { keyValueHeads: 4, headDim: 256 }, tied: true }],
    ['Phi3ForCausalLM', 'phi3', { attention: { keyValueHeads: 8, headDim: 8 }, tied: false }],
    ['MixtralForCausalLM', 'mixtral', { attention: { keyValueHeads: 8, headDim: 8 }, tied: false }],
    ['Qwen2MoeForCausalLM', 'qwen2_moe', { attention: { keyValueHeads: 16, headDim: 8 }, tied: false }],
    ['Qwen3MoeForCausalLM', 'qwen3_moe', { attention: { keyValueHeads: 4, headDim: 8 }, tied: false }],
  ])('of %s', (architecture, modelType, expected) => {
    const counts = { num_experts: 4, moe_intermediate_size: 48 };
    const shared = architecture === 'Qwen2MoeForCausalLM' ? { shared_expert_intermediate_size: 96 } : {};
    const config = configOf(architecture, modelType, { ...counts, ...shared });
    expect(readModelShape(config)).toMatchObject(expected);
    // Null is no default of the class: then it computes what it can from the rest.
    const empty = { num_key_value_heads: null, head_dim: null, tie_word_embeddings: null };
    expect(readModelShape({ ...config, ...empty })).toMatchObject({
      ...expected,
      attention: { keyValueHeads: 8, headDim: 8 },
    });
  });

  test('every verified architecture is among them', () => {
    expect(Object.keys(ARCHITECTURES)).toHaveLength(11);
  });

  test('and those that are there win', () => {
    const more = { num_key_value_heads: 2, head_dim: 32, tie_word_embeddings: true, dtype: 'float16' };
    expect(readModelShape({ ...llama, ...more })).toMatchObject({
      architecture: 'LlamaForCausalLM',
      hidden: 64,
      layers: 2,
      vocabulary: 1000,
      attention: { kind: 'grouped-query', heads: 8, keyValueHeads: 2, headDim: 32 },
      tied: true,
      dtype: 'float16',
    });
  });

  test('a data type may stand under its old name, and the new one wins', () => {
    expect(readModelShape({ ...llama, torch_dtype: 'float16' }).dtype).toBe('float16');
    expect(readModelShape({ ...llama, torch_dtype: 'float16', dtype: 'bfloat16' }).dtype).toBe('bfloat16');
    expect(readModelShape(llama).dtype).toBeUndefined();
  });
});

describe('biases', () => {
  test.each([
    [llama, {}, { qkvBias: false, outputBias: false }],
    [llama, { attention_bias: true }, { qkvBias: true, outputBias: true }],
    [configOf('Qwen2ForCausalLM', 'qwen2'), {}, { qkvBias: true, outputBias: false }],
    [configOf('Qwen3ForCausalLM', 'qwen3'), { attention_bias: true }, { qkvBias: true, outputBias: false }],
  ])('of %j with %j', (config, more, expected) => {
    expect(readModelShape({ ...config, ...more }).attention).toMatchObject(expected);
  });

  test('of the feed-forward layer are those of a Llama with mlp_bias', () => {
    expect(readModelShape({ ...llama, mlp_bias: true }).feedForward(0)).toMatchObject({ kind: 'dense', bias: true });
    expect(readModelShape(llama).feedForward(0)).toMatchObject({ kind: 'dense', bias: false, intermediate: 128 });
  });
});

test.each([mixtral, qwen2Moe, qwen3Moe])('a mixture of experts needs its own counts: %j', (config) => {
  const fields = { num_experts: 'num_experts', num_local_experts: 'num_local_experts' };
  const own = Object.keys(config).filter((field) => field in fields || /^(moe|shared)_/.test(field));
  expect(own.length).toBeGreaterThan(0);
  for (const field of own) {
    expect(refusal(() => readModelShape(without(config, field)))).toMatchObject({
      reason: 'config',
      details: { field },
    });
  }
});
