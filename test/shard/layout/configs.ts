/** The least that config.json of a Llama says. */
export const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 128,
  num_attention_heads: 8,
  num_hidden_layers: 2,
  vocab_size: 1000,
} as const;

/** The same for any architecture, by the name of its class and its type. */
export function configOf(architecture: string, modelType: string, more: object = {}): Record<string, unknown> {
  return { ...llama, architectures: [architecture], model_type: modelType, ...more };
}

export const mixtral = configOf('MixtralForCausalLM', 'mixtral', { num_local_experts: 4 });

export const qwen2Moe = configOf('Qwen2MoeForCausalLM', 'qwen2_moe', {
  num_experts: 4,
  moe_intermediate_size: 48,
  shared_expert_intermediate_size: 96,
});

export const qwen3Moe = configOf('Qwen3MoeForCausalLM', 'qwen3_moe', { num_experts: 4, moe_intermediate_size: 48 });

/** A config without one of its fields. */
export function without(config: object, field: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([name]) => name !== field));
}
