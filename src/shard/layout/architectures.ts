/** How the layers of an architecture are built, as data; where a field of config.json decides, its name stands here. */
export interface Architecture {
  readonly modelType: string;
  readonly attention: Attention;
  readonly feedForward:
    { readonly kind: 'dense'; readonly source: 'split' | 'fused'; readonly bias: boolean | string } | MixtureOfExperts;
  /** Norms of a layer, in the order of the state dict. */
  readonly norms: readonly string[];
  /** Whether the output head is the embedding where config.json does not say: as in transformers. */
  readonly tied: boolean;
  /** vLLM refuses float16 for it, because its activations overflow. */
  readonly noFloat16?: boolean;
  /** Config fields that would change the layout in a way that nobody verified, and the value that does not. */
  readonly fixed?: Readonly<Record<string, boolean | 0>>;
}

/** How the attention of a layer is built; another kind is another member. */
export type Attention = GroupedQueryAttention;

/** Query heads that share key/value heads. */
export interface GroupedQueryAttention {
  readonly kind: 'grouped-query';
  /** Whether q, k and v are one tensor in the checkpoint. */
  readonly source: 'split' | 'fused';
  /** Bias of q, k and v: a constant, or the config field that decides. */
  readonly qkvBias: boolean | string;
  readonly outputBias: boolean | string;
  /** Where the norms of q and k stand among the attention's tensors, if there are any. */
  readonly qkNorm: 'none' | 'before-scales' | 'after-scales';
  /** Values of absent config fields: those of the model's config class in transformers. */
  readonly defaults: {
    readonly keyValueHeads: number | 'attention-heads';
    readonly headDim: number | 'hidden-by-heads';
  };
  /** vLLM does not look at head_dim. */
  readonly ignoresHeadDim?: boolean;
}

/** Experts as a checkpoint names them, and where the counts stand in config.json. */
export interface MixtureOfExperts {
  readonly kind: 'experts';
  /** Name of the block in a layer. */
  readonly block: string;
  readonly router: string;
  readonly gate: string;
  readonly up: string;
  readonly down: string;
  /** Field of config.json with their number; transformers takes either name where there are two. */
  readonly count: readonly string[];
  readonly intermediate: string;
  readonly shared?: { readonly intermediate: string };
  /** Some layers may be dense: `decoder_sparse_step`, `mlp_only_layers`. */
  readonly mayBeDense: boolean;
}

const twoNorms = ['input_layernorm', 'post_attention_layernorm'];
const fourNorms = [...twoNorms, 'pre_feedforward_layernorm', 'post_feedforward_layernorm'];

const plainAttention = {
  kind: 'grouped-query',
  source: 'split',
  qkvBias: false,
  outputBias: false,
  qkNorm: 'none',
  defaults: { keyValueHeads: 'attention-heads', headDim: 'hidden-by-heads' },
} as const;
const biasedAttention = { ...plainAttention, qkvBias: 'attention_bias', outputBias: 'attention_bias' } as const;
const plainFeedForward = { kind: 'dense', source: 'split', bias: false } as const;

const qwenExperts = {
  kind: 'experts',
  block: 'mlp',
  router: 'gate',
  gate: 'gate_proj',
  up: 'up_proj',
  down: 'down_proj',
  count: ['num_experts', 'num_local_experts'],
  intermediate: 'moe_intermediate_size',
  mayBeDense: true,
} as const;

/** Every architecture whose files were compared with those of vLLM, by its name in config.json. */
export const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  LlamaForCausalLM: {
    modelType: 'llama',
    attention: biasedAttention,
    feedForward: { ...plainFeedForward, bias: 'mlp_bias' },
    norms: twoNorms,
    tied: false,
    fixed: { bias: false, qkv_bias: false },
  },
  MistralForCausalLM: {
    modelType: 'mistral',
    attention: { ...plainAttention, defaults: { keyValueHeads: 8, headDim: 'hidden-by-heads' } },
    feedForward: plainFeedForward,
    norms: twoNorms,
    tied: false,
    fixed: { attention_bias: false, bias: false, qkv_bias: false, mlp_bias: false, ada_rms_norm_t_cond: false },
  },
  Qwen2ForCausalLM: {
    modelType: 'qwen2',
    attention: {
      ...plainAttention,
      qkvBias: true,
      defaults: { keyValueHeads: 32, headDim: 'hidden-by-heads' },
      ignoresHeadDim: true,
    },
    feedForward: plainFeedForward,
    norms: twoNorms,
    tied: false,
    fixed: { qk_norm: false },
  },
  Qwen3ForCausalLM: {
    modelType: 'qwen3',
    // vLLM would load the bias of o_proj nowhere and say nothing; here it is a tensor too many.
    attention: {
      ...plainAttention,
      qkvBias: 'attention_bias',
      qkNorm: 'after-scales',
      defaults: { keyValueHeads: 32, headDim: 128 },
    },
    feedForward: plainFeedForward,
    norms: twoNorms,
    tied: false,
  },
  GemmaForCausalLM: {
    modelType: 'gemma',
    attention: { ...plainAttention, defaults: { keyValueHeads: 16, headDim: 256 } },
    feedForward: plainFeedForward,
    norms: twoNorms,
    tied: true,
    fixed: { attention_bias: false },
  },
  Gemma2ForCausalLM: {
    modelType: 'gemma2',
    attention: { ...biasedAttention, defaults: { keyValueHeads: 4, headDim: 256 } },
    feedForward: plainFeedForward,
    norms: fourNorms,
    tied: true,
    noFloat16: true,
  },
  Gemma3ForCausalLM: {
    modelType: 'gemma3_text',
    attention: { ...biasedAttention, qkNorm: 'before-scales', defaults: { keyValueHeads: 4, headDim: 256 } },
    feedForward: plainFeedForward,
    norms: fourNorms,
    tied: true,
    noFloat16: true,
  },
  Phi3ForCausalLM: {
    modelType: 'phi3',
    attention: { ...plainAttention, source: 'fused' },
    feedForward: { ...plainFeedForward, source: 'fused' },
    norms: twoNorms,
    tied: false,
    fixed: { attention_bias: false, bias: false, qkv_bias: false, mlp_bias: false },
  },
  MixtralForCausalLM: {
    modelType: 'mixtral',
    attention: { ...plainAttention, defaults: { keyValueHeads: 8, headDim: 'hidden-by-heads' } },
    feedForward: {
      kind: 'experts',
      block: 'block_sparse_moe',
      router: 'gate',
      gate: 'w1',
      up: 'w3',
      down: 'w2',
      count: ['num_local_experts', 'num_experts'],
      intermediate: 'intermediate_size',
      mayBeDense: false,
    },
    norms: twoNorms,
    tied: false,
  },
  Qwen2MoeForCausalLM: {
    modelType: 'qwen2_moe',
    attention: {
      ...plainAttention,
      qkvBias: true,
      defaults: { keyValueHeads: 16, headDim: 'hidden-by-heads' },
      ignoresHeadDim: true,
    },
    feedForward: { ...qwenExperts, shared: { intermediate: 'shared_expert_intermediate_size' } },
    norms: twoNorms,
    tied: false,
    fixed: { qkv_bias: true },
  },
  Qwen3MoeForCausalLM: {
    modelType: 'qwen3_moe',
    // vLLM would load the bias of o_proj nowhere and say nothing; here it is a tensor too many.
    attention: {
      ...plainAttention,
      qkvBias: 'attention_bias',
      qkNorm: 'after-scales',
      defaults: { keyValueHeads: 4, headDim: 'hidden-by-heads' },
    },
    feedForward: qwenExperts,
    norms: twoNorms,
    tied: false,
    fixed: { shared_expert_intermediate_size: 0 },
  },
};
